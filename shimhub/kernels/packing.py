"""Packing: items of given lengths into bins of one capacity."""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.kernels import _loading, _numpy
from shimhub.kernels._reference import packing as reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    Array = np.ndarray[Any, Any]

#: In the order of ``shimhub_pack_strategy`` and ``shimhub_overlong``.
STRATEGIES: Final = ("first_fit", "next_fit", "first_fit_decreasing", "best_fit_decreasing")
OVERLONG: Final = ("error", "own_bin", "truncate", "drop")

_UNLIMITED: Final = 2**63 - 1
_MOST_CAPACITY: Final = 2**31 - 1
_MOST_ITEMS: Final = 2**32 - 2


class Bins:
    """Bins of items: bin ``b`` has ``items[offsets[b]:offsets[b + 1]]``, in order of packing.

    ``offsets`` is an int64 array of one more than there are bins, ``items`` a uint32 array of
    places in the lengths that were packed, ``capacity`` that of each bin, and ``tokens`` the sum of
    the lengths in them (truncated items count as long as a bin).
    """

    __slots__ = ("capacity", "items", "offsets", "tokens")

    def __init__(self, offsets: Array, items: Array, capacity: int, tokens: int) -> None:
        self.offsets = offsets
        self.items = items
        self.capacity = capacity
        self.tokens = tokens

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Array:
        """Return the items of one bin, a view. Raises ``IndexError``."""
        place = operator.index(index)
        at = place + len(self) if place < 0 else place
        if not 0 <= at < len(self):
            raise IndexError(f"bin {place} of {len(self)}")
        return self.items[self.offsets[at] : self.offsets[at + 1]]

    def __iter__(self) -> Iterator[Array]:
        bounds = self.offsets.tolist()
        return (self.items[a:b] for a, b in itertools.pairwise(bounds))

    def __repr__(self) -> str:
        return f"<{len(self)} bins of {len(self.items)} items, {self.fill():.2%} full>"

    def fill(self, capacity: int | None = None) -> float:
        """Return tokens / (bins * capacity); 0.0 if there are no bins. O(1).

        Items longer than a bin count in full if they have bins of their own: it may exceed 1.
        """
        slots = len(self) * (self.capacity if capacity is None else capacity)
        return self.tokens / slots if slots else 0.0

    def tolist(self, ids: Sequence[Any] | Array | None = None) -> list[list[Any]]:
        """Return the bins as lists of ints, or of what ``ids`` has at those places.

        O(items), and 20 to 60 ns each: arrays are much faster to make and to use.
        Raises ``IndexError`` if ``ids`` are fewer than the lengths that were packed.
        """
        names = None if ids is None else tuple(ids.tolist() if hasattr(ids, "tolist") else ids)
        native = _loading.native()
        if native is None:
            return reference.tolist(self.offsets, self.items, names)
        found: list[list[Any]] = native.pack_tolist(self.offsets, self.items, names)
        return found


def pack(
    lengths: Any,
    capacity: int,
    *,
    strategy: str = "first_fit",
    overlong: str = "error",
    max_items: int | None = None,
    max_bins: int | None = None,
    group_size: int | None = None,
) -> Bins:
    """Put items of these lengths into bins that hold ``capacity`` each.

    ``lengths`` is a 1-D array of integers (any dtype, stride or library that NumPy can read),
    an Arrow array of integers without nulls, or a list or tuple of ints. Strategies:

    - ``"first_fit"``: each item in turn into the first bin with room for it. O(n log bins).
    - ``"next_fit"``: each into the last bin, or a new one; the order is kept. O(n).
    - ``"first_fit_decreasing"``: as first fit, longest items first. O(n log bins).
    - ``"best_fit_decreasing"``: longest items first, each into the bin with least room that takes
      it, of several the one that has had that room longest. O(n) for ``capacity`` up to 2**20,
      else O(n log n). These are the bins of trl's ``_pack_bfd`` (https://arxiv.org/abs/2404.10830).

    Equal items keep their order. ``overlong`` says what becomes of items longer than
    ``capacity``: ``"error"``; ``"own_bin"``, alone in a bin (the decreasing strategies begin with
    them, in their order); ``"truncate"``, counted as long as a bin; ``"drop"``, left out. Items of
    length 0 go where there is room for 0 (even into a full bin, but not beside an overlong item);
    best fit leaves them out, as trl does. ``max_items`` is the most items in a bin; what would need
    more than ``max_bins`` bins is left out; ``group_size`` items in a row are packed by
    themselves, and ``max_bins`` is then for each group.

    Raises ``ValueError`` for a negative or overlong length (with its place), for a capacity or
    limit below 1 (``max_bins`` below 0), or another word; ``TypeError`` if lengths are not
    integers, or an option is no int; ``OverflowError`` for a capacity over 2**31 - 1, more than
    2**32 - 2 items, or a sum that does not fit int64.
    """
    array = _as_array(lengths)
    options = reference.Options(
        strategy=_word("strategy", strategy, STRATEGIES),
        overlong=_word("overlong", overlong, OVERLONG),
        capacity=as_capacity(capacity),
        max_items=_limit("max_items", max_items, 1),
        max_bins=_limit("max_bins", max_bins, 0),
        group_size=_limit("group_size", group_size, 1),
    )
    if len(array) > _MOST_ITEMS:
        raise OverflowError(f"lengths: {len(array)} items, the most is {_MOST_ITEMS}")
    native = _loading.native()
    found = reference.pack(array, options) if native is None else _pack(native, array, options)
    return Bins(found.offsets, found.items, options.capacity, found.tokens)


