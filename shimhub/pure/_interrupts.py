"""Ctrl-C while parameters move waits until all of them have moved."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any


class Whole:
    """A with-statement that is not left half done: Ctrl-C inside is raised at its end.

    A second one is raised at once.
    """

    __slots__ = ("_inside", "_waiting")

    def __init__(self) -> None:
        self._inside = False
        self._waiting = False

    def __enter__(self) -> None:
        self._inside = True

    def __exit__(self, *failure: object) -> None:
        self._inside = False
        if self._waiting:
            self._waiting = False
            raise KeyboardInterrupt

    def handle(self, _number: int, _frame: Any) -> None:
        """Take a signal: now, or when the with-statement ends."""
        if not self._inside or self._waiting:
            self._waiting = False
            raise KeyboardInterrupt
        self._waiting = True


@contextlib.contextmanager
def held_by(whole: Whole) -> Iterator[None]:
    """Let Ctrl-C come to ``whole``; not where the program takes it itself, nor in a thread."""
    import signal

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, whole.handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
