"""``BatchSamplerDataCollatorForSeq2Seq.__call__``: rows of a bin joined without an array of each.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/collators/batching.py
"""

from __future__ import annotations

from typing import Any

from shimhub.kernels import join


def build(original: Any, ctx: Any) -> Any:
    """Return the replacement, which pads by whatever is the next class's ``__call__``."""
    owner = ctx.owner

    def __call__(self: Any, features: Any, return_tensors: Any = None) -> Any:
        bins = features if isinstance(features[0], list) else [features]
        joined = [
            join(one, [name for name in one[0].keys() if name != "length"])  # noqa: SIM118
            for one in bins
        ]
        return super(owner, self).__call__(joined, return_tensors=return_tensors)

    return __call__


def cases(ctx: Any) -> Any:
    """Yield bins as batch samplers give them: of lists and of arrays, one and several."""
    shared = ctx.load("shims/axolotl/_cases.py")
    for bins in shared.bins():
        for side, multiple in (("right", None), ("left", 8)):
            yield shared.collated(ctx.owner, bins, side, pad_to_multiple_of=multiple)
