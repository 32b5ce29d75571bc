"""axolotl's packing that keeps the order of examples: next fit in C.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/samplers/multipack.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shimhub import kernels

Found = tuple[list[list[int]], int, int]


def build(original: Any, ctx: Any) -> Any:
    """Return ``allocate_sequentially`` with the argument names of the installed version."""
    shared = ctx.load("shims/axolotl/multipack/_packing.py")

    def packed(lengths: Any, rank: Any, capacity: Any, ranks: Any) -> Found:
        array, room = shared.lengths(lengths), shared.whole(capacity)
        first, step = shared.whole(rank, least=0), shared.whole(ranks)
        bins = kernels.pack(array, room, strategy="next_fit", overlong="own_bin")
        mine = bins.tolist()
        return mine if (first, step) == (0, 1) else mine[first::step], bins.tokens, len(bins) * room

    def before(lengths: Any, rank: Any, c: Any, n: Any) -> Found:
        return packed(lengths, rank, c, n)

    def allocate_sequentially(
        sequence_lengths: Any, rank: Any, bin_capacity: Any, num_ranks: Any
    ) -> Found:
        return packed(sequence_lengths, rank, bin_capacity, num_ranks)

    made = before if ctx.parameters["short_names"] else allocate_sequentially
    return shared.as_jitted(made, original)


def cases(ctx: Any) -> Iterator[Any]:
    """Yield every kind of lengths, alone and among ranks."""
    shared = ctx.load("shims/axolotl/multipack/_packing.py")
    for lengths in shared.samples(ctx.parameters["dtype"]):
        for capacity, rank, ranks in ((12, 0, 1), (40, 1, 3), (100, 2, 2)):
            options = (rank, capacity, ranks)
            yield lambda function, a=lengths, o=options: (function(a, *o), a)
