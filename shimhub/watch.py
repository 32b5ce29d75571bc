"""Wait for a module that somebody is importing right now, without waiting."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from shimhub.environment import namespace

_FLAG = "_initializing"


def is_initializing(module: ModuleType) -> bool:
    """Whether the module's body is running now, in this thread or in another."""
    return bool(getattr(namespace(module).get("__spec__"), _FLAG, False))


def when_initialized(module: ModuleType, callback: Callable[[], None]) -> None:
    """Call ``callback`` once, in the importing thread, when the module's import has ended.

    importlib sets ``spec._initializing = False`` as the last act of an import, also of one that
    fails. The spec gets a class that sees this, and gets its own class back before the call; so
    a registration in the middle of an import neither deadlocks nor is lost.
    """
    spec: Any = namespace(module)["__spec__"]
    plain_class = type(spec)
    token = [None]

    def fire() -> None:
        spec.__class__ = plain_class
        if token:
            token.pop()
            callback()

    spec.__class__ = _watching(plain_class, fire)
    if not spec.__dict__.get(_FLAG, False):
        fire()


def _watching(plain_class: type[ModuleSpec], fire: Callable[[], None]) -> type[ModuleSpec]:
    def get(self: Any) -> Any:
        return self.__dict__.get(_FLAG, False)

    def put(self: Any, value: bool) -> None:
        self.__dict__[_FLAG] = value
        if not value:
            fire()

    return type(plain_class.__name__, (plain_class,), {_FLAG: property(get, put)})
