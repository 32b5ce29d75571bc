"""Errors of lines: placed in the file, and raised or counted as the options say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shimhub.data.errors import DecodeError, SchemaDriftError
from shimhub.data.formats._line_blocks import LineCounter
from shimhub.data.formats._pieces import origin

if TYPE_CHECKING:
    from types import TracebackType

    from shimhub.data._model import Options, Source
    from shimhub.data.formats._line_blocks import LineBlock


class Refusals:
    """What to do with a line that is not read; a context manager, as it may open the file.

    ``places`` tells row and byte of what is no line of the file: elements of a JSON array.
    """

    def __init__(self, source: Source, options: Options, places: Any = None) -> None:
        self.source, self.options, self._places = source, options, places
        self._counter: LineCounter | None = None

    def line_at(self, offset: int) -> int:
        """Return which line, from 1, that byte of the content is on."""
        if self._counter is None:
            self._counter = LineCounter(self.source, self.options)
        return self._counter.line_at(offset)

    def place_of(self, offset: int) -> str:
        """Return the line or row that begins there, in words."""
        if self._places is not None:
            return f"row {self._places.place(offset)[0]}"
        return f"line {self.line_at(offset)}"

    def bad_line(
        self, offset: int, problem: str, kind: type[DecodeError] = DecodeError, unread: int = 0
    ) -> None:
        """Refuse the line that begins there; ``unread`` bytes behind it are lost with it.

        Raises:
            DecodeError: of that kind, unless lines are skipped.
        """
        if issubclass(kind, SchemaDriftError) and self.options.schema is not None:
            problem += f" (types are those of {origin(self.source.path, self.options.told_by)})"
        if self._places is not None:
            row, place = self._places.place(offset)
            self._settle(kind(self.source.path, problem, offset=place, row=row), 1, unread)
            return
        line = self.line_at(offset)
        self._settle(kind(self.source.path, problem, line=line, offset=offset), 1, unread)

    def block(self, block: LineBlock) -> int:
        """Refuse what a block without bytes stands for; returns how many lines that are."""
        error: Any = block.error
        if not block.is_line:
            self._settle(error, 0, block.unread)
            return 0
        self.bad_line(block.offset, error.problem, type(error), block.unread)
        return 1

    def _settle(self, error: DecodeError, rows: int = 1, unread: int = 0) -> None:
        if self.options.on_error != "skip":
            raise error
        self.options.skipped.add(error, rows, unread)

    def __enter__(self) -> Refusals:  # noqa: PYI034 - Self came with Python 3.11
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file, if it was opened."""
        if self._counter is not None:
            self._counter.close()
