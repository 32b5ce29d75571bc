"""``flex_attention(return_aux=)``: auxiliary outputs by name, instead of ``return_lse``.

Origin: https://github.com/pytorch/pytorch/pull/161667 (new in torch 2.9).
torch 2.8 computes the log-sum-exp and has no maximum of the scores: a request for that raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: Callable[..., Any], ctx: Any) -> Callable[..., Any]:
    """Return FlexAttention with the keyword; without it, the original's own results."""
    aux_output, torch = ctx.module.AuxOutput, ctx.version("torch")

    def flex_attention(
        query: Any,
        key: Any,
        value: Any,
        score_mod: Any = None,
        block_mask: Any = None,
        scale: float | None = None,
        enable_gqa: bool = False,
        return_lse: bool = False,
        kernel_options: dict[str, Any] | None = None,
        *,
        return_aux: Any = None,
    ) -> Any:
        if return_aux is not None:
            _check(return_lse, return_aux, torch)
            return_lse = return_aux.lse
        found = original(
            query, key, value, score_mod, block_mask, scale, enable_gqa, return_lse, kernel_options
        )
        if return_aux is None:
            return found
        return (found[0], aux_output(lse=found[1])) if return_lse else (found, aux_output())

    flex_attention.__doc__ = original.__doc__
    return flex_attention


def _check(return_lse: bool, return_aux: Any, torch: str) -> None:
    if return_lse:
        raise ValueError(
            "Cannot specify both return_lse and return_aux. "
            "return_lse is deprecated, please use return_aux=AuxRequest(lse=True) instead."
        )
    if return_aux.max_scores:
        raise NotImplementedError(
            "flex_attention(return_aux=AuxRequest(max_scores=True)) needs torch 2.9 or later, and "
            f"this is torch {torch}. Request only lse, or install torch>=2.9."
        )
