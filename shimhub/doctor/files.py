"""Files of this environment: start-up files, the cache, copies of shimhub, the native library."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from shimhub import __version__, kernels, paths
from shimhub.activation import startup
from shimhub.doctor.finding import Finding, export, finding, ours, pip
from shimhub.environment import versions_of

_VERSION = re.compile(r'__version__ = "([^"]+)"')


def of_startup() -> Iterator[Finding]:
    """Yield what is the matter with the two start-up files of this environment."""
    files = startup.startup_files()
    states = {one.state for one in files}
    if states == {"missing"}:
        told = "only programs under `shimhub run` or with `import shimhub.auto` get shims"
        yield finding("SH101", told, str(files[0].path.parent), _activate())
    for one in files:
        if one.state == "missing" and states != {"missing"}:
            told = "without it start-up fails on some versions of Python"
            yield finding("SH102", told, str(one.path), _activate())
        if one.state == "foreign":
            yield _foreign(one.path)


def _foreign(path: Path) -> Finding:
    try:
        is_older = b"shimhub" in path.read_bytes()
    except OSError:
        is_older = False
    if is_older:
        return finding("SH103", "it is not what this version writes", str(path), _activate())
    aside = shlex.join(["mv", str(path), f"{path}.aside"])
    return finding("SH104", "it was not written by shimhub", str(path), aside)


def _activate() -> str:
    is_venv = sys.prefix != sys.base_prefix
    return ours("activate") if is_venv else ours("activate", "--system")


def startup_state() -> str:
    """Return in words whether this environment is activated."""
    states = [one.state for one in startup.startup_files()]
    if set(states) == {"missing"}:
        return "not activated"
    return "activated" if set(states) == {"ours"} else "half activated"


def of_native() -> Iterator[Finding]:
    """Yield why the native library is not in use; everything works without it, in Python."""
    try:
        told = kernels.why_unavailable()
    except ValueError as error:  # SHIMHUB_LANES; each kernel raises it too
        yield finding("SH203", str(error), "SHIMHUB_LANES", "unset SHIMHUB_LANES")
        return
    if os.environ.get("SHIMHUB_NATIVE") == "0":
        what = "replacements run in Python"
        yield finding("SH202", what, "SHIMHUB_NATIVE", "unset SHIMHUB_NATIVE")
    elif told:
        what = f"{told}; until then replacements run in Python"
        yield finding("SH201", what, os.path.dirname(str(kernels.__file__)), _reinstall())


def native_state() -> str:
    """Return in words which native library and lanes are in use, and what this processor has."""
    try:
        features = ", ".join(sorted(kernels.cpu_features())) or "no known instruction set"
    except ValueError:  # told by SH203
        return "cannot be used (SHIMHUB_LANES)"
    if not kernels.available():
        return f"not in use ({features})"
    return f"{kernels.version()}, lanes {', '.join(sorted(kernels.lanes()))} ({features})"


def of_copies() -> Iterator[Finding]:
    """Yield other copies of shimhub on ``sys.path``, and metadata of another version."""
    for entry, version in copies()[1:]:
        told = f"another copy, {version}, beside {__version__} in {paths.PACKAGE_DIR}"
        yield finding("SH406", told, os.path.join(entry, "shimhub"), _drop(entry))
    installed = versions_of("shimhub")
    if installed and set(installed) != {__version__}:
        told = f"metadata says {', '.join(installed)}; the code is {__version__}"
        yield finding("SH407", told, paths.PACKAGE_DIR, _reinstall())


def of_registry_copy() -> Iterator[Finding]:
    """Yield a finding where a build has left a registry in a checkout's package, and it is old."""
    inside = Path(paths.PACKAGE_DIR, "registry.toml")
    outside = Path(paths.PACKAGE_DIR).with_name("registry.toml")
    if inside.is_file() and outside.is_file() and inside.read_bytes() != outside.read_bytes():
        told = f"{outside} is not read"
        copied = [str(inside), str(inside.with_name("shims"))]
        yield finding("SH409", told, str(inside), shlex.join(["rm", "-r", *copied]))


def copies() -> list[tuple[str, str]]:
    """Return ``(entry of sys.path, version)`` of each copy of shimhub, the running one first."""
    found: dict[str, tuple[str, str]] = {}
    for entry in [os.path.dirname(paths.PACKAGE_DIR), *sys.path]:
        file = Path(entry or ".", "shimhub", "_version.py")
        if file.is_file():
            told = _VERSION.search(file.read_text("utf-8", "replace"))
            version = told[1] if told else "of unknown version"
            found.setdefault(os.path.realpath(file), (entry, version))
    return list(found.values())


def _drop(entry: str) -> str:
    told = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if entry in told:
        return export("PYTHONPATH", [one for one in told if one != entry], os.pathsep)
    return pip("uninstall", "-y", "shimhub")


def _reinstall() -> str:
    checkout = os.path.dirname(paths.PACKAGE_DIR)
    if os.path.isfile(os.path.join(checkout, "pyproject.toml")):
        return pip("install", "--no-deps", "-e", checkout)
    return pip("install", "--no-deps", "--force-reinstall", f"shimhub=={__version__}")


def of_cache() -> Iterator[Finding]:
    """Yield why compiled tables are not used, so that every start reads TOML."""
    if not hasattr(os, "geteuid"):  # they never are where files have no such owner
        return
    folder = paths.cache_dir()
    suspects = [one for one in (folder, *_tables(folder)) if os.path.lexists(one)]
    bad = [one for one in suspects if not paths.is_ours(os.stat(one))]
    if bad and all(os.stat(one).st_uid == os.geteuid() for one in bad):
        command = shlex.join(["chmod", "go-w", *bad])
        yield finding("SH408", "others can write it, so it is not read", bad[0], command)
    elif bad or not _can_be_written(folder):
        told = "it belongs to another user" if bad else "it cannot be written"
        command = 'export XDG_CACHE_HOME="$(mktemp -d)"'
        yield finding("SH408", told, bad[0] if bad else folder, command)


def cache_state() -> str:
    """Return in words where compiled tables are, and how many."""
    folder = paths.cache_dir()
    return f"{folder} ({len(_tables(folder)) or 'no'} tables)"


def _tables(folder: str) -> list[str]:
    return sorted(str(path) for path in Path(folder).glob("*.table"))


def _can_be_written(folder: str) -> bool:
    place = Path(folder)
    while not place.exists() and place != place.parent:
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
