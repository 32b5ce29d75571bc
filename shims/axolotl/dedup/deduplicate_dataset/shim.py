"""axolotl's exact deduplication before 0.10: hashes lead to rows, which are compared again.

https://github.com/axolotl-ai-cloud/axolotl/blob/v0.9.2/src/axolotl/utils/data/utils.py
As there, the second dataset is looked up in the first one as it is after its duplicates went, by
the places that rows had before: some of its duplicates stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shimhub import Decline


def build(original: Any, ctx: Any) -> Any:
    """Return ``deduplicate_dataset``: the dict that it fills has axolotl's own hashes."""
    hashes_of = ctx.load("shims/axolotl/dedup/_hashes.py").hasher(original)

    def deduplicate_dataset(dataset: Any, seen_hashes: Any, other_dataset: Any = None) -> Any:
        _check(seen_hashes)
        mine = hashes_of(dataset)
        others = [] if other_dataset is None else hashes_of(other_dataset)
        unique = []
        for row, one in enumerate(mine):
            places = seen_hashes.setdefault(one, [])
            if not _is_there(one, row, places, mine, others):
                places.append(row)
                unique.append(row)
        return dataset.select(unique)

    return deduplicate_dataset


def _check(seen: Any) -> None:
    if type(seen) is not dict or not all(type(places) is list for places in seen.values()):
        raise Decline("seen_hashes that are no dict of lists")
    if not all(type(place) is int and place >= 0 for places in seen.values() for place in places):
        raise Decline("seen_hashes with other values than places")


def _is_there(one: str, row: int, places: list[int], mine: list[str], others: list[str]) -> bool:
    """Whether a row of this hash is at one of the places: equal hashes are equal rows."""
    for place in places:
        if place != row and place < len(mine) and mine[place] == one:
            return True
        if place < len(others) and others[place] == one:
            return True
    return False


def cases(ctx: Any) -> Iterator[Any]:
    """Yield datasets alone, and one after the other with the hashes of the first."""
    shared = ctx.load("shims/axolotl/dedup/_hashes.py")
    for first, second in shared.samples():
        yield lambda function, first=first, second=second: _deduplicated(
            shared, function, first, second
        )


def _deduplicated(shared: Any, function: Any, first: Any, second: Any) -> Any:
    seen: dict[str, list[int]] = {}
    one = function(dataset=first, seen_hashes=seen)
    if second is None:
        return shared.found(one), seen
    two = function(dataset=second, seen_hashes=seen, other_dataset=one)
    return shared.found(one), shared.found(two), seen
