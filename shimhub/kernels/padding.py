"""Padding and collation: rows of their own lengths into matrices.

Rows come as lists or tuples, 1-D arrays or tensors, one 2-D array, Arrow's list columns or
:class:`~shimhub.kernels.Ragged`. Padding goes to the right or to the left; ``"range"`` pads with
0, 1, 2, ... from its first place on, as axolotl's collator does for position ids.
"""

from __future__ import annotations

from collections import abc
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

import numpy as np

from shimhub.kernels import _loading, _numpy, _pad_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Side = Literal["right", "left"]


class Field(NamedTuple):
    """What :func:`collate` makes of one field of the features.

    ``value`` pads: a number, or ``"range"`` for 0, 1, 2, ... ``dtype`` is that of the array.
    ``ones_for`` names an earlier field whose items this mask counts: where the first feature has no
    such mask it is made, and where there is one its rows must be as long as those. An ``optional``
    field is left out of the answer where the first feature lacks it. ``numbered`` multiplies the
    items of the k-th row of a bin by k, from 1: the mask that tells packed sequences apart. What is
    ``strict`` (int64 alone) takes no other items than ints from lists and no arrays but those of
    integers that int64 holds: no bools, no uint64, nothing with an ``__index__`` of its own.
    """

    name: str
    value: float | Literal["range"] = 0
    dtype: Any = np.int64
    ones_for: str | None = None
    optional: bool = False
    numbered: bool = False
    strict: bool = False


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
_CONTEXT: Final = (np.empty, _numbers(), np.bool_, np.ndarray, np.dtype, _numpy.refusal)


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

    Raises ``TypeError`` (a float for an integer dtype, None, text, nested rows, an unknown dtype, a
    masked array, a ``numpy.matrix``, a tensor that NumPy cannot have: detach and convert it),
    ``ValueError`` (a row longer than ``length``, a null, an ``out`` of another shape or read-only),
    ``OverflowError`` (a number outside of the dtype) naming the place, and ``RuntimeError`` if a
    list has another size after some ``__index__`` than before (without the library, rows are those
    of the beginning). What else an ``__index__`` changes in lists may be seen, or not.

    O(len(rows) * length). Lists are read under the GIL by one thread; Arrow's columns and
    ``Ragged`` without it if there are many items, by up to ``threads`` (0: one per processor).
    """
    native = _loading.load()
    if isinstance(native, str):
        return _reference("pad")(
            rows,
            length=length,
            multiple_of=multiple_of,
            side=side,
            value=value,
            dtype=dtype,
            out=out,
            truncate=truncate,
            threads=threads,
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
    """Pad several fields of a batch in one pass, and return a dict of arrays by name.

    ``features`` is a list of mappings of names to rows, as data sets give them; a mapping of names
    to rows of all features (as ``dataset[:8]`` gives it); a pyarrow Table or RecordBatch, or
    anything else with Arrow's C interface; or a mapping of names to Arrow columns or
    :class:`~shimhub.kernels.Ragged`. Rows are those of :func:`pad`. Other names are ignored. The
    features are not changed; axolotl's collator, which leaves them padded, does change them.

    ``fields`` are :class:`Field`, or a mapping of names to values of padding: int64 then, none
    optional, and ``attention_mask`` made for ``input_ids`` where the first feature has none. The
    answer has the fields in their order, and is what ``DataCollatorForSeq2Seq`` of axolotl and of
    transformers make of them: each field is as long as its own longest row unless ``length`` is
    told, rounded up to ``multiple_of``. Arrays of one shape and dtype are planes of one array.

    With ``bins`` each feature is a list of mappings, whose rows are joined before they are padded
    (as axolotl's ``V2BatchSamplerDataCollatorForSeq2Seq`` does, with a ``numbered`` mask).

    ``out`` has memory for each field of the answer, as in :func:`pad`, and on error nothing is
    written to any. ``threads`` work on Arrow's columns and ``Ragged``, 0 for one per processor;
    lists are for one thread, under the GIL.

    Raises as :func:`pad`; ``ValueError`` too if a feature lacks a field that the first one has, if
    columns differ in their number of rows, or if a mask has not the length of its row.

    O(len(features) * length) for each field.
    """
    native = _loading.load()
    fields = _plain_fields(fields)
    if isinstance(native, str):
        return cast(
            "dict[str, Any]",
            _reference("collate")(
                features,
                _as_fields(fields),
                ordered=isinstance(fields, tuple),
                length=length,
                multiple_of=multiple_of,
                side=side,
                out=out,
                bins=bins,
                threads=threads,
            ),
        )
    call = native.collate_features
    if not bins and not isinstance(features, list) and _has_columns(features):
        names = list(fields) if isinstance(fields, dict) else [field[0] for field in fields]
        call, features = native.collate_columns, _pad_columns.columns_of(features, names)
    answer: dict[str, Any] = call(
        features, fields, length, multiple_of, side, out, bins, threads, _CONTEXT
    )
    return answer


def _reference(name: str) -> Any:
    from shimhub.kernels._reference import padding

    return getattr(padding, name)


def _plain_fields(fields: Any) -> Any:
    """Return a dict or a tuple."""
    if isinstance(fields, (dict, tuple)):
        return fields
    if isinstance(fields, abc.Mapping):
        return dict(fields)
    if isinstance(fields, str) or not isinstance(fields, abc.Iterable):
        raise TypeError(f"fields: expected Fields or a mapping, got {fields!r}")
    return tuple(fields)


def _as_fields(fields: Any) -> tuple[Field, ...]:
    """Return a mapping's fields as the library understands it."""
    if not isinstance(fields, dict):
        return tuple(fields)
    masked = "input_ids" if "input_ids" in fields else None
    return tuple(
        Field(name, value, ones_for=masked if name == "attention_mask" else None)
        for name, value in fields.items()
    )


def _has_columns(features: Any) -> bool:
    if isinstance(features, tuple):
        return False
    if isinstance(features, dict):
        return any(map(_pad_columns.is_column, features.values()))
    return _pad_columns.is_column(features)
