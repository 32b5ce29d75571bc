"""``torch.nn.attention.varlen`` before torch 2.10: attention within each of the packed sequences.

Origin: https://github.com/pytorch/pytorch/pull/164502 (and the keywords of later releases).
Upstream calls Flash Attention once for all sequences; this computes them one by one, on any device
and in any floating type, with the same values and gradients to rounding. It is slow for many short
sequences and holds the scores of one sequence at a time. The operators have upstream's names, since
callers name them in lists of what to save. What only Flash Attention can do raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["AuxRequest", "varlen_attn"]

_OPTIONS = "bool is_causal=False, float? scale=None, SymInt[]? window_size=None"
_SIZES = "Tensor cu_seq_q, Tensor cu_seq_k, SymInt max_q, SymInt max_k"


class AuxRequest(NamedTuple):
    """Which auxiliary outputs ``varlen_attn`` is to return."""

    lse: bool = False


def varlen_attn(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor | None,
    max_q: int,
    max_k: int,
    is_causal: bool = False,
    *,
    return_aux: AuxRequest | None = None,
    scale: float | None = None,
    window_size: tuple[int, int] = (-1, -1),
    enable_gqa: bool = False,
    seqused_k: Tensor | None = None,
    block_table: Tensor | None = None,
    num_splits: int | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the attention of each query token to the keys of its own sequence.

    Tensors are (tokens, heads, head size); ``cu_seq_q`` and ``cu_seq_k`` tell where the sequences
    start and end. ``window_size`` is how many keys before and after its own place a query sees, -1
    for all, where both sequences end at the same place. ``is_causal`` is how torch 2.10 and 2.11
    say ``window_size=(-1, 0)``. With ``return_aux.lse`` also returns the log-sum-exp of the scores
    (heads, tokens). Raises ValueError for heads that do not match, NotImplementedError for paged
    keys. ``num_splits`` is about the kernel's speed and changes nothing.
    """
    if cu_seq_k is None or seqused_k is not None or block_table is not None:
        raise NotImplementedError(
            "varlen_attn(cu_seq_k=None, seqused_k=, block_table=) reads a paged cache by Flash "
            f"Attention: install torch >= 2.12 (this is {torch.__version__})"
        )
    _check_heads(query.size(1), key.size(1), enable_gqa)
    window = [-1, 0] if is_causal and tuple(window_size) == (-1, -1) else list(window_size)
    out, lse, _ = torch.ops.torch_attn._varlen_attn(
        *(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k),
        *(window == [-1, 0], scale, window),
    )
    return (out, lse) if return_aux is not None and return_aux.lse else out


def _check_heads(of_query: int, of_key: int, enable_gqa: bool) -> None:
    if not enable_gqa and of_query != of_key:
        raise ValueError(
            f"Expect query and key/value to have the same number of heads but got Hq={of_query} "
            f"and Hkv={of_key}. Try setting enable_gqa=True for GQA."
        )
    if of_query % of_key:
        raise ValueError(
            "Expect number of query heads to be a multiple of kv heads for GQA but got "
            f"Hq={of_query} and Hkv={of_key}."
        )


