"""The arguments of the reader, checked at the call: each error names argument, value and cure."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from shimhub.data._model import Options
from shimhub.data.errors import DataError
from shimhub.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa  # type: ignore[import-untyped]

OUTPUTS: Final = ("columns", "rows", "arrow", "numpy", "torch")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for, beside what to read."""

    columns: Iterable[str] | None = None
    batch_size: int = 1000
    output: str = "columns"
    shard: tuple[int, int] | None = None
    schema: pa.Schema | None = None
    on_error: str = "raise"
    on_drift: str = "error"
    infer: bool = False
    delimiter: str | None = None
    quote: str | None = '"'
    encoding: str = "utf-8"
    storage: dict[str, Any] = field(default_factory=dict)
    max_line: int = 1 << 28
    max_ratio: int = 1000

    def __post_init__(self) -> None:
        whole("batch_size", self.batch_size)
        whole("max_line", self.max_line)
        whole("max_ratio", self.max_ratio)
        one_of("output", self.output, OUTPUTS)
        one_of("on_error", self.on_error, ("raise", "skip"))
        one_of("on_drift", self.on_drift, ("error", "unify"))
        _check_text(self)
        _check_shard(self.shard)
        _check_schema(self.schema)
        names_of(self.columns)

    def options(self) -> Options:
        """Return how the modules of formats are to read."""
        return Options(
            columns=names_of(self.columns),
            schema=self.schema,
            batch_size=self.batch_size,
            on_error=self.on_error,
            infer=self.infer,
            delimiter=self.delimiter,
            quote=self.quote,
            encoding=self.encoding,
            max_line=self.max_line,
            max_ratio=self.max_ratio,
            storage=self.storage,
        )


def whole(name: str, value: object, least: int = 1) -> None:
    """Refuse what is not an int of at least ``least``; a bool is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}={value!r} is {type(value).__name__}: give an int")
    if value < least:
        raise DataError(f"{name}={value!r}: give {least} or more")


def one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    """Refuse a word that is not known."""
    if not isinstance(value, str):
        raise TypeError(
            f"{name}={value!r} is {type(value).__name__}: give one of {', '.join(known)}"
        )
    if value not in known:
        raise DataError(f"{name}={value!r} is none of {', '.join(known)}{nearest(value, known)}")


def names_of(columns: Iterable[str] | None, name: str = "columns") -> tuple[str, ...] | None:
    """Return the names of ``columns=``; a single str is refused, it is a list of letters."""
    if columns is None:
        return None
    if isinstance(columns, (str, bytes)) or not hasattr(columns, "__iter__"):
        raise TypeError(f"{name}={columns!r}: give a list of names, as in {name}=[{columns!r}]")
    names: tuple[object, ...] = tuple(columns)
    if wrong := [one for one in names if not isinstance(one, str)]:
        raise TypeError(f"{name}= has {wrong[0]!r}, which is no name: give str")
    if repeated := [one for one in names if names.count(one) > 1]:
        raise DataError(f"{name}= names {repeated[0]!r} more than once")
    if not names:
        raise DataError(f"{name}=[] chooses nothing: leave it out for all columns")
    return cast("tuple[str, ...]", names)


def _check_shard(shard: object) -> None:
    if shard is None:
        return
    if not isinstance(shard, (tuple, list)) or len(shard) != 2:  # noqa: PLR2004 - rank and world
        raise TypeError(f"shard={shard!r}: give (rank, world), as in shard=(0, 8)")
    rank, world = shard
    whole("world of shard", world)
    whole("rank of shard", rank, 0)
    if rank >= world:
        raise DataError(f"shard={shard!r}: rank is 0 to {world - 1} (world is {world})")


def _check_schema(schema: object) -> None:
    if schema is None:
        return
    import pyarrow as pa

    if not isinstance(schema, pa.Schema):
        raise TypeError(f"schema= is {type(schema).__name__}: give a pyarrow.Schema")
    if repeated := [name for name in schema.names if schema.names.count(name) > 1]:
        raise DataError(f"schema= has {repeated[0]!r} more than once")


def _check_text(asked: Asked) -> None:
    if not isinstance(asked.storage, dict):
        raise TypeError(f"storage={asked.storage!r}: give a dict of fsspec's options")
    if not isinstance(asked.infer, bool):
        raise TypeError(f"infer={asked.infer!r}: give True or False")
    for name, value in (("delimiter", asked.delimiter), ("quote", asked.quote)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name}={value!r} is {type(value).__name__}: give one character")
        if value is not None and len(value.encode()) != 1:
            raise DataError(f"{name}={value!r}: give one ASCII character, or None")
    _check_encoding(asked.encoding)


def _check_encoding(encoding: object) -> None:
    if not isinstance(encoding, str):
        raise TypeError(f"encoding={encoding!r} is {type(encoding).__name__}: give its name")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise DataError(f"encoding={encoding!r} is not known: give a name such as utf-8") from None
