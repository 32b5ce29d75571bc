"""TorchTitan 0.3 tells at once which SPMD backends torch 2.13 cannot serve, and which one works.

Origin: https://github.com/pytorch/torchtitan/blob/v0.3.0/torchtitan/distributed/full_dtensor.py
Both refused backends give ``fully_shard`` a ``dp_mesh_dims``. On torch 2.13 "spmd_types" then dies
deep inside ("all parameters must be DTensors"), and "full_dtensor" trains on twice the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_REASONS = {
    "spmd_types": "needs fully_shard(dp_mesh_dims=...) to take plain tensors, which torch 2.14 brings",
    "full_dtensor": "reports a loss that is multiplied by the number of data-parallel ranks",
}


def build(original: Callable[..., None], ctx: Any) -> Callable[..., None]:
    """Return the validation of degrees, followed by that of the backend."""

    def _validate(self: Any) -> None:
        original(self)
        ranks = self.dp_replicate * self.dp_shard * self.cp * self.tp
        if ranks > 1 and self.spmd_backend in _REASONS:
            raise ValueError(_refusal(self.spmd_backend, ranks, ctx.version("torch")))

    return _validate


def _refusal(backend: str, ranks: int, torch: str | None) -> str:
    return (
        f"--parallelism.spmd_backend {backend} cannot run on {ranks} ranks with torch {torch}: it "
        f"{_REASONS[backend]}. Use --parallelism.spmd_backend partial_dtensor."
    )
