"""How far long work has come, on stderr: a bar on a terminal, lines where they are asked for.

There is no thread (work forks), nothing goes to stdout, and a stderr that cannot be written to
ends the telling, not the work.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from typing_extensions import Self

    class _Face(Protocol):
        def show(self, tally: _Tally, end: str) -> None: ...


#: Seconds between two lines in a log, and between two pictures of the bar.
_LINES: Final = 10.0
_FRAMES: Final = 0.2
#: Of 80 columns the figures take up to 55; the bar gets what the label leaves.
_LABEL: Final = 14
#: What is rounded to three digits at most, and what to two and one behind the point.
_THREE_DIGITS: Final = 999.5
_TWO_DIGITS: Final = 99.95


class _Tally:
    """Counts, since when, and of how much."""

    def __init__(self, total: int | None, done: int, clock: Callable[[], float]) -> None:
        self.total, self.before = total, done
        self.bytes = self.rows = 0
        self.clock, self.started = clock, clock()

    @property
    def done(self) -> int:
        return self.before + self.bytes

    @property
    def seconds(self) -> float:
        return max(self.clock() - self.started, 1e-9)

    def left(self) -> float | None:
        """Return the seconds that the rest takes at the speed so far; None if nobody knows."""
        if not self.total or not self.bytes:
            return None
        return max(self.total - self.done, 0) * self.seconds / self.bytes

    def figures(self) -> str:
        """Return bytes of all bytes, bytes and rows per second, and the time left."""
        of = f"/{_bytes(self.total)}" if self.total else ""
        told = [f"{_bytes(self.done)}{of}", f"{_bytes(self.bytes / self.seconds)}/s"]
        told += [f"{_count(self.rows / self.seconds)} rows/s"] if self.rows else []
        left = self.left()
        told += [] if left is None else [f"{_time(left)} left"]
        return " ".join(told)

    def summary(self, end: str) -> str:
        """Return how it ended, with bytes, rows, time and speed."""
        rows = f", {self.rows:,} rows" if self.rows else ""
        speed = _bytes(self.bytes / self.seconds)
        return f"{end}: {_bytes(self.done)}{rows} in {_time(self.seconds)}, {speed}/s"


class Progress:
    """What ``progress()`` returns: count with ``advance``, of one thread; a context manager."""

    def __init__(self, tally: _Tally, face: _Face | None, every: float) -> None:
        self._tally, self._face, self._every = tally, face, every
        self._next, self._pid = tally.started + every, os.getpid()

    def advance(self, *, bytes: int = 0, rows: int = 0) -> None:  # noqa: A002 - reads well at calls
        """Add bytes of input and rows that are done now."""
        self._tally.bytes += bytes
        self._tally.rows += rows
        if self._face is None:
            return
        now = self._tally.clock()
        if now >= self._next:
            self._next = now + self._every
            self._show("")

    def close(self, end: str = "done") -> None:
        """Tell the end ("done", "stopped"), and leave the terminal as it was; again is nothing."""
        self._show(end)
        self._face = None

    def _show(self, end: str) -> None:
        if self._face is None or os.getpid() != self._pid:  # a forked child is not asked
            return
        try:
            self._face.show(self._tally, end)
        except (OSError, ValueError):  # gone or closed: there is nobody to tell
            self._face = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Close; an exception, KeyboardInterrupt too, goes on."""
        self.close("done" if kind is None else "stopped")


def progress(
    total_bytes: int | None,
    label: str,
    enabled: bool | None = None,
    *,
    done: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """Return a context manager that tells on stderr how far the work is.

    ``total_bytes`` of input there are (None: nobody knows), ``done`` of them before now, which
    count for how far it is but not for the speed. ``enabled=None`` shows a bar if stderr is a
    terminal and ``rich`` is installed, else nothing; True writes a line every ten seconds there,
    and one at the end; False is silent. NO_COLOR takes the colours from the bar.

    >>> with progress(1_000_000, "dedup", enabled=False) as told:
    ...     told.advance(bytes=4096, rows=10)
    """
    tally = _Tally(total_bytes, done, clock)
    if enabled is False or sys.stderr is None:
        return Progress(tally, None, _LINES)
    bar = _bar(label, total_bytes)
    if bar is not None:
        return Progress(tally, bar, _FRAMES)
    return Progress(tally, _Lines(label) if enabled else None, _LINES)


class _Lines:
    def __init__(self, label: str) -> None:
        self._label, self._stream = label, sys.stderr

    def show(self, tally: _Tally, end: str) -> None:
        told = tally.summary(end) if end else tally.figures()
        self._stream.write(f"{self._label}: {told}\n")
        self._stream.flush()


def _bar(label: str, total: int | None) -> _Face | None:
    """Return rich's bar; None in a pipe, on a dumb terminal, or without rich."""
    if os.environ.get("TERM") == "dumb" or not sys.stderr.isatty():
        return None
    try:
        import rich.progress  # noqa: F401 - whether it is there
    except ImportError:
        return None
    return _Bar(label, total)


class _Bar:
    def __init__(self, label: str, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Rich

        color: Any = None if os.environ.get("NO_COLOR") else "auto"
        console = Console(file=sys.stderr, color_system=color, highlight=False, emoji=False)
        self._rich = Rich(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}", markup=False),
            console=console,
            auto_refresh=False,  # no thread: the work may fork
            redirect_stdout=False,  # rich would write it to stderr
            redirect_stderr=False,
            expand=True,
        )
        short = label if len(label) <= _LABEL else label[: _LABEL - 1] + "…"
        self._task = self._rich.add_task(short, total=total, figures="")
        self._is_shown = False

    def show(self, tally: _Tally, end: str) -> None:
        figures = tally.figures()
        self._rich.update(self._task, completed=tally.done, figures=figures)
        if not self._is_shown:
            self._is_shown = True
            self._rich.start()
        self._rich.refresh()
        if end:
            self._rich.stop()


def _bytes(count: float) -> str:
    return _scaled(count, (" B", " kB", " MB", " GB", " TB"))


def _count(number: float) -> str:
    return _scaled(number, ("", "k", "M", "G"))


def _scaled(number: float, units: tuple[str, ...]) -> str:
    """Return three digits and the first unit of a thousand that leaves no more than that."""
    chosen = units[0]
    for chosen in units:
        if number < _THREE_DIGITS or chosen == units[-1]:
            break
        number /= 1000
    is_whole = chosen == units[0] or number >= _TWO_DIGITS
    return f"{number:.0f}{chosen}" if is_whole else f"{number:.1f}{chosen}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
