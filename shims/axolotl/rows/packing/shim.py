"""axolotl's preparation for packing: its own code, on datasets whose steps are done on Arrow.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/trainer.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shimhub.data import hf_steps


def build(original: Any, ctx: Any) -> Any:
    """Return ``process_datasets_for_packing`` of the installed version."""
    shared = ctx.load("shims/axolotl/rows/_rules.py")
    known = shared.rules(original, ctx.parameters["trainable"])

    def process_datasets_for_packing(cfg: Any, train_dataset: Any, eval_dataset: Any) -> Any:
        train, held_out = shared.served(original, known, train_dataset, eval_dataset)
        pairs = (train, train_dataset), (held_out, eval_dataset)
        found = hf_steps.run(original, cfg, train, held_out)
        return tuple(hf_steps.plain(one, *pairs) for one in found)

    return process_datasets_for_packing


def cases(ctx: Any) -> Iterator[Any]:
    """Yield datasets and configurations, with a second dataset and without."""
    shared = ctx.load("shims/axolotl/rows/_samples.py")
    for config in ({}, {"sample_packing": True}, {"group_by_length": True}):
        for train, held_out in shared.samples():
            told = {**config, "eval_sample_packing": True, "sequence_len": 8}
            yield shared.case(shared.config(told), train, held_out)
