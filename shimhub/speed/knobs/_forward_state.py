"""What a forward changes beside its result: random numbers drawn, and buffers of the model.

What its code does to other objects cannot be taken back: where torch itself fails behind a break
of the graph in the first call, the part before the break runs twice.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class ForwardState:
    """Generators and buffers before a call that may have to run a second time."""

    python: Any
    cpu: torch.Tensor
    devices: tuple[torch.Tensor, ...]
    buffers: tuple[tuple[torch.Tensor, torch.Tensor], ...]

    @classmethod
    def of(cls, model: Any) -> ForwardState:
        """Copy the state; a device that was not used yet has none."""
        device: Any = torch.cuda
        cuda = device.get_rng_state_all() if device.is_initialized() else []
        buffers = tuple((one, one.detach().clone()) for one in model.buffers())
        return cls(random.getstate(), torch.get_rng_state(), tuple(cuda), buffers)

    def bring_back(self) -> None:
        """Write the state back in place."""
        random.setstate(self.python)
        torch.set_rng_state(self.cpu)
        if self.devices:
            torch.cuda.set_rng_state_all(self.devices)
        with torch.no_grad():
            for buffer, values in self.buffers:
                buffer.copy_(values)
