"""The extension, loaded at the first call; or the reason why there is none."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Final

from shimhub._version import __version__

if TYPE_CHECKING:
    from types import ModuleType

_REBUILD: Final = "reinstall shimhub (in a checkout: pip install -e .)"


def native() -> ModuleType | None:
    """Return the extension, with ``ffi``, ``lib`` and functions over Python's objects, or None.

    Raises ``ValueError`` if ``SHIMHUB_LANES`` names a lane that is unknown or cannot run here.
    """
    found = load()
    return None if isinstance(found, str) else found


@functools.cache
def load() -> ModuleType | str:
    """Return the extension, or why there is none, with the cure. Raises as :func:`native`."""
    if os.environ.get("SHIMHUB_NATIVE") == "0":
        return "SHIMHUB_NATIVE=0 is set; unset it to use the native library"
    try:
        from shimhub.kernels import _native
    except ImportError as error:
        return f"{error}; {_REBUILD} to build it for this Python"
    if built_as(_native) != __version__:
        return (
            f"the native library was built as {built_as(_native)} and this is shimhub "
            f"{__version__}; {_REBUILD} to rebuild it"
        )
    _choose_lanes(_native, os.environ.get("SHIMHUB_LANES"))
    if _native.lib.shimhub_py_register(id(_native)) != 0:
        return "the native library could not add its functions to its module: out of memory"
    return _native


def built_as(extension: ModuleType) -> str:
    """Return the version that the extension was built as."""
    text: bytes = extension.ffi.string(extension.lib.shimhub_version())
    return text.decode("ascii")


def lane_names(extension: ModuleType) -> tuple[str, ...]:
    """Return the names of all lanes, by number."""
    ffi, lib = extension.ffi, extension.lib
    name = ffi.new("const char **")
    found = []
    for lane in range(lib.SHIMHUB_LANE_COUNT):
        lib.shimhub_lane_name(lane, name)
        found.append(ffi.string(name[0]).decode("ascii"))
    return tuple(found)


def _choose_lanes(extension: ModuleType, told: str | None) -> None:
    """Narrow the lanes to those told, separated by commas or blanks; None leaves them all."""
    if told is None:
        return
    names = lane_names(extension)
    wanted = told.replace(",", " ").split()
    here = extension.lib.shimhub_lanes_here()
    usable = [name for lane, name in enumerate(names) if here >> lane & 1]
    if wrong := [one for one in wanted if one not in usable]:
        unknown = [one for one in wrong if one not in names]
        why = f"unknown lane {unknown[0]!r}" if unknown else f"{wrong[0]!r} cannot run here"
        raise ValueError(f"SHIMHUB_LANES={told!r}: {why}; choose of {', '.join(usable)}")
    extension.lib.shimhub_lanes_use(sum(1 << names.index(one) for one in set(wanted)))
