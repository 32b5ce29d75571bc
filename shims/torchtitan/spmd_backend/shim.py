"""TorchTitan 0.3 tells at once which SPMD backends torch 2.13 cannot serve, and which one works.

Origin: https://github.com/pytorch/torchtitan/blob/v0.3.0/torchtitan/distributed/full_dtensor.py
"spmd_types" dies deep inside `fully_shard` ("all parameters must be DTensors"), which understands
typed parameters from torch 2.14 on. "full_dtensor" trains rightly, but its loss is summed over the
data-parallel ranks twice, so that the log shows a multiple of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_SPMD_TYPES = "fully_shard() does not understand parameters of spmd_types before torch 2.14"
_FULL_DTENSOR = "the loss in the log is multiplied by the number of data-parallel ranks"


def build(original: Callable[..., None], ctx: Any) -> Callable[..., None]:
    """Return the validation of degrees, followed by that of the backend."""

    def _validate(self: Any) -> None:
        original(self)
        reason = _reason(self)
        if reason:
            raise ValueError(_refusal(self, reason, ctx.version("torch"), ctx.shim))

    return _validate


def _reason(dims: Any) -> str:
    data_ranks = dims.dp_replicate * dims.dp_shard * dims.cp
    if dims.spmd_backend == "spmd_types" and data_ranks * dims.tp > 1:
        return _SPMD_TYPES
    if dims.spmd_backend == "full_dtensor" and data_ranks > 1:
        return _FULL_DTENSOR
    return ""


def _refusal(dims: Any, reason: str, torch: str | None, shim: str) -> str:
    return (
        f"--parallelism.spmd_backend {dims.spmd_backend} does not work on {dims.world_size} ranks "
        f"with torch {torch}: {reason}. Use --parallelism.spmd_backend partial_dtensor "
        f"(or go on at your own risk with `shimhub run --disable {shim}`)."
    )
