"""axolotl's bins of first fit decreasing, up to 0.8: sorted as numba does, then packed, in C.

https://github.com/axolotl-ai-cloud/axolotl/blob/v0.8.1/src/axolotl/utils/samplers/multipack.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from shimhub import kernels

_MOST = 2**32


def build(original: Any, ctx: Any) -> Any:
    """Return ``ffd_with_result``."""
    shared = ctx.load("shims/axolotl/multipack/_packing.py")

    def ffd_with_result(a: Any, c: Any, start_index: Any) -> list[list[int]]:
        array, room = shared.lengths(a), shared.whole(c)
        start = shared.whole(start_index, least=0, most=_MOST)
        order = kernels.quick_order(array)
        bins = kernels.pack(array[order], room, overlong="own_bin")
        return bins.tolist(order.astype(np.int64) + start)

    return shared.as_jitted(ffd_with_result, original)


def cases(ctx: Any) -> Iterator[Any]:
    """Yield every kind of lengths, tight and loose."""
    shared = ctx.load("shims/axolotl/multipack/_packing.py")
    for lengths in shared.samples(np.int64):
        for capacity, start in ((12, 0), (40, 7), (200, 100)):
            yield lambda function, a=lengths, c=capacity, s=start: (function(a, c, s), a)
