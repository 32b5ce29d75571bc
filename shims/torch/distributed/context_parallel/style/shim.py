"""``_ContextParallel``: the parallel style of torch 2.10; making one raises before that.

Origin: https://github.com/pytorch/pytorch/pull/162542
Its kinds of attention can be read, so that the error comes from making the style and not from an
attribute. torch 2.8 and 2.9 have the older ``context_parallel()``, which patches SDPA.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NoReturn

_CURE = (
    "context parallelism of attention modules needs torch >= 2.10: install it, or train with "
    "--parallelism.context_parallel_degree 1"
)


class _AttentionType(Enum):
    FLEX = "flex_attention"
    SDPA = "scaled_dot_product_attention"


def build(original: None, ctx: Any) -> type:
    """Return the style, a subclass of torch's ``ParallelStyle``."""
    from torch.distributed.tensor.parallel import ParallelStyle

    class _ContextParallel(ParallelStyle):
        AttentionType = _AttentionType

        def __init__(self, seq_dim: int, attention_type: _AttentionType) -> NoReturn:
            raise NotImplementedError(f"_ContextParallel: {_CURE} (torch {ctx.version('torch')})")

        def _apply(self, module: Any, device_mesh: Any) -> NoReturn:
            raise NotImplementedError(f"_ContextParallel: {_CURE} (torch {ctx.version('torch')})")

    return _ContextParallel
