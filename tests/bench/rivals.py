"""The rivals: which packages they need, and their finders with as many targets as ours.

cuml itself runs on GPUs only, so two stand-ins written here do what its accelerator does per
look-up: ``GuardedFinder`` for its finder, and ``ProxyModule`` for its modules.
"""

from __future__ import annotations

import importlib.metadata
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

TARGETS = tuple(f"bench_target_{index:03}" for index in range(200))

#: Distributions that must be there, at the versions that the figures in docs/ are from.
REQUIRED = {
    "autowrapt": "2.0.0",
    "ddtrace": "4.16.0",
    "opentelemetry-distro": "0.66b2",
    "wrapt": "2.5.2",
}


def versions() -> dict[str, str]:
    """Return the versions of the rivals; raises SystemExit, with the cure, if one is missing."""
    found = {}
    for name, pin in REQUIRED.items():
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            wanted = " ".join(f"{one}=={version}" for one, version in REQUIRED.items())
            told = f"rival {name} {pin} is missing; run: {sys.executable} -m pip install {wanted}"
            raise SystemExit(told) from None
    return found


class NullFinder:
    """The floor: what calling any finder written in Python costs."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Find nothing."""
        return


class GuardedFinder:
    """Stand-in for cuml's: a re-entrancy guard of this thread, then a dict look-up."""

    def __init__(self) -> None:
        self.patches = dict.fromkeys(TARGETS, "patch")
        self._local = threading.local()
        self._local.importing = set()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Find nothing; a real one goes on for a name that it patches."""
        if fullname in self._local.importing:
            return
        if self.patches.get(fullname) is None:
            return
        raise NotImplementedError(fullname)


class ProxyModule(ModuleType):
    """Stand-in for cuml's: every attribute by ``__getattr__``, overrides by the caller's frame."""

    def __init__(self, module: ModuleType, overrides: dict[str, Any]) -> None:
        super().__init__(module.__name__)
        self._module, self._overrides, self._denied = module, overrides, frozenset({"sklearn"})

    def __getattr__(self, name: str) -> Any:
        override = self._overrides.get(name)
        if override is not None:
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if caller.partition(".")[0] not in self._denied:
                return override
        return getattr(self._module, name)


def shimhub_finder() -> Any:
    """Return our finder with 200 targets, and a handler that is never asked."""
    from shimhub.finder import Finder

    return Finder(dict.fromkeys(TARGETS, False), None)  # type: ignore[arg-type]


def wrapt_finder() -> Any:
    """Return wrapt's ImportHookFinder, with a hook on each of 200 modules."""
    import wrapt
    from wrapt.importer import ImportHookFinder

    for name in TARGETS:
        wrapt.register_post_import_hook(_no_hook, name)
    return ImportHookFinder()


def ddtrace_finder() -> Any:
    """Return the finder of ddtrace's ModuleWatchdog, with a hook on each of 200 modules."""
    from ddtrace.internal.module import ModuleWatchdog

    if not ModuleWatchdog.is_installed():
        ModuleWatchdog.install()
    for name in TARGETS:
        ModuleWatchdog.register_module_hook(name, _no_hook)
    return next(one for one in sys.meta_path if "Watchdog" in type(one).__name__)


def _no_hook(module: ModuleType) -> None:
    """Do nothing with a module."""


FINDERS: dict[str, Callable[[], Any]] = {
    "floor (find_spec that returns None)": NullFinder,
    "shimhub": shimhub_finder,
    "wrapt": wrapt_finder,
    "cuml-style": GuardedFinder,
    "ddtrace": ddtrace_finder,
}


def finders(names: list[str]) -> dict[str, Any]:
    """Make the finders ``names``, and leave ``sys.meta_path`` as it was."""
    before = list(sys.meta_path)
    made = {name: FINDERS[name]() for name in names}
    sys.meta_path[:] = before
    return made
