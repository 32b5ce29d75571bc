"""axolotl's preparation of streamed rows for packing: its own code, its steps done on Arrow.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/trainer.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from shimhub.data import hf_steps


def build(original: Any, ctx: Any) -> Any:
    """Return ``process_pretraining_datasets_for_packing`` of the installed version."""
    shared = ctx.load("shims/axolotl/rows/_rules.py")
    known = shared.rules(original)

    def short(train_dataset: Any, sequence_len: Any, skip_position_ids: Any = True) -> Any:
        (train,) = shared.served(original, known, train_dataset)
        found = hf_steps.run(original, train, sequence_len, skip_position_ids)
        return hf_steps.plain(found, (train, train_dataset))

    def process_pretraining_datasets_for_packing(
        train_dataset: Any,
        sequence_len: Any,
        skip_position_ids: Any = True,
        drop_attention_mask: Any = False,
    ) -> Any:
        (train,) = shared.served(original, known, train_dataset)
        args = (train, sequence_len, skip_position_ids, drop_attention_mask)
        found = hf_steps.run(original, *args)
        return hf_steps.plain(found, (train, train_dataset))

    has_mask = "drop_attention_mask" in inspect.signature(original).parameters
    return process_pretraining_datasets_for_packing if has_mask else short


def cases(ctx: Any) -> Iterator[Any]:
    """Yield datasets with and without position ids."""
    shared = ctx.load("shims/axolotl/rows/_samples.py")
    for train, _ in shared.samples():
        for skip in (True, False):
            yield shared.case(train, 8, skip)
