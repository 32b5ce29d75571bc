"""Packing of one table of token lists: rows in, packed rows and what it cost out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from shimhub.data.jobs._choices import STRATEGIES
from shimhub.data.measuring._sketches import Lengths
from shimhub.kernels import pack_multipack
from shimhub.kernels.packing_tables import pack_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    Array = np.ndarray[Any, Any]

#: What is beside tokens in a padded row, where the user does not say.
PADS: Final = {"labels": -100, "attention_mask": 0, "position_ids": 0, "token_type_ids": 0}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How tables are packed; ``pad`` has a value for each column, or is None for no padding."""

    length: int
    strategy: str = "bfd"
    overlong: str = "error"
    position_ids: bool = True
    cu_seqlens: bool = False
    pad: Mapping[str, int] | None = None


@dataclass(slots=True)
class Tally:
    """What went in and out; it can be merged, and is JSON by ``told``."""

    rows: int = 0
    empty: int = 0
    overlong: int = 0
    #: Tokens that are in no packed row: of rows that were truncated or dropped.
    lost: int = 0
    bins: int = 0
    tokens: int = 0
    lengths: Lengths = field(default_factory=Lengths)
    #: Packed rows by how many of their ``length`` tokens they have.
    fills: Lengths = field(default_factory=Lengths)

    def merge(self, other: Tally) -> None:
        """Count what the other has counted."""
        self.rows += other.rows
        self.empty += other.empty
        self.overlong += other.overlong
        self.lost += other.lost
        self.bins += other.bins
        self.tokens += other.tokens
        self.lengths.merge(other.lengths)
        self.fills.merge(other.fills)

    def told(self) -> dict[str, Any]:
        """Return all of it as JSON holds it."""
        names = ("rows", "empty", "overlong", "lost", "bins", "tokens")
        counts = {name: getattr(self, name) for name in names}
        return {**counts, "lengths": self.lengths.told(), "fills": self.fills.told()}

    @classmethod
    def read(cls, told: dict[str, Any]) -> Tally:
        """Return what ``told`` was made from."""
        sketches = {name: Lengths.read(told[name]) for name in ("lengths", "fills")}
        return cls(**{**told, **sketches})


def packed(table: pa.Table, recipe: Recipe) -> tuple[pa.Table, Tally]:
    """Return the packed rows of a table of lists, and the tally.

    Raises ``ValueError`` and ``TypeError`` as :func:`shimhub.kernels.packing_tables.pack_table`.
    """
    lengths = _lengths(table)
    strategy = STRATEGIES[recipe.strategy]
    if strategy == "multipack":
        made = _multipack(table, recipe)
    else:
        made = pack_table(table, recipe.length, strategy=strategy, overlong=recipe.overlong)
    tally = _tally(lengths, recipe, made)
    return _finished(made, recipe), tally


def _lengths(table: pa.Table) -> Array:
    lists = table.column(0)
    if not (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type)):
        raise TypeError(f"{table.column_names[0]!r}: {lists.type} is no list; packing joins lists")
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0))


def _tally(lengths: Array, recipe: Recipe, made: pa.Table) -> Tally:
    fills = _lengths(made)
    is_over = lengths > recipe.length if recipe.strategy != "wrapped" else lengths < 0
    tally = Tally(
        rows=len(lengths),
        empty=int((lengths == 0).sum()),
        overlong=int(is_over.sum()),
        lost=int(lengths.sum() - fills.sum()),
        bins=len(fills),
        tokens=int(fills.sum()),
    )
    tally.lengths.add(lengths)
    tally.fills.add(fills)
    return tally


# ---- multipack


def _multipack(table: pa.Table, recipe: Recipe) -> pa.Table:
    """Return the bins of axolotl's sampler as rows; overlong rows are dealt with before."""
    table = _without_overlong(table, recipe)
    lengths = _lengths(table)
    bins = pack_multipack(lengths, recipe.length)
    order = pa.array(bins.items)
    placed = lengths[bins.items].astype(np.int32)
    ends = _ends(placed)[bins.offsets]
    arrays = [_as_lists(table.column(name).take(order), ends) for name in table.column_names]
    arrays.append(pa.ListArray.from_arrays(bins.offsets.astype(np.int32), pa.array(placed)))
    return pa.Table.from_arrays(arrays, names=[*table.column_names, "seq_lengths"])


