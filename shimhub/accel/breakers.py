"""Backends that keep failing are left alone for a while.

A backend that raised three times in an operation is not asked again for a minute; then once more,
and if that call fails for another minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

FAULTS: Final = 3
SECONDS: Final = 60.0
#: Why a backend was not asked.
LEFT_ALONE: Final = "left alone after errors"

_faults: Final[dict[tuple[str, str], int]] = {}
_until: Final[dict[tuple[str, str], float]] = {}
#: Called with the operation and the backend when that is left alone, or trusted again.
_listeners: Final[list[Callable[[str, str], None]]] = []


def is_open(op: str, backend: str) -> bool:
    """Whether the backend is not to be asked now."""
    until = _until.get((op, backend))
    return until is not None and time.monotonic() < until


def is_watched(op: str, backend: str) -> bool:
    """Whether the backend was left alone, and has not answered since."""
    return (op, backend) in _until


def fault(op: str, backend: str) -> bool:
    """Count an exception of the backend; return whether it is left alone from now on."""
    key = op, backend
    _faults[key] = _faults.get(key, 0) + 1
    if _faults[key] < FAULTS:
        return False
    _until[key] = time.monotonic() + SECONDS
    _tell(key)
    return True


def success(op: str, backend: str) -> None:
    """Forget the exceptions of a backend that was asked once more, and answered."""
    key = op, backend
    if key in _until:
        _until.pop(key, None)
        _faults.pop(key, None)
        _tell(key)


def reset_breakers() -> None:
    """Ask all backends again, and forget their exceptions."""
    known = list(_faults)
    _faults.clear()
    _until.clear()
    for key in known:
        _tell(key)


def on_change(listener: Callable[[str, str], None]) -> None:
    """Call ``listener(op, backend)`` when a backend is left alone, or is trusted again."""
    _listeners.append(listener)


def _tell(key: tuple[str, str]) -> None:
    for listener in _listeners:
        listener(*key)
