"""Padding and collation: rows of their own lengths into matrices.

Rows come as lists or tuples, 1-D arrays or tensors, one 2-D array, Arrow's list columns or
:class:`~shimhub.kernels.Ragged`. Padding goes to the right or to the left; ``"range"`` pads with
0, 1, 2, ... from its first place on, as axolotl's collator does for position ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from shimhub.kernels import _loading, _pad_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Side = Literal["right", "left"]


class Field(NamedTuple):
    """What :func:`collate` makes of one field of the features.

    ``value`` pads: a number, or ``"range"`` for 0, 1, 2, ... ``dtype`` is that of the array.
    ``ones_for`` names an earlier field whose items this mask counts: where the first feature has no
    such mask it is made, and where there is one its rows must be as long as those. An ``optional``
    field is left out of the answer where the first feature lacks it. ``numbered`` multiplies the
    items of the k-th row of a bin by k, from 1: the mask that tells packed sequences apart.
    """

    name: str
    value: float | Literal["range"] = 0
    dtype: Any = np.int64
    ones_for: str | None = None
    optional: bool = False
    numbered: bool = False


#: Causal language models: pad the ids with 0, and other fields as axolotl and transformers do.
FIELDS: Final = (
    Field("input_ids"),
    Field("attention_mask", ones_for="input_ids"),
    Field("position_ids", "range", optional=True),
    Field("labels", -100, optional=True),
)


def _numbers() -> dict[Any, tuple[int, np.dtype[Any]]]:
    """Return ``shimhub_number`` by all that says the same dtype."""
    numbers = {"int32": 2, "int64": 3, "uint8": 4, "float32": 8, "float64": 9, "bool": 10}
    found: dict[Any, tuple[int, np.dtype[Any]]] = {}
    for name, number in numbers.items():
        dtype = np.dtype(name)
        found |= dict.fromkeys((name, dtype, dtype.type), (number, dtype))
    aliases = {int: "int64", float: "float64", bool: "bool"}
    return found | {alias: found[name] for alias, name in aliases.items()}


#: What the library needs of NumPy; it keeps nothing of Python's between calls.
_CONTEXT: Final = (np.empty, _numbers(), np.bool_)


def pad(
    rows: Any,
    *,
    length: int | None = None,
    multiple_of: int | None = None,
    side: Side = "right",
    value: float | Literal["range"] = 0,
    dtype: Any = np.int64,
    out: Any = None,
    truncate: bool = False,
    threads: int = 1,
) -> Any:
    """Pad rows to one length, and return them as an array of shape ``(len(rows), length)``.

    ``rows`` is a list or tuple of rows (lists, tuples, 1-D NumPy arrays, torch CPU tensors, or
    anything else with a buffer), one 2-D array, :class:`~shimhub.kernels.Ragged`, or an Arrow
    array or chunked array of lists (pyarrow, polars).

    ``length`` is that of the longest row unless told, and is rounded up to ``multiple_of``.
    ``dtype`` is int32, int64, uint8, float32, float64 or bool. Ints, bools and whatever has
    ``__index__`` fit an integer dtype; bools count as 0 and 1, and 0 and 1 fit bool; float dtypes
    take any number, rounded. ``value="range"`` pads with 0, 1, 2, ... from the first place of
    padding on. With ``truncate`` longer rows keep their first ``length`` items.

    ``out`` is memory to write instead of a fresh array, and is returned: 2-D and writable, of that
    dtype and number of rows; strides are free. Its width is the length unless one is told. On error
    nothing is written to it. Fresh arrays cost page faults, which for large batches take longer
    than the padding: reuse memory where batches do not outlive each other.

    Raises ``TypeError`` (a float for an integer dtype, None, text, nested rows, an unknown dtype),
    ``ValueError`` (a row longer than ``length``, a null, an ``out`` of another shape or read-only),
    ``OverflowError`` (a number outside of the dtype) naming the place, and ``RuntimeError`` if a
    list changes while it is read, which only an ``__index__`` can make it do.

    O(len(rows) * length). Lists are read under the GIL; Arrow's columns and ``Ragged`` without.
    """
    native = _loading.native()
    if native is None:
        from shimhub.kernels._reference import padding

        return padding.pad(
            rows,
            length=length,
            multiple_of=multiple_of,
            side=side,
            value=value,
            dtype=dtype,
            out=out,
            truncate=truncate,
        )
    call = native.pad_rows
    if not isinstance(rows, (list, tuple)) and _pad_columns.is_column(rows):
        call, rows = native.pad_columns, _pad_columns.chunks_of(rows, "rows")
    return call(rows, length, multiple_of, side, value, dtype, out, truncate, threads, _CONTEXT)


def collate(
    features: Any,
    fields: Sequence[Field] | Mapping[str, float | Literal["range"]] = FIELDS,
    *,
    length: int | None = None,
    multiple_of: int | None = None,
    side: Side = "right",
    out: Mapping[str, Any] | None = None,
    bins: bool = False,
    threads: int = 1,
) -> dict[str, Any]:
    native = _loading.native()
    call = native.collate_features
    if not isinstance(features, (list, tuple)) and _has_columns(features):
        names = fields if isinstance(fields, dict) else [f.name for f in fields]
        call, features = native.collate_columns, _pad_columns.columns_of(features, names)
    return call(features, fields, length, multiple_of, side, out, bins, threads, _CONTEXT)

def _has_columns(features):
    if isinstance(features, dict):
        return any(_pad_columns.is_column(v) for v in features.values())
    return _pad_columns.is_column(features)