def _without_overlong(table: pa.Table, recipe: Recipe) -> pa.Table:
    """Return the rows that have tokens, none over the length: cut, in pieces or left out."""
    lengths = _lengths(table)
    is_over = lengths > recipe.length
    if recipe.overlong == "error" and is_over.any():
        pack_table(table, recipe.length, overlong="error")  # raises, and says which row
    if recipe.overlong == "split":
        return _split(table, lengths, recipe.length)
    is_kept = (lengths > 0) & ~(is_over if recipe.overlong == "drop" else lengths < 0)
    kept = table.filter(pa.array(is_kept))
    cut = [pc.list_slice(column, 0, recipe.length) for column in kept.columns]
    return pa.Table.from_arrays(cut, names=table.column_names)


def _split(table: pa.Table, lengths: Array, size: int) -> pa.Table:
    counts = -(-lengths // size)
    pieces = np.full(counts.sum(), size, np.int64)
    last = (np.cumsum(counts) - 1)[counts > 0]
    pieces[last] = (lengths - (counts - 1) * size)[counts > 0]
    columns = [_as_lists(column, _ends(pieces)) for column in table.columns]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _as_lists(lists: pa.ChunkedArray, ends: Array) -> pa.Array:
    values = lists.combine_chunks().flatten()
    if pa.types.is_large_list(lists.type):
        return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), values)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), values)


def _ends(lengths: Array) -> Array:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


# ---- what is beside the tokens


def _finished(made: pa.Table, recipe: Recipe) -> pa.Table:
    """Return the table with position ids, bounds and padding, as far as they are wanted."""
    columns = dict(zip(made.column_names, made.columns, strict=True))
    sequences = columns.get("seq_lengths")
    if sequences is not None:
        sequences = sequences.combine_chunks()
        if recipe.position_ids:
            columns["position_ids"] = _position_ids(sequences)
        if recipe.cu_seqlens:
            columns["cu_seqlens"] = _cu_seqlens(sequences)
    if recipe.pad is not None:
        for name in set(columns) - {"seq_lengths", "cu_seqlens"}:
            columns[name] = _padded(columns[name], recipe.length, recipe.pad[name])
    return pa.table(columns)


def _flat(sequences: pa.ListArray) -> tuple[Array, Array]:
    """Return the lengths of all sequences, and where the rows begin and end in them."""
    offsets = np.asarray(sequences.offsets).astype(np.int64)
    return np.asarray(sequences.flatten()).astype(np.int64), offsets - offsets[0]


def _position_ids(sequences: pa.ListArray) -> pa.ListArray:
    """Return 0, 1, ... for each sequence, one row of them for each packed row."""
    lengths, rows = _flat(sequences)
    ends = _ends(lengths)
    places = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)
    offsets = pa.array(ends[rows].astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(places.astype(np.int32)))


def _cu_seqlens(sequences: pa.ListArray) -> pa.ListArray:
    """Return where sequences begin and the last one ends, in each row from 0 on."""
    lengths, rows = _flat(sequences)
    ends, counts = _ends(lengths), np.diff(rows) + 1
    row_of = np.repeat(np.arange(len(counts)), counts)
    values = ends[np.arange(len(row_of)) - row_of] - ends[rows[:-1]][row_of]
    offsets = pa.array(_ends(counts).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(values.astype(np.int32)))


def _padded(lists: Any, length: int, value: int) -> pa.ListArray:
    """Return the lists, each with as many values behind it as make ``length``."""
    whole = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    flat = whole.flatten()
    if not pa.types.is_integer(flat.type) or flat.null_count:
        raise TypeError(f"{whole.type} is no list of integers without nulls: it is not padded")
    sizes, values = np.asarray(pc.list_value_length(whole)), np.asarray(flat)
    matrix = np.full((len(sizes), length), value, values.dtype)
    matrix[np.arange(length) < sizes[:, None]] = values
    offsets = pa.array(np.arange(len(sizes) + 1, dtype=np.int32) * length)
    return pa.ListArray.from_arrays(offsets, pa.array(matrix.ravel(), whole.type.value_type))
