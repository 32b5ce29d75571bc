"""axolotl's filter by length before 0.12: its own code, the filter done on Arrow's offsets.

https://github.com/axolotl-ai-cloud/axolotl/blob/v0.11.0/src/axolotl/utils/data/utils.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shimhub.data import hf_steps


def build(original: Any, ctx: Any) -> Any:
    """Return ``drop_long_seq_in_dataset`` of the installed version."""
    shared = ctx.load("shims/axolotl/rows/_rules.py")
    known = shared.rules(original)

    def drop_long_seq_in_dataset(dataset: Any, cfg: Any) -> Any:
        (made,) = shared.served(original, known, dataset)
        return hf_steps.plain(hf_steps.run(original, made, cfg), (made, dataset))

    return drop_long_seq_in_dataset


def cases(ctx: Any) -> Iterator[Any]:
    """Yield datasets with and without a mapping, and bounds."""
    shared = ctx.load("shims/axolotl/rows/_samples.py")
    for dataset, _ in shared.samples():
        for least in (None, 4):
            told = {"sequence_len": 6, "min_sample_len": least}
            yield shared.case(dataset, shared.config(told))
