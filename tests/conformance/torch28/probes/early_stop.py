"""Print, as JSON, what a checkpointed module runs in its forward and again in its backward.

``sin`` saves its input for the backward and nothing after it saves anything, so a recompute that
stops early ends there; one that does not runs to the end.
"""

from __future__ import annotations

import json

import torch
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.utils.checkpoint import checkpoint

ASKED = {"False": {"early_stop": False}, "True": {"early_stop": True}, "not given": {}}


class Traced(torch.nn.Module):
    """A module that notes where it is."""

    def __init__(self) -> None:
        super().__init__()
        self.trace: list[str] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Note, compute, note, compute, note."""
        self.trace.append("pre")
        y = torch.sin(x)
        self.trace.append("post-a")
        z = y + 1
        self.trace.append("end")
        return z


def traced(call) -> list[str]:
    """Return the trace of a forward by ``call`` and a backward."""
    module = Traced()
    call(module)(torch.ones(2, requires_grad=True)).sum().backward()
    return module.trace


def main() -> None:
    """Trace the wrapper that TorchTitan uses, and the function below it."""
    found = {}
    for told, options in ASKED.items():
        found[f"checkpoint_wrapper, {told}"] = traced(
            lambda module, o=options: checkpoint_wrapper(module, preserve_rng_state=False, **o)
        )
        found[f"checkpoint, {told}"] = traced(
            lambda module, o=options: lambda x: checkpoint(module, x, use_reentrant=False, **o)
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
