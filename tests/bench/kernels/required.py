"""The ratios that are required, by area, row and call."""

from __future__ import annotations

from typing import Final

from tests.bench.kernels import floors
from tests.bench.kernels.bars import AtLeast, AtMost, Bar, NearBest
from tests.bench.kernels.linalg import CHOSEN, SIZES, TORCH_OF_ARRAYS, row_of

_AXOLOTL: Final = "axolotl DataCollatorForSeq2Seq"
_FAST_AXOLOTL: Final = "fast-axolotl deduplicate_indices, list[str]"

_DEDUP = (
    AtLeast("dedup", "arrow", "shimhub", _FAST_AXOLOTL, 14),
    AtLeast("dedup", "arrow", "shimhub", "polars unique", 2.2),
    AtLeast("dedup", "arrow", "shimhub exact=False", _FAST_AXOLOTL, 20),
    AtLeast("dedup", "arrow", "shimhub exact=False", "polars unique", 3),
    AtLeast("dedup", "arrow", "shimhub exact=False", floors.READ, 0.5),
    AtLeast("dedup", "strings", "shimhub", "fast-axolotl deduplicate_indices", 10),
    AtLeast("dedup", "strings, non-ASCII", "shimhub", "fast-axolotl deduplicate_indices", 10),
)

_HASHING = (
    AtLeast("hashing", "sha256", "shimhub", "hashlib loop, list[bytes]", 1.8),
    AtLeast("hashing", "sha256", "shimhub", "fast-axolotl parallel_hash_rows, list[str]", 3),
)

_MINHASH = tuple(
    AtLeast("minhash", row, ours, rival, 1)
    for row, ours in (
        ("signatures", "shimhub, list[str] in"),
        ("signatures, n-grams ready", "shimhub, n-grams in"),
    )
    for rival in ("rensa RMinHash", "rensa CMinHash", "datasketch MinHash.bulk")
)

_COLLATION = (
    AtLeast("collation", "B=8", "shimhub", _AXOLOTL, 40),
    AtLeast("collation", "B=64", "shimhub", _AXOLOTL, 100),
    AtLeast("collation", "B=8", "shimhub", "numpy fill loop", 3),
    AtLeast("collation", "B=64", "shimhub", "numpy fill loop", 3),
    AtLeast("collation", "B=1", "shimhub", "pure Python, then numpy.array", 1),
    AtLeast("collation", "B=1", "shimhub", "pure Python, lists out", 1),
    AtLeast("collation", "B=8", "shimhub, Arrow in", _AXOLOTL, 80),
    AtLeast("collation", "B=64", "shimhub, Arrow in", _AXOLOTL, 300),
)

_PACKING = (
    AtLeast("packing", "multipack 2048", "shimhub", "axolotl pack_parallel", 20),
    AtLeast("packing", "multipack 8192", "shimhub", "axolotl pack_parallel", 20),
    AtLeast("packing", "bfd table", "shimhub pack_table", "trl _pack_bfd", 15),
    AtMost("packing", "strategies", "shimhub best fit decreasing", 100),
)


def _chosen_from(size: int) -> tuple[str, tuple[str, ...]]:
    """Return what must be near the best of all, and the others.

    Small products have nothing to choose: ours is to be the best of all, torch's own tensors
    included. Above, a dispatcher may take torch; it is within 100 ns where it is within a tenth.
    """
    if size <= 64:
        return "shimhub", ("numpy", "torch.mm", TORCH_OF_ARRAYS)
    return CHOSEN, ("shimhub", "numpy", TORCH_OF_ARRAYS)


_LINALG = (
    *(
        AtLeast("linalg", row_of(size, dtype), "shimhub", "numpy", 1.5)
        for dtype in ("float32", "float64")
        for size in SIZES
        if size <= 16
    ),
    *(
        NearBest("linalg", row_of(size, dtype), *_chosen_from(size))
        for dtype in ("float32", "float64")
        for size in SIZES
    ),
    # By itself it is never much slower than numpy.
    *(
        NearBest("linalg", row_of(size, dtype), "shimhub", ("numpy",))
        for dtype in ("float32", "float64")
        for size in SIZES
    ),
)

REQUIRED: Final[tuple[Bar, ...]] = (
    *_DEDUP,
    *_HASHING,
    *_MINHASH,
    *_COLLATION,
    *_PACKING,
    *_LINALG,
)
