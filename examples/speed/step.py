"""A training step for `shimhub speed measure`: a model, an optimizer and one batch of them."""

from collections.abc import Callable

import torch
from torch import nn


def make_step() -> tuple[Callable[[], torch.Tensor], nn.Module, torch.optim.Optimizer]:
    """Return the step, and what it changes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(256, 512), nn.GELU(), nn.Linear(512, 512), nn.Linear(512, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    inputs, targets = torch.randn(16, 256), torch.randint(10, (16,))

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step, model, optimizer
