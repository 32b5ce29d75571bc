"""The mode of a context: who computes, and whether a failure is told or served.

Modes live in a context variable: a task or thread may have its own. One that set none has the
process's, which :func:`set_acceleration` sets when the main thread calls it, in a task, too (a
notebook's cells are some), outside of :func:`using`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

from shimhub.accel.errors import ModeError
from shimhub.accel.model import AccelMode, Settings
from shimhub.accel.thresholds import limits_of
from shimhub.errors import nearest

CURRENT: Final[ContextVar[Settings]] = ContextVar("shimhub.accel")
#: Called with the settings of the process whenever they change.
_listeners: Final[list[Callable[[Settings], None]]] = []
_default = Settings()


def current() -> Settings:
    """Return the settings of this context, or those of the process. O(1)."""
    return CURRENT.get(_default)


def get_current_mode() -> AccelMode:
    """Return the mode of this context. O(1)."""
    return current().mode


def set_acceleration(mode: AccelMode | str) -> None:
    """Set the mode of this context; from the main thread that of the process, too.

    A thread that sets no mode has the process's. ``mode`` is an :class:`AccelMode` or its name.
    Inside of :func:`using` it holds until the with-statement ends. Nothing is imported: torch is
    so at the first call that it computes. Raises :class:`ModeError`.
    """
    global _default
    settings = dataclasses.replace(current(), mode=mode_of(mode))
    CURRENT.set(settings)
    if not settings.scoped and threading.current_thread() is threading.main_thread():
        _default = settings
        for listener in _listeners:
            listener(settings)


@contextlib.contextmanager
def using(
    mode: AccelMode | str | None = None,
    *,
    strict: bool | None = None,
    thresholds: Mapping[str, float | str] | None = None,
) -> Iterator[Settings]:
    """Compute by other settings inside of a with-statement; None leaves what holds outside.

    ``strict`` raises what a backend raises, and :class:`TorchMissingError`, where another backend
    would answer; what a backend does not take is another's, as ever. ``thresholds`` are as for
    :func:`set_threshold`, by operation or group, and go before those. Raises :class:`ModeError`
    and :class:`ThresholdError`.
    """
    outside = current()
    inside = Settings(
        outside.mode if mode is None else mode_of(mode),
        outside.strict if strict is None else strict,
        {**outside.thresholds, **limits_of(thresholds or {})},
        scoped=True,
    )
    token = CURRENT.set(inside)
    try:
        yield inside
    finally:
        CURRENT.reset(token)


def mode_of(mode: Any) -> AccelMode:
    """Return the mode of a name, whatever its case. Raises :class:`ModeError`."""
    if isinstance(mode, AccelMode):
        return mode
    known = {name.casefold(): one for name, one in AccelMode.__members__.items()}
    if not isinstance(mode, str) or mode.casefold() not in known:
        names = ", ".join(AccelMode.__members__)
        hint = nearest(mode.casefold(), known) if isinstance(mode, str) else ""
        raise ModeError(f"mode: {mode!r} is none of {names}{hint}")
    return known[mode.casefold()]


def on_default(listener: Callable[[Settings], None]) -> None:
    """Call ``listener`` with the settings of the process, now and whenever they change."""
    _listeners.append(listener)
    listener(_default)
