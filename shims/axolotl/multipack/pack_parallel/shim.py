"""axolotl's first-fit packing: the same bins, from a search tree in C.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/samplers/multipack.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def build(original: Any, ctx: Any) -> Any:
    """Return ``pack_parallel`` with the installed version's default start method and limit."""
    shared = ctx.load("shims/axolotl/multipack/_packing.py")
    unchanged = shared.calls(ctx.module, ctx.parameters["calls"])
    most_processes = ctx.parameters["most_processes"]

    def pack_parallel(
        sequence_lengths: Any,
        bin_capacity: Any,
        group_size: Any,
        bin_size: Any,
        num_processes: Any = None,
        safe_mode: Any = True,
        mp_start_method: Any = ctx.parameters["start_method"],
    ) -> list[list[int]]:
        array = shared.lengths(sequence_lengths)
        options = (bin_capacity, group_size, bin_size, num_processes, safe_mode, mp_start_method)
        asked = shared.parallel(len(array), *options, most_processes)
        unchanged()
        return shared.pack_parallel(array, asked, ctx.module.LOG).tolist()

    return pack_parallel


def cases(ctx: Any) -> Iterator[Any]:
    """Yield every kind of lengths at one group and at many, tight and loose."""
    shared = ctx.load("shims/axolotl/multipack/_packing.py")
    for lengths in shared.samples(np.int32):
        for capacity, group_size, bin_size in ((12, 64, 3), (40, 100_000, 200), (100, 7, 0)):
            options = (capacity, group_size, bin_size, 1)
            yield lambda function, a=lengths, o=options: (function(a, *o), a)
            yield lambda function, a=lengths, o=options: function(a, *o, safe_mode=False)
