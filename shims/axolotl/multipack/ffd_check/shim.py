"""axolotl's check whether lengths fit so many bins, first fit decreasing: sorted by counting, in C.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/samplers/multipack.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from shimhub import kernels


def build(original: Any, ctx: Any) -> Any:
    """Return ``ffd_check`` with the argument names of the installed version."""
    shared = ctx.load("shims/axolotl/multipack/_packing.py")

    def fits(lengths: Any, capacity: Any, bins: Any) -> bool:
        array = shared.lengths(lengths)
        room, most = shared.fitting(array, capacity), shared.whole(bins, least=0)
        if len(array) and int(array.max()) > room:
            return False
        packed = kernels.pack(array, room, strategy="first_fit_decreasing", max_bins=most)
        return len(packed.items) == len(array)

    def before(a: Any, c: Any, n: Any) -> bool:
        return fits(a, c, n)

    def ffd_check(sequence_lengths: Any, bin_capacity: Any, num_bins: Any) -> bool:
        return fits(sequence_lengths, bin_capacity, num_bins)

    return shared.as_jitted(before if ctx.parameters["short_names"] else ffd_check, original)


def cases(ctx: Any) -> Iterator[Any]:
    """Yield lengths that fit, and that just do not.

    The original's Python runs: compiling it takes seconds, and since 0.9 axolotl never calls it.
    """
    shared = ctx.load("shims/axolotl/multipack/_packing.py")

    def case(function: Any, *given: Any) -> Any:
        body = function if shared.is_ours(function) else function.py_func
        return body(*given), given[0]

    for lengths in shared.samples(np.int32):
        for capacity, bins in ((12, 5), (12, 90), (12, 120), (40, 100), (40, 105), (40, 1), (9, 0)):
            yield lambda function, a=lengths, c=capacity, n=bins: case(function, a, c, n)
