"""axolotl's handling of long sequences: its own code, filters done on Arrow's offsets.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/data/utils.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shimhub.data import hf_steps


def build(original: Any, ctx: Any) -> Any:
    """Return ``handle_long_seq_in_dataset`` of the installed version."""
    shared = ctx.load("shims/axolotl/rows/_rules.py")
    known = shared.rules(original)

    def handle_long_seq_in_dataset(dataset: Any, sequence_len: Any, cfg: Any) -> Any:
        (made,) = shared.served(original, known, dataset)
        return hf_steps.plain(hf_steps.run(original, made, sequence_len, cfg), (made, dataset))

    return handle_long_seq_in_dataset


def cases(ctx: Any) -> Iterator[Any]:
    """Yield datasets with and without a mapping, bounds, and what becomes of long rows."""
    shared = ctx.load("shims/axolotl/rows/_samples.py")
    for dataset, _ in shared.samples():
        for least, strategy in ((None, None), (4, "drop"), (1, "raise")):
            told = {"min_sample_len": least, "excess_length_strategy": strategy}
            yield shared.case(dataset, 6, shared.config(told))
