"""Facts about this environment, read without importing any target."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

from shimhub.model import UNTOLD, Fact, Target

#: What importlib_metadata raises for a file of entry points with a line that is none.
_BROKEN = (AttributeError, KeyError, TypeError, ValueError)


def _version_of(distribution: Any) -> str | None:
    """Return the Version header; what ``.version`` does too, by importing all of ``email``."""
    try:
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    except ValueError:  # not UTF-8
        return None
    headers = text.partition("\n\n")[0].splitlines()
    found = [line for line in headers if line.lower().startswith("version:")]
    return found[0].partition(":")[2].strip() or None if found else None


def _import_metadata() -> Any:
    """Import importlib_metadata without its side effect on the program's import system.

    Its import appends a finder to ``sys.meta_path`` and switches the stdlib's off
    (``importlib_metadata._compat.install``); a program that has not asked for it must not see that.
    """
    before, original = list(sys.meta_path), PathFinder.__dict__.get("find_distributions")
    import importlib_metadata

    for finder in [one for one in list(sys.meta_path) if one not in before]:
        if type(finder).__module__.partition(".")[0] == importlib_metadata.__name__:
            sys.meta_path.remove(finder)
    if original is not None:
        PathFinder.find_distributions = original  # type: ignore[method-assign]
    # It imports some of what it needs only when asked; let that be now, not amid the program.
    for distribution in importlib_metadata.distributions(name="packaging"):
        _version_of(distribution)
    return importlib_metadata


#: importlib_metadata, imported without its side effects.
metadata = _import_metadata()


class Environment:
    """Versions of targets, asked once each; a target without metadata is asked again.

    ``versions`` overrides what is installed, as in ``Environment(targets, {"torch": "2.8.0"})``.
    """

    def __init__(
        self, targets: Mapping[str, Target], versions: Mapping[str, str] | None = None
    ) -> None:
        self._targets = targets
        self._facts = {name: Fact(told, "given") for name, told in (versions or {}).items()}

    def fact(self, name: str) -> Fact | None:
        """Return the version of target ``name``, UNTOLD, or None where it is not installed."""
        if name == "python":
            return Fact(".".join(map(str, sys.version_info[:3])), "sys.version_info")
        if name not in self._facts:
            found = _from_metadata(self._targets[name]) or _from_module(self._targets[name])
            if found is None or not found.version:
                return found
            self._facts[name] = found
        return self._facts[name]

    def version(self, name: str) -> str | None:
        """Return the version string of target ``name``, or None where it is not known."""
        found = self.fact(name) if name == "python" or name in self._targets else None
        return found.version or None if found else None

    def version_of_module(self, module: str) -> str:
        """Return the version of the distribution that a module belongs to; empty if unknown."""
        top = module.partition(".")[0]
        known = (one for one in self._targets.values() if one.module == top)
        target = next(known, Target(top, (top,), top))
        found = _from_metadata(target) or _from_module(target)
        return found.version if found else ""

    def platform_fact(self, name: str) -> str:
        """Return ``sys.platform`` for ``platform``, the CPU architecture for ``machine``."""
        return sys.platform if name == "platform" else platform.machine()


def versions_of(dist: str) -> list[str]:
    """Return every version that metadata tells of a distribution, in the order of ``sys.path``."""
    found = [_version_of(one) for one in metadata.distributions(name=dist)]
    return list(dict.fromkeys(one for one in found if one))


def installed_modules() -> list[str]:
    """Return the top-level modules of all installed distributions."""
    return list(metadata.packages_distributions())


def entry_points(group: str) -> list[Any]:
    """Return the entry points of a group, each with its distribution as ``dist``.

    A distribution whose file of entry points is broken has none.
    """
    try:
        return list(metadata.entry_points(group=group))
    except _BROKEN:
        each = (_entry_points_of(dist) for dist in metadata.distributions())
        return [entry for entries in each for entry in entries if entry.group == group]


def _entry_points_of(dist: Any) -> list[Any]:
    try:
        return list(dist.entry_points)
    except _BROKEN:
        return []


def _from_metadata(target: Target) -> Fact | None:
    for dist in target.dists:
        if version := _metadata_version(dist):
            return Fact(version, f"metadata of {dist}")
    return None


def _metadata_version(dist: str) -> str | None:
    """Return the version of ``dist``; metadata that is broken or contradicts itself is none."""
    found = {_version_of(one) for one in metadata.distributions(name=dist)}
    return found.pop() if len(found) == 1 else None


def _from_module(target: Target) -> Fact | None:
    module = sys.modules.get(target.module)
    if module is None:
        spec = PathFinder.find_spec(target.module, None) if "." not in target.module else None
        return UNTOLD if spec else None
    version = namespace(module).get("__version__")
    if isinstance(version, str):
        return Fact(version, f"{target.module}.__version__")
    return Fact("", f"{target.module} has no metadata and no __version__")


def is_module(found: object) -> bool:
    """Whether ``found`` is a module, asking its type and not the object, which may be a proxy."""
    return issubclass(type(found), ModuleType)


def is_class(found: object) -> bool:
    """Whether ``found`` is a class, by its type."""
    return issubclass(type(found), type)


def is_dict(found: object) -> bool:
    """Whether ``found`` is a dict, by its type."""
    return issubclass(type(found), dict)


def namespace(module: Any) -> Mapping[str, Any]:
    """Return the module's own dict without running any code of the module.

    ``vars(module)`` asks the module's class, which a lazy module may override; an entry of
    ``sys.modules`` that is no module has no namespace.
    """
    if not is_module(module):
        return {}
    found: Mapping[str, Any] = _MODULE_DICT.__get__(module)
    return found


def file_of(module: Any) -> str:
    """Return the module's file, or its name where it has none, without asking it for a repr."""
    names = namespace(module)
    return str(names.get("__file__") or f"<module {names.get('__name__')}>")


_MODULE_DICT: Any = vars(ModuleType)["__dict__"]
