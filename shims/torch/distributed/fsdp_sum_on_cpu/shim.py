"""FSDP2 reduces gradients on CPU with plain SUM and divides afterwards.

Origin: https://github.com/pytorch/pytorch/pull/155915 (the switch for it, off by default).
Gloo has no PREMUL_SUM, which FSDP2 picks for a custom divide factor (torchtitan >= 0.2.1 sets one),
and its AVG was a SUM up to torch 2.8 (https://github.com/pytorch/pytorch/issues/162338).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: Callable[..., Any], ctx: Any) -> Callable[..., Any]:
    """Return the choice of factors and operations with SUM forced for CPU tensors."""

    def _get_gradient_divide_factors(
        reduce_scatter_group: Any,
        all_reduce_group: Any,
        reduce_dtype: Any,
        device_type: str = "",
        factor: float | None = None,
        force_sum_reduction_for_comms: bool = False,
    ) -> Any:
        return original(
            reduce_scatter_group,
            all_reduce_group,
            reduce_dtype,
            device_type,
            factor,
            force_sum_reduction_for_comms or device_type == "cpu",
        )

    return _get_gradient_divide_factors
