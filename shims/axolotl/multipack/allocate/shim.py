"""axolotl's packing up to 0.8, one bin at a time: next fit, and numba's order in each bin, in C.

https://github.com/axolotl-ai-cloud/axolotl/blob/v0.8.1/src/axolotl/utils/samplers/multipack.py
It looks for the most items that fit ``n`` bins. Of one bin, all that it asks with, these are the
items up to the first that does not fit. Other numbers of bins are the original's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from shimhub import Decline, kernels


def build(original: Any, ctx: Any) -> Any:
    """Return ``allocate``."""
    shared = ctx.load("shims/axolotl/multipack/_packing.py")
    unchanged = shared.calls(ctx.module, ctx.parameters["calls"])

    def allocate(
        lengths: Any, lengths_cumsum: Any, rank: Any, c: Any, n: Any
    ) -> tuple[list[list[int]], int, int]:
        array, sums = shared.lengths(lengths), shared.lengths(lengths_cumsum)
        if array.dtype.kind != "i" or sums.dtype != np.int64:
            raise Decline("unsigned lengths")
        room = shared.fitting(array, c)
        if shared.whole(n) != 1 or shared.whole(rank, least=0) != 0:
            raise Decline("several bins at a time")
        if not np.array_equal(np.cumsum(array), sums):
            raise Decline("other sums than those of the lengths")
        unchanged()
        bins = kernels.pack(array, room, strategy="next_fit", overlong="own_bin")
        order = kernels.quick_order(array, bins.offsets)
        bins = kernels.Bins(bins.offsets, order, room, bins.tokens)
        return bins.tolist(), bins.tokens, len(bins) * room

    return shared.as_jitted(allocate, original)


def cases(ctx: Any) -> Iterator[Any]:
    """Yield every kind of lengths, a few and many to a bin."""
    shared = ctx.load("shims/axolotl/multipack/_packing.py")
    for lengths in shared.samples(np.int64):
        for capacity in (12, 40, 100, 2000):
            options = (lengths, np.cumsum(lengths), 0, capacity, 1)
            yield lambda function, o=options: (function(*o), o[0])
