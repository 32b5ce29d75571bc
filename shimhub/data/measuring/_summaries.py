"""What is counted of one column: it can be merged, sent as JSON, and told."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from shimhub.data.measuring._sketches import Distinct, Lengths
from shimhub.kernels import hash_rows

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

#: Bits by which integers are summed in halves, so that no sum of a batch leaves 64 bits.
_HALF: Final = 32

#: What pyarrow computes less with, and what holds the same values.
_CASTS: Final = (
    (pa.types.is_string_view, pa.large_string()),
    (pa.types.is_binary_view, pa.large_binary()),
    (pa.types.is_float16, pa.float32()),
)
#: What the values of types are long in.
_COUNTS: Final = (
    (pa.types.is_string, pc.utf8_length),
    (pa.types.is_large_string, pc.utf8_length),
    (pa.types.is_binary, pc.binary_length),
    (pa.types.is_large_binary, pc.binary_length),
    (pa.types.is_list, pc.list_value_length),
    (pa.types.is_large_list, pc.list_value_length),
)


@dataclass(slots=True)
class Summary:
    """Of one column: what is in it, by merging what is in each of its batches."""

    type: pa.DataType
    rows: int = 0
    nulls: int = 0
    nans: int = 0
    bytes: int = 0
    #: The sum of integers (exact) and of floats that are numbers; None for other types.
    total: int | float | None = None
    #: An array of the least and the greatest value; None if there is none or no order.
    extremes: pa.Array | None = None
    distinct: Distinct | None = field(default_factory=Distinct)
    lengths: Lengths | None = None

    def add(self, array: pa.Array) -> None:
        """Count the values of a batch's column."""
        self.rows += len(array)
        self.nulls += array.null_count
        self.bytes += array.nbytes
        plain = _plain(array)
        valid = plain.drop_null()
        self._add_numbers(valid)
        self._add_distinct(valid)
        self._add_lengths(valid)
        self._add_extremes(_extremes(valid))

    def merge(self, other: Summary) -> None:
        """Count what the other has counted; both are of one type."""
        self.rows += other.rows
        self.nulls += other.nulls
        self.nans += other.nans
        self.bytes += other.bytes
        self.total = _sum(self.total, other.total)
        self._add_extremes(other.extremes)
        if self.distinct is not None and other.distinct is not None:
            self.distinct.merge(other.distinct)
        else:
            self.distinct = None
        if other.lengths is not None:
            self.lengths = self.lengths or Lengths()
            self.lengths.merge(other.lengths)

    def _add_numbers(self, valid: pa.Array) -> None:
        if pa.types.is_integer(valid.type):
            self.total = _sum(self.total, _integer_sum(valid.to_numpy()))
        elif pa.types.is_floating(valid.type):
            values = valid.to_numpy().astype(np.float64)
            is_nan = np.isnan(values)
            self.nans += int(is_nan.sum())
            with np.errstate(invalid="ignore", over="ignore"):  # inf - inf is NaN, and told so
                self.total = _sum(self.total, float(values[~is_nan].sum()))

    def _add_distinct(self, valid: pa.Array) -> None:
        if self.distinct is None or not len(valid):
            return
        hashes = hashes_of(valid)
        if hashes is None:
            self.distinct = None
        else:
            self.distinct.add(hashes)

    def _add_lengths(self, valid: pa.Array) -> None:
        found = _lengths(valid)
        if found is not None:
            self.lengths = self.lengths or Lengths()
            self.lengths.add(found)

    def _add_extremes(self, found: pa.Array | None) -> None:
        if found is not None and self.extremes is not None:
            found = _extremes(pa.concat_arrays([self.extremes, found]))
        self.extremes = self.extremes if found is None else found

    def told(self) -> dict[str, Any]:
        """Return all of it as JSON holds it."""
        return {
            "rows": self.rows,
            "nulls": self.nulls,
            "nans": self.nans,
            "bytes": self.bytes,
            # A sum of floats may be infinite or NaN, which JSON has no word for.
            "total": self.total.hex() if isinstance(self.total, float) else self.total,
            "extremes": None if self.extremes is None else _packed(self.extremes),
            "distinct": None if self.distinct is None else self.distinct.told(),
            "lengths": None if self.lengths is None else self.lengths.told(),
        }

    @classmethod
    def read(cls, told: dict[str, Any], kind: pa.DataType) -> Summary:
        """Return what ``told`` was made from."""
        total, extremes = told["total"], told["extremes"]
        return cls(
            type=kind,
            rows=told["rows"],
            nulls=told["nulls"],
            nans=told["nans"],
            bytes=told["bytes"],
            total=float.fromhex(total) if isinstance(total, str) else total,
            extremes=None if extremes is None else unpacked(extremes),
            distinct=None if told["distinct"] is None else Distinct.read(told["distinct"]),
            lengths=None if told["lengths"] is None else Lengths.read(told["lengths"]),
        )


