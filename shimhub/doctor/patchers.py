"""Other patchers: installed ones, live finders, and code that runs at every start.

Which packages these are is data, in patchers.toml; none of them is imported.
"""

from __future__ import annotations

import builtins
import fnmatch
import os
import shlex
import site
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from types import BuiltinFunctionType
from typing import Any

from shimhub import _toml
from shimhub.activation import startup
from shimhub.doctor.finding import Finding, finding, pip
from shimhub.environment import metadata, versions_of

_LINE = 60


def of_installed() -> Iterator[Finding]:
    """Yield a note for each known patcher that is installed."""
    for row in _known()["patchers"].values():
        for dist in row["dists"]:
            for version in versions_of(dist)[:1]:
                is_loaded = any(name in sys.modules for name in row["modules"])
                told = f"{dist} {version}{' is imported here' if is_loaded else ''}: {row['does']}"
                yield finding("SH301", told, dist, pip("uninstall", "-y", dist))


def of_finders() -> Iterator[Finding]:
    """Yield a note for each finder that is neither ours nor Python's own."""
    ours_or_pythons = ("shimhub", "_frozen_importlib", "_frozen_importlib_external", "importlib")
    for one in list(sys.meta_path):
        kind: Any = one if isinstance(one, type) else type(one)
        name = f"{kind.__module__}.{kind.__qualname__}"
        top = name.partition(".")[0]
        if top not in ours_or_pythons and not _is_harmless("finders", name):
            dists = _owners(top)
            told = f"{name}{f' of {dists[0]}' if dists else ''} answers imports, too"
            yield finding("SH302", told, "sys.meta_path", without(top))


def without(top: str) -> str:
    """Return the command that takes a top-level module away: its distribution, or its file."""
    if dists := _owners(top):
        return pip("uninstall", "-y", dists[0])
    file = getattr(sys.modules.get(top), "__file__", None) or top
    return shlex.join(["mv", str(file), f"{file}.aside"])


def _owners(top: str) -> list[str]:
    for row in _known()["patchers"].values():
        if top in row["modules"]:
            return [dist for dist in row["dists"] if versions_of(dist)]
    return list(metadata.packages_distributions().get(top, ()))


def of_start_up_lines() -> Iterator[Finding]:
    """Yield a note for each ``.pth`` file of others that runs code at every start."""
    mine = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    told: set[str] = set()
    for folder in dict.fromkeys([*site.getsitepackages(), *mine]):
        for path, line in startup.other_lines(folder):
            if str(path) in told or _is_harmless("pth", path.name):
                continue
            told.add(str(path))
            shown = line if len(line) <= _LINE else line[:_LINE] + "…"
            command = shlex.join(["mv", str(path), f"{path}.aside"])
            yield finding("SH303", shown, str(path), command)


def of_builtins() -> Iterator[Finding]:
    """Yield a note where imports do not go through the interpreter's own ``__import__``."""
    found: Any = builtins.__import__
    if not isinstance(found, BuiltinFunctionType):
        place = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
        top = place.partition(".")[0]
        told = f"every import statement calls {place}"
        yield finding("SH304", told, "builtins.__import__", without(top))


def _is_harmless(kind: str, name: str) -> bool:
    return any(fnmatch.fnmatch(name, one) for one in _known()["harmless"][kind])


@cache
def _known() -> Mapping[str, Any]:
    file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "patchers.toml")
    with open(file, "rb") as stream:
        return _toml.parse(stream.read(), file)[0]
