"""One line for each decision, as the Pure Simple guide prints them."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

_LOGGER: Final = logging.getLogger("shimhub.accel")
_NAMES: Final = {"torch": "FFI", "native": "Pure Simple", "numpy": "Pure Simple"}
_enabled = False
#: Called with whether decisions are told, when that changes.
_listeners: Final[list[Callable[[bool], None]]] = []


if TYPE_CHECKING:
    _Base = logging.StreamHandler[Any]
else:
    _Base = logging.StreamHandler  # no type of its own before Python 3.11


class _Stderr(_Base):
    """Writes to what sys.stderr is at the time of the line."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        if not getattr(self.stream, "closed", False):
            super().emit(record)


_HANDLER: Final = _Stderr()
_HANDLER.setFormatter(logging.Formatter("%(message)s"))


def enable_logging(on: bool = True) -> None:
    """Tell every decision in a line on stderr, or no more: ``[ACCEL] matmul 1000x1000 -> FFI``.

    Lines go through the logger "shimhub.accel", at level INFO. For the process.
    """
    global _enabled
    _enabled = on
    _LOGGER.removeHandler(_HANDLER)
    if on:
        _LOGGER.addHandler(_HANDLER)
    _LOGGER.setLevel(logging.INFO if on else logging.NOTSET)
    _LOGGER.propagate = not on
    for listener in _listeners:
        listener(on)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Tell no decisions inside of a with-statement, in whatever thread."""
    was_on = _enabled
    if was_on:
        enable_logging(False)
    try:
        yield
    finally:
        if was_on:
            enable_logging()


def on_change(listener: Callable[[bool], None]) -> None:
    """Call ``listener`` with whether decisions are told, when that changes."""
    _listeners.append(listener)


def is_enabled() -> bool:
    """Whether decisions are told."""
    return _enabled


def tell(op: str, inputs: Sequence[Any], backend: str, reason: str = "") -> None:
    """Write the line of a decision, if lines are wanted; ``reason`` is that of a fallback."""
    if not _enabled:
        return
    shapes = [_shape(one) for one in inputs if hasattr(one, "shape")]
    told = ", ".join(dict.fromkeys(shapes)) or "scalar"
    why = f" (fallback: {reason})" if reason else ""
    _LOGGER.info("[ACCEL] %s %s \u2192 %s%s", op, told, _NAMES[backend], why)


def _shape(value: Any) -> str:
    return "\u00d7".join(map(str, value.shape)) or "scalar"