@torch.library.custom_op(
    "torch_attn::_varlen_attn",
    mutates_args=(),
    schema=f"(Tensor query, Tensor key, Tensor value, {_SIZES}, {_OPTIONS})"
    " -> (Tensor, Tensor, Tensor)",
)
def _varlen_attn(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    is_causal: bool = False,
    scale: float | None = None,
    window_size: list[int] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    out, lse, rng_state = _like_outputs(query)
    for q, k in _sequences(cu_seq_q, cu_seq_k):
        scores = _scores(query[q], key[k], is_causal, scale, window_size)
        total = scores.logsumexp(-1)
        total = total.masked_fill(total == -torch.inf, torch.inf)  # saw no key: attends to nothing
        weights = (scores - total.unsqueeze(-1)).exp()
        seen = weights @ _by_head(value[k], query.size(1))
        out[q] = seen.transpose(0, 1).to(out.dtype)
        lse[:, q] = total
    return out, lse, rng_state.zero_()


@torch.library.custom_op(
    "torch_attn::_varlen_attn_backward",
    mutates_args=(),
    schema="(Tensor grad_out, Tensor query, Tensor key, Tensor value, Tensor out, Tensor lse, "
    f"{_SIZES}, {_OPTIONS}) -> (Tensor, Tensor, Tensor)",
)
def _varlen_attn_backward(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    lse: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    is_causal: bool = False,
    scale: float | None = None,
    window_size: list[int] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    grads = [torch.zeros_like(one, dtype=_wide(one)) for one in (query, key, value)]
    heads, factor = query.size(1), _factor(query, scale)
    for q, k in _sequences(cu_seq_q, cu_seq_k):
        scores = _scores(query[q], key[k], is_causal, scale, window_size)
        weights = (scores - lse[:, q].unsqueeze(-1)).exp()
        told, given = _by_head(grad_out[q], heads), _by_head(out[q], heads)
        towards = told @ _by_head(value[k], heads).transpose(1, 2)
        towards = weights * (towards - (told * given).sum(-1, keepdim=True)) * factor
        grads[0][q] = (towards @ _by_head(key[k], heads)).transpose(0, 1)
        grads[1][k] = _ungroup(towards.transpose(1, 2) @ _by_head(query[q], heads), key)
        grads[2][k] = _ungroup(weights.transpose(1, 2) @ told, value)
    return grads[0].to(query.dtype), grads[1].to(key.dtype), grads[2].to(value.dtype)


def _sequences(cu_seq_q: Tensor, cu_seq_k: Tensor) -> Iterator[tuple[slice, slice]]:
    ends_q, ends_k = cu_seq_q.tolist(), cu_seq_k.tolist()
    parts_q = map(slice, ends_q, ends_q[1:])
    return zip(parts_q, map(slice, ends_k, ends_k[1:]), strict=True)


def _scores(
    query: Tensor, key: Tensor, is_causal: bool, scale: float | None, window: list[int] | None
) -> Tensor:
    """Return the scaled scores of one sequence (heads, queries, keys), -inf outside the window."""
    before, after = (-1, 0) if is_causal else window or (-1, -1)
    heads = query.size(1)
    scores = _by_head(query, heads) @ _by_head(key, heads).transpose(1, 2) * _factor(query, scale)
    places = torch.arange(key.size(0), device=key.device)
    own = torch.arange(query.size(0), device=key.device) + key.size(0) - query.size(0)
    distance = places - own.unsqueeze(1)
    hidden = torch.zeros_like(distance, dtype=torch.bool)
    if before >= 0:
        hidden |= distance < -before
    if after >= 0:
        hidden |= distance > after
    return scores.masked_fill(hidden, -torch.inf)


def _by_head(tokens: Tensor, heads: int) -> Tensor:
    """Return (tokens, heads, size) as (heads, tokens, size), wide, each head for its group."""
    wide = tokens.to(_wide(tokens)).transpose(0, 1)
    return wide.repeat_interleave(heads // wide.size(0), 0)


def _ungroup(by_head: Tensor, like: Tensor) -> Tensor:
    """Sum over the heads that shared one, and return (tokens, heads, size)."""
    return by_head.unflatten(0, (like.size(1), -1)).sum(1).transpose(0, 1)


def _wide(tokens: Tensor) -> torch.dtype:
    return torch.promote_types(tokens.dtype, torch.float32)


def _factor(query: Tensor, scale: float | None) -> float:
    return query.size(-1) ** -0.5 if scale is None else scale


@_varlen_attn.register_fake
def _like_outputs(query: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return outputs with nothing in them: attention, log-sum-exp, and upstream's state of RNG."""
    lse = query.new_empty((query.size(1), query.size(0)), dtype=_wide(query))
    return torch.zeros_like(query), lse, query.new_empty((2,), dtype=torch.uint64)


@_varlen_attn_backward.register_fake
def _like_grads(
    grad_out: Tensor, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    query, key, value, cu_seq_q, cu_seq_k, *ctx.options = inputs
    ctx.save_for_backward(query, key, value, *output[:2], cu_seq_q, cu_seq_k)


def _backward(ctx: Any, grad_out: Tensor, *of_others: Tensor | None) -> tuple[Any, ...]:
    """Return the gradients; as upstream's, those of the log-sum-exp do not count."""
    told = (grad_out, *ctx.saved_tensors, *ctx.options)
    return *torch.ops.torch_attn._varlen_attn_backward(*told), *[None] * 7


_varlen_attn.register_autograd(_backward, setup_context=_setup_context)
