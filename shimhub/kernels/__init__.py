"""The Python face of the native library in ``native/``; knows nothing of the hub.

Importing this package loads nothing. The extension is loaded at the first call, and where it
cannot be (not built, built for another version, or ``SHIMHUB_NATIVE=0``) every function here
still answers, in Python, and ``why_unavailable()`` tells the reason.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from shimhub._version import __version__
from shimhub.kernels import _reference

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["available", "cpu_features", "version", "why_unavailable"]


def available() -> bool:
    """Return whether the native library is loaded, trying to at the first call. Never raises."""
    return not isinstance(_load(), str)


def why_unavailable() -> str:
    """Return why the native library is not in use, with the cure; empty if it is. Never raises."""
    native = _load()
    return native if isinstance(native, str) else ""


def version() -> str:
    """Return the version of the native library, or shimhub's own without one. Never raises."""
    native = _load()
    return __version__ if isinstance(native, str) else _built_as(native)


def cpu_features() -> frozenset[str]:
    """Return the instruction sets that may be used here, such as ``{"sse2", "avx2"}``.

    A feature is listed if the processor has it and the operating system saves its registers.
    Names are those of /proc/cpuinfo, and ``neon``. Without the native library they are read from
    that file, and the set is empty where there is none. Never raises.
    """
    native = _load()
    return _reference.cpu_features() if isinstance(native, str) else _query(native)


@functools.cache
def _load() -> ModuleType | str:
    """Return the extension, or the reason why there is none."""
    if os.environ.get("SHIMHUB_NATIVE") == "0":
        return "SHIMHUB_NATIVE=0 is set; unset it to use the native library"
    try:
        from shimhub.kernels import _native
    except ImportError as error:
        return f"{error}; reinstall shimhub (in a checkout: pip install -e .) to build it"
    if _built_as(_native) != __version__:
        return (
            f"the native library was built as {_built_as(_native)} and this is shimhub "
            f"{__version__}; reinstall shimhub (in a checkout: pip install -e .) to rebuild it"
        )
    return _native


def _built_as(native: ModuleType) -> str:
    text: bytes = native.ffi.string(native.lib.shimhub_version())
    return text.decode("ascii")


def _query(native: ModuleType) -> frozenset[str]:
    ffi, lib = native.ffi, native.lib
    mask, name = ffi.new("uint64_t *"), ffi.new("const char **")
    lib.shimhub_cpu_features(mask)
    found = set()
    for feature in range(lib.SHIMHUB_CPU_COUNT):
        lib.shimhub_cpu_feature_name(feature, name)
        if mask[0] >> feature & 1:
            found.add(ffi.string(name[0]).decode("ascii"))
    return frozenset(found)
