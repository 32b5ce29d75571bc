"""Steps that tests of speed's state, gate and measurement run; torch is there."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cross_entropy


class Toggle:
    """A switch of two functions, such as a knob has."""

    def __init__(self, on=lambda: None, off=lambda: None) -> None:
        self.on = on
        self.off = off


def groups(optimizer, **settings):
    """Return a switch that sets something in all groups of an optimizer."""
    before = [dict(group) for group in optimizer.param_groups]

    def on():
        for group in optimizer.param_groups:
            group.update(settings)

    def off():
        for group, was in zip(optimizer.param_groups, before, strict=True):
            group.update(was)

    return Toggle(on, off)


class Autocast:
    """A switch of autocast around the whole step."""

    def __init__(self, dtype=torch.bfloat16) -> None:
        self.dtype = dtype

    def on(self):
        self.context = torch.autocast("cpu", self.dtype)
        self.context.__enter__()

    def off(self):
        self.context.__exit__(None, None, None)


class Mlp:
    """A step with a BatchNorm and an AdamW; ``kinds`` changes what is in it."""

    def __init__(self, *, dropout=0.0, optimizer=torch.optim.AdamW, lr=1e-3, warm=2) -> None:
        torch.manual_seed(0)
        layers = [nn.Linear(16, 32), nn.BatchNorm1d(32), nn.GELU(), nn.Dropout(dropout)]
        self.model = nn.Sequential(*layers, nn.Linear(32, 5))
        self.optimizer = optimizer(self.model.parameters(), lr=lr)
        self.x = torch.randn(24, 16)
        self.y = torch.randint(0, 5, (24,))
        for _ in range(warm):
            self.step()

    def step(self):
        self.optimizer.zero_grad()
        loss = cross_entropy(self.model(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss
