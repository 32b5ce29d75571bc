"""Wait for a module that somebody is importing right now, without waiting.

importlib sets ``spec._initializing = False`` as the last act of an import, also of one that fails.
A watched spec gets a class that sees this, and gets its own class back before anybody is told: a
registration in the middle of an import neither deadlocks nor is lost.
"""

from __future__ import annotations

import _frozen_importlib
import sys

TYPE_CHECKING = False
_bootstrap: Any = _frozen_importlib
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FLAG = "_initializing"


def wait_for_others(name: str) -> None:
    """Wait for a thread that has found the module and not put it into ``sys.modules`` yet.

    Its finders were asked before ours was there, and there is no spec to watch. importlib waits
    in the same way, and detects deadlocks (``importlib._bootstrap._lock_unlock_module``).
    """
    if name not in sys.modules and name in _bootstrap._module_locks:
        _bootstrap._lock_unlock_module(name)


def is_initializing(spec: object) -> bool:
    """Whether the body of the spec's module is running now, in this thread or in another."""
    return bool(getattr(spec, _FLAG, False))


def when_imported(spec: Any, callback: Callable[[], None]) -> None:
    """Call ``callback`` once, in the importing thread, when the import that comes or runs ends."""
    waiting = getattr(type(spec), "_shimhub_waiting", None)
    if waiting is None:
        waiting = [callback]
        spec.__class__ = _watching(type(spec), waiting)
    else:
        waiting.append(callback)


def fire_if_ended(spec: Any) -> None:
    """Tell those who wait for an import that ended while they were registering."""
    if not is_initializing(spec) and hasattr(type(spec), "_shimhub_waiting"):
        spec._initializing = False


def _watching(plain: type, waiting: list[Callable[[], None]]) -> type:
    def get(self: Any) -> Any:
        return self.__dict__.get(_FLAG, False)

    def put(self: Any, value: bool) -> None:
        self.__dict__[_FLAG] = value
        if value:
            return
        self.__class__ = plain
        while waiting:
            waiting.pop(0)()

    names = {_FLAG: property(get, put), "_shimhub_waiting": waiting, "__module__": plain.__module__}
    return type(plain.__name__, (plain,), names)
