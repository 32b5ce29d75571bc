"""``PretrainingBatchSamplerDataCollatorForSeq2Seq.__call__``: rows joined without an array of each.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/collators/batching.py
"""

from __future__ import annotations

from typing import Any

from shimhub.kernels import join


def build(original: Any, ctx: Any) -> Any:
    """Return the replacement, which pads by whatever is the next class's ``__call__``."""
    owner = ctx.owner

    def __call__(self: Any, features: Any, return_tensors: Any = None) -> Any:
        numbered = self.multipack_attn if "attention_mask" in features else False
        joined: dict[str, Any] = {}
        for name in [name for name in features.keys() if name != "length"]:  # noqa: SIM118
            joined |= join([{name: row} for row in features[name]], [name], numbered=numbered)
        return super(owner, self).__call__([joined], return_tensors=return_tensors)

    return __call__


def cases(ctx: Any) -> Any:
    """Yield columns as streams of packed documents give them, masks numbered and not."""
    shared = ctx.load("shims/axolotl/_cases.py")
    rows = shared.batch(5, 2, 8)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for without in ("length", "attention_mask", "position_ids"):
        given = {"length": [5, 2, 8], **columns}
        del given[without]
        for numbered in (True, False):
            yield shared.collated(ctx.owner, given, multipack_attn=numbered, pad_to_multiple_of=8)
