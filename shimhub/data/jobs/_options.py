"""The keyword arguments that all jobs take: how inputs are read, and who does the work."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict

from shimhub.data.errors import FormatError
from shimhub.data.reading._asked import Asked
from shimhub.data.sources._sources import resolve
from shimhub.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data._model import Source

BLOCK_BYTES: Final = 64 << 20
#: What is told of ``format=`` to readers, in their words and not in those of a path.
_FORMAT: Final = re.compile(r"(?<![^ (])format=")


class ReadingOptions(TypedDict, total=False):
    """How inputs are found and read: as ``streaming_dataset_reader`` takes it.

    ``input_format`` is its ``format``: that of a job is the one it writes.
    """

    input_format: str | None
    compression: str | None
    split: str | None
    follow_symlinks: bool
    schema: pa.Schema | None
    on_error: str
    on_drift: str
    infer: bool
    delimiter: str | None
    quote: str | None
    encoding: str
    storage: dict[str, Any] | None
    max_line: int
    max_ratio: int


class JobOptions(ReadingOptions, total=False):
    """Who does the work; none of it shows in the output but ``block_bytes``.

    ``block_bytes`` is about how many bytes of an input one task reads (64 MiB), ``overwrite`` lets
    the output of an earlier job go. ``runner`` is "local" (``workers`` processes; by default the
    CPUs that this one may use), "env" (one rank of torchrun, srun or mpirun), "ray" or "dask" (at
    ``address``; else one is started here). ``shards`` is how many units the tasks are handed out
    in, ``timeout`` how many seconds a rank waits for another without anything new. ``progress`` is
    True for a bar on stderr, False for none, None for one where that is a terminal, or a function
    of a stage's name, and how many of how many of its tasks are done.
    """

    block_bytes: int
    overwrite: bool
    runner: str
    workers: int | None
    shards: int | None
    address: str | None
    timeout: float
    progress: bool | Callable[[str, int, int], None] | None


@dataclass(frozen=True, slots=True)
class Work:
    """``JobOptions`` without those of reading, and what they are by default."""

    block_bytes: int = BLOCK_BYTES
    overwrite: bool = False
    runner: str = "local"
    workers: int | None = None
    shards: int | None = None
    address: str | None = None
    timeout: float = 1800.0
    progress: bool | Callable[[str, int, int], None] | None = None


#: Options that say how inputs are found, and what ``_sources.resolve`` calls them.
FINDING: Final = {
    "input_format": "format",
    "compression": "compression",
    "split": "split",
    "follow_symlinks": "follow_symlinks",
    "storage": "storage",
}


def finding(asked: JobOptions | dict[str, Any]) -> dict[str, Any]:
    """Return those that say how inputs are found, as ``_sources.resolve`` takes them."""
    return {name: asked[key] for key, name in FINDING.items() if key in asked}  # type: ignore[literal-required]


def sources_of(inputs: object, how: dict[str, Any]) -> list[Source]:
    """Return the files to read; ``how`` is what ``finding`` returns. Raises as ``resolve`` does.

    The reader's ``format`` is the ``input_format`` of jobs, in messages too.
    """
    try:
        return resolve(inputs, **how)
    except FormatError as error:
        raise FormatError(_FORMAT.sub("input_format=", str(error))) from error


def decoding(asked: JobOptions, columns: Iterable[str] | None) -> Asked:
    """Return those that say how inputs are read, checked. ``columns`` is of the job's own."""
    names = {*ReadingOptions.__annotations__} - {*FINDING}
    given: dict[str, Any] = {name: told for name, told in asked.items() if name in names}
    return Asked(columns=columns, storage=_storage(asked.get("storage")), **given)


def _storage(given: dict[str, Any] | None) -> dict[str, Any]:
    return {} if given is None else given


def working(asked: JobOptions) -> Work:
    """Return those that say who does the work."""
    given: dict[str, Any] = dict(asked)
    return Work(**{name: given[name] for name in Work.__dataclass_fields__ if name in given})


def refuse_unknown(face: Callable[..., Any], asked: JobOptions) -> None:
    """Refuse keyword arguments that ``face`` has not; the nearest one is told.

    Raises:
        TypeError: so it is.
    """
    unknown = sorted(asked.keys() - JobOptions.__annotations__.keys())
    if unknown:
        own = inspect.signature(face).parameters
        known = [name for name in (*own, *JobOptions.__annotations__) if name != "asked"]
        raise TypeError(
            f"{face.__name__}() has no argument {unknown[0]!r}{nearest(unknown[0], known)}"
        )
