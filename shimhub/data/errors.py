"""What goes wrong with data: which file, where in it, and what to do."""

from __future__ import annotations

from typing import Final

from shimhub.errors import ShimhubError

#: What is told of a value that can be read and that an output cannot hold, where rows are skipped.
NOT_SKIPPED: Final = ' (on_error="skip" leaves out what cannot be read, and this can)'


class DataError(ShimhubError, ValueError):
    """Base of the errors about data and how it was asked for."""


class FormatError(DataError):
    """A file's format is not known, or its content is not what its name says."""


class DecodeError(DataError):
    """A file cannot be decoded: truncated, damaged, or with a line that is not of its format.

    ``path`` names the file; ``line`` counts from 1 and ``offset`` is in bytes of the decompressed
    content; None where it is not known. ``row`` counts the file's rows from 0.
    """

    def __init__(
        self,
        path: str,
        problem: str,
        *,
        line: int | None = None,
        offset: int | None = None,
        row: int | None = None,
    ) -> None:
        self.path, self.problem = path, problem
        self.line, self.offset, self.row = line, offset, row
        super().__init__(_where(path, line, offset, row) + ": " + problem)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the parts where a worker's error is sent to its parent."""
        told = (self.path, self.problem, self.line, self.offset, self.row)
        return _decode_error, (type(self), *told)


class SchemaDriftError(DecodeError):
    """A row, block or file has a column, or a type, that those before it do not have.

    ``on_drift="unify"`` reads everything once before, and widens the schema to hold all of it.
    """


class NothingReadError(DecodeError):
    """``on_error="skip"``, and not a row of what a job reads is left."""


def nothing_read(path: str, first: str) -> NothingReadError:
    """Return the error that tells the first one."""
    return NothingReadError(path, f"there is no row that could be read; the first error: {first}")


class LimitError(DecodeError):
    """Content is larger than a limit allows: a line without end, or a decompression bomb."""


class JobError(DataError):
    """A job cannot start, go on or end: its output is in the way, or its plan has changed."""


class SpaceError(JobError):
    """A disk is full, or has less free than a job would write."""


class WorkerError(JobError):
    """A process that did a task has died, and so did the one that tried it again."""


def _where(path: str, line: int | None, offset: int | None, row: int | None) -> str:
    told = [path]
    told += [f"line {line}"] if line is not None else []
    told += [f"row {row}"] if row is not None else []
    told += [f"byte {offset}"] if offset is not None else []
    return ", ".join(told)


def _decode_error(
    kind: type[DecodeError],
    path: str,
    problem: str,
    line: int | None,
    offset: int | None,
    row: int | None,
) -> DecodeError:
    return kind(path, problem, line=line, offset=offset, row=row)
