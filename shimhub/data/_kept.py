"""A file that stays open between the look at its schema and its reading."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from shimhub.data._model import Options, Source


class Kept:
    """Holds one open file at most: the last whose schema was asked for.

    It is for one reader in one thread. What is pickled holds none; nor does a process that was
    forked, as both would move the place of one file.
    """

    def __init__(self) -> None:
        self._held: tuple[Source, int, Any, ExitStack] | None = None

    def put(self, source: Source, opened: Any, stack: ExitStack) -> None:
        """Hold what was opened; what was held before is closed."""
        self.close()
        self._held = source, os.getpid(), opened, stack

    def take(self, source: Source) -> tuple[Any, ExitStack] | None:
        """Return what was opened of a source, for who closes it then; None if it is not held."""
        if self._held is None or self._held[0] is not source or self._held[1] != os.getpid():
            return None
        _source, _process, opened, stack = self._held
        self._held = None
        return opened, stack

    def close(self) -> None:
        """Close what is held."""
        if self._held is not None:
            self._held[3].close()
        self._held = None

    def __reduce__(self) -> tuple[type[Kept], tuple[()]]:
        """Return how to make one without a file."""
        return Kept, ()


@contextmanager
def looked_at(
    source: Source, options: Options, opens: Callable[..., AbstractContextManager[Any]]
) -> Iterator[Any]:
    """Open a source to look at its schema; ``options.kept`` holds it afterwards."""
    with ExitStack() as stack:
        found = stack.enter_context(opens(source, options))
        yield found
        if options.kept is not None:
            options.kept.put(source, found, stack.pop_all())


@contextmanager
def opened(
    source: Source, options: Options, opens: Callable[..., AbstractContextManager[Any]]
) -> Iterator[Any]:
    """Open a source to read it, or take what ``options.kept`` holds of it."""
    kept = None if options.kept is None else options.kept.take(source)
    if kept is None:
        with opens(source, options) as found:
            yield found
        return
    found, stack = kept
    with stack:
        yield found
