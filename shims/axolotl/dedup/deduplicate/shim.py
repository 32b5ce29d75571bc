"""axolotl's exact deduplication: its hashes, taken of Arrow's columns without making the rows.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/data/utils.py
A row's hash is the SHA-256 of ``str(row)``, so that NaN equals NaN and -0.0 is not 0.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shimhub import Decline


def build(original: Any, ctx: Any) -> Any:
    """Return ``_deduplicate_dataset``: the set that it takes and gives has axolotl's own hashes."""
    hashes_of = ctx.load("shims/axolotl/dedup/_hashes.py").hasher(original)

    def _deduplicate_dataset(dataset: Any, seen_hashes: Any = None) -> Any:
        if seen_hashes is not None and type(seen_hashes) is not set:
            raise Decline("seen_hashes that are no set")
        hashes = hashes_of(dataset)
        seen = set() if seen_hashes is None else seen_hashes
        unique = []
        for row, one in enumerate(hashes):
            if one not in seen:
                seen.add(one)
                unique.append(row)
        return dataset.select(unique), seen

    return _deduplicate_dataset


def cases(ctx: Any) -> Iterator[Any]:
    """Yield datasets alone, and one after the other with the hashes of the first."""
    shared = ctx.load("shims/axolotl/dedup/_hashes.py")
    for first, second in shared.samples():
        yield lambda function, first=first, second=second: _deduplicated(
            shared, function, first, second
        )


def _deduplicated(shared: Any, function: Any, first: Any, second: Any) -> Any:
    one, seen = function(first)
    if second is None:
        return shared.found(one), seen
    two, same = function(second, seen)
    return shared.found(one), shared.found(two), seen, same is seen