def hashes_of(rows: Any) -> Array | None:
    """Return 64 bits of each row's XXH3; None for what has no canonical encoding."""
    try:
        digests = hash_rows(rows, algorithm="xxh3_128")
    except TypeError:  # a union, or nested over 64 deep: docs/kernels.md
        return None
    return np.ascontiguousarray(digests[:, :8]).view("<u8").ravel().astype(np.uint64)


def _plain(array: pa.Array) -> pa.Array:
    """Return the values without what they are stored by: dictionaries, runs, views, extensions."""
    if isinstance(array, pa.ExtensionArray):
        return _plain(array.storage)
    if pa.types.is_dictionary(array.type):
        return _plain(array.dictionary_decode())
    if pa.types.is_run_end_encoded(array.type):
        return _plain(pc.run_end_decode(array))
    for is_kind, wider in _CASTS:
        if is_kind(array.type):
            return array.cast(wider)
    return array


def _lengths(valid: pa.Array) -> Array | None:
    """Return letters of strings, bytes of binaries, items of lists, pairs of maps."""
    kind = valid.type
    if pa.types.is_map(kind):
        return np.diff(np.asarray(valid.offsets))
    for is_kind, count in _COUNTS:
        if is_kind(kind):
            return np.asarray(count(valid))
    return None


def _extremes(valid: pa.Array) -> pa.Array | None:
    """Return the least and greatest value, NaN apart; None if there is none or no order."""
    kind = valid.type
    if pa.types.is_nested(kind) or pa.types.is_null(kind) or pa.types.is_interval(kind):
        return None
    if pa.types.is_floating(kind):
        valid = valid.filter(pc.invert(pc.is_nan(valid)))
    if not len(valid):
        return None
    if pa.types.is_duration(kind):  # pyarrow orders all other types
        found = pc.min_max(valid.view(pa.int64()))
        return pa.array([found["min"].as_py(), found["max"].as_py()], pa.int64()).view(kind)
    found = pc.min_max(valid)
    return pa.concat_arrays([pa.repeat(found["min"], 1), pa.repeat(found["max"], 1)])


def _integer_sum(values: Array) -> int:
    high, low = values >> np.array(_HALF, values.dtype), values
    if values.dtype.itemsize <= _HALF // 8:
        return int(values.sum(dtype=np.int64))
    low = values & np.array((1 << _HALF) - 1, values.dtype)
    return (int(high.sum()) << _HALF) + int(low.sum())


def _sum(one: float | None, other: float | None) -> int | float | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _packed(array: pa.Array) -> str:
    """Return an array as text: an Arrow stream in base64, so that each type comes back exactly."""
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([array], ["values"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return base64.b64encode(sink.getvalue()).decode("ascii")


def unpacked(text: str) -> pa.Array:
    """Return the array of ``Summary.told()["extremes"]``."""
    with pa.ipc.open_stream(base64.b64decode(text)) as reader:
        return reader.read_next_batch().column(0)
