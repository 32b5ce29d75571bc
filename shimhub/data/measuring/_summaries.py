"""What is counted of one column: it can be merged, sent as JSON, and told."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from shimhub.data.measuring import _sums
from shimhub.data.measuring._sketches import Distinct, Lengths
from shimhub.kernels import hash_rows

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

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
    #: The sum of integers, or of finite floats as ``_sums.float_sum`` has it; None without any.
    total: int | None = None
    #: The sum of infinite floats: 0, an infinity, or NaN if there are both.
    infinite: float = 0.0
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
        self.infinite += other.infinite
        if other.total is not None:
            self.total = (self.total or 0) + other.total
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
            self.total = (self.total or 0) + _sums.integer_sum(valid.to_numpy())
        elif pa.types.is_floating(valid.type):
            values = valid.to_numpy().astype(np.float64)
            self.nans += int(np.isnan(values).sum())
            with np.errstate(invalid="ignore"):  # inf - inf is NaN, and told so
                self.infinite += float(values[np.isinf(values)].sum())
            self.total = (self.total or 0) + _sums.float_sum(values[np.isfinite(values)])

    @property
    def mean(self) -> float | None:
        """The mean of the numbers, NaN apart; None if there are none."""
        count = self.rows - self.nulls - self.nans
        if self.total is None or not count:
            return None
        if self.infinite:
            return self.infinite
        if pa.types.is_floating(plain_type(self.type)):
            return _sums.mean(self.total, count)
        return self.total / count

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
            "total": None if self.total is None else hex(self.total),
            "infinite": self.infinite.hex(),  # JSON has no word for infinities
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
            total=None if total is None else int(total, 16),
            infinite=float.fromhex(told["infinite"]),
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


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values, without what they are stored by; views stay."""
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    return kind


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
