"""FlexAttention runs on CPU for inputs that require grad, on torch's own dense eager path.

Origin: https://github.com/pytorch/pytorch/pull/169646 (refuses such inputs since torch 2.10).
Only the compiled CPU kernel lacks a backward. The eager path has one, exact to rounding against
plain attention, and the check in front of both is too wide. A compiler that traces the call still
meets the refusal: it breaks the graph there and runs the call eagerly (an error in a full graph).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: Callable[..., None], ctx: Any) -> Callable[..., None]:
    """Return the check, which lets CPU tensors pass unless a compiler is tracing the call."""
    is_compiling = ctx.module.torch.compiler.is_compiling

    def _validate_device(query: Any, key: Any, value: Any) -> None:
        if query.device.type != "cpu" or is_compiling():
            original(query, key, value)

    return _validate_device
