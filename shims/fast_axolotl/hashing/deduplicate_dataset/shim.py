"""``deduplicate_dataset`` where fast-axolotl's documentation imports it from.

Origin: https://github.com/axolotl-ai-cloud/axolotl/blob/v0.9.2/src/axolotl/utils/data/utils.py
Where the release has the function elsewhere, or a later one for sets, these do the work.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from shimhub import Context


def build(original: None, ctx: Context) -> Callable[..., Any]:
    """Return the function with the signature of 0.9.2; a set of hashes, as in 0.10, will do."""

    def deduplicate_dataset(
        dataset: Any,
        seen_hashes: dict[str, list[int]] | set[str] | None = None,
        other_dataset: Any = None,
    ) -> Any:
        """Return the rows that are new, by their hash and then by comparing; hashes are added."""
        from axolotl.utils.data import utils  # late: its functions may be patched, too

        later = getattr(utils, "_deduplicate_dataset", None)
        if later is not None and not isinstance(seen_hashes, dict):
            return later(dataset, seen_hashes)[0]
        served = getattr(utils, "deduplicate_dataset", _deduplicated)
        return served(dataset, {} if seen_hashes is None else seen_hashes, other_dataset)

    return deduplicate_dataset


def _deduplicated(dataset: Any, known: dict[str, list[int]], other: Any) -> Any:
    firsts = []
    for index, row in enumerate(dataset):
        text = str(row)
        seen = known.setdefault(sha256(text.encode()).hexdigest(), [])
        if not any(_is_row(dataset, one, text, index) or _is_row(other, one, text) for one in seen):
            seen.append(index)
            firsts.append(index)
    return dataset.select(firsts)


def _is_row(dataset: Any, index: int, text: str, but: int = -1) -> bool:
    """Whether row ``index`` of a data set, if it has one, prints as ``text``; not for ``but``."""
    has_row = dataset is not None and index != but and index < len(dataset)
    return has_row and str(dataset[index]) == text