def pack_multipack(
    lengths: Any,
    capacity: int,
    *,
    group_size: int = 100_000,
    bin_size: int = 200,
    max_bins: int | None = None,
    safe_mode: bool = True,
) -> Bins:
    """Return the bins of axolotl's ``pack_parallel``: the same ids in the same order.

    That is first fit over groups of ``group_size``, at most ``bin_size`` items in a bin (below 1:
    one), and a bin of its own for each item over ``capacity``. ``max_bins`` is for each group and
    in force only in ``safe_mode``; None, as in ``pack_parallel``, is as many as there are items.
    axolotl's ``allocate_sequentially`` is ``pack(strategy="next_fit", overlong="own_bin")``.
    https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/samplers/multipack.py

    Complexity and errors as :func:`pack`.
    """
    return pack(
        lengths,
        capacity,
        overlong="own_bin",
        max_items=max(1, as_index("bin_size", bin_size)),
        max_bins=max_bins if safe_mode else None,
        group_size=group_size,
    )


def _pack(native: ModuleType, array: Array, options: reference.Options) -> reference.Packed:
    ffi, lib = native.ffi, native.lib
    offsets, items = np.empty(len(array) + 1, np.int64), np.empty(len(array), np.uint32)
    lengths = ffi.new("shimhub_lengths *")
    lengths.data = ffi.cast("void *", array.__array_interface__["data"][0])
    lengths.count, lengths.stride = len(array), array.strides[0]
    lengths.width, lengths.is_signed = array.itemsize, array.dtype.kind == "i"
    words = STRATEGIES.index(options.strategy), OVERLONG.index(options.overlong)
    chosen = ffi.new("shimhub_pack_options *", (*words, *options[2:]))
    packed = ffi.new("shimhub_packed *")
    status = lib.shimhub_pack(
        lengths,
        chosen,
        ffi.from_buffer("int64_t[]", offsets),
        ffi.from_buffer("uint32_t[]", items),
        packed,
    )
    if status == lib.SHIMHUB_NO_MEMORY:
        raise MemoryError(f"no memory to pack {len(array)} items")
    if status != lib.SHIMHUB_OK:
        reference.fail(array, options, packed.position)
    return reference.Packed(
        offsets[: packed.bins + 1].copy(), _trimmed(items, packed.items), packed.tokens
    )


def _trimmed(items: Array, count: int) -> Array:
    return items if count == len(items) else items[:count].copy()


def _word(name: str, word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise ValueError(f"{name}: {word!r}; choose of {', '.join(words)}")
    return word


def as_index(name: str, value: Any) -> int:
    """Return an int; ``TypeError`` naming the argument if it is none."""
    if not hasattr(value, "__index__"):
        raise TypeError(f"{name}: expected an int, got {value!r}")
    return operator.index(value)


def as_capacity(capacity: int) -> int:
    """Return a capacity that ``pack`` takes; ``ValueError`` or ``OverflowError`` otherwise."""
    found = as_index("capacity", capacity)
    if found < 1:
        raise ValueError(f"capacity: {found} is less than 1")
    if found > _MOST_CAPACITY:
        raise OverflowError(f"capacity: {found} is more than {_MOST_CAPACITY}")
    return found


def _limit(name: str, limit: int | None, least: int) -> int:
    if limit is None:
        return _UNLIMITED
    found = as_index(name, limit)
    if found < least:
        raise ValueError(f"{name}: {found} is less than {least}")
    return min(found, _UNLIMITED)


def _as_array(lengths: Any) -> Array:
    if isinstance(lengths, (list, tuple)):
        return _from_list(lengths)
    if hasattr(lengths, "__arrow_c_array__") or hasattr(lengths, "__arrow_c_stream__"):
        lengths = _from_arrow(lengths)
    array = _as_numpy(lengths)
    if array.ndim != 1:
        raise ValueError(f"lengths: {array.ndim} dimensions, want 1")
    if array.dtype.kind not in "iu":
        raise TypeError(f"lengths: dtype {array.dtype}, want integers")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _from_list(lengths: list[Any] | tuple[Any, ...]) -> Array:
    native = _loading.native()
    if native is None:
        return reference.read_lengths(lengths)
    return np.frombuffer(native.pack_lengths(lengths), np.int64)


def _as_numpy(lengths: Any) -> Array:
    if isinstance(lengths, np.ndarray) and (why := _numpy.refusal(lengths)):
        raise TypeError(f"lengths: {why}")
    kind = type(lengths).__name__
    try:
        array = np.asarray(lengths)
    except (RuntimeError, TypeError, ValueError) as error:  # as tensors of other devices say
        raise TypeError(f"lengths: no NumPy array of this {kind}: {error}") from error
    if array.ndim == 0 and not isinstance(lengths, np.ndarray):
        raise TypeError(f"lengths: expected an array or list of integers, got {kind}")
    return array


def _from_arrow(lengths: Any) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]

    if isinstance(lengths, (pa.Table, pa.RecordBatch)):
        raise TypeError("lengths: a table is no column; pass one of its columns")
    if not isinstance(lengths, (pa.Array, pa.ChunkedArray)):
        has_chunks = hasattr(lengths, "__arrow_c_stream__")
        lengths = pa.chunked_array(lengths) if has_chunks else pa.array(lengths)
    if pa.types.is_dictionary(lengths.type):
        lengths = lengths.cast(lengths.type.value_type)
    if not pa.types.is_integer(lengths.type):
        raise TypeError(f"lengths: Arrow type {lengths.type}, want integers")
    if lengths.null_count:
        place = lengths.is_null().index(True).as_py()
        raise ValueError(f"lengths[{place}] is null")
    return lengths.to_numpy()
