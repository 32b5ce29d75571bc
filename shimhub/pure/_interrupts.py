"""Ctrl-C while parameters move waits until all of them have moved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
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

    def hold(self, work: Callable[[], None]) -> None:
        """Do some work while Ctrl-C comes here; not where the program takes it, nor in a thread.

        The handler from before comes back whenever the signal arrives: it waits while handlers are
        exchanged, and one that arrives before it can be made to wait meets the outer ``finally``.
        """
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not _is_ours(before):
            return work()
        try:
            try:
                with self:
                    signal.signal(signal.SIGINT, self.handle)
                work()
            finally:
                self._give_back(before)
        finally:
            self._give_back(before)

    def _give_back(self, before: Any) -> None:
        with self:
            signal.signal(signal.SIGINT, before)


def _is_ours(handler: Any) -> bool:
    """Whether Ctrl-C would be raised by Python, or by the training that this one is inside of."""
    return handler is signal.default_int_handler or isinstance(
        getattr(handler, "__self__", None), Whole
    )
