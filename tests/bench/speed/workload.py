"""What is timed: steps of a small model on the CPU, beside a process that keeps a core busy.

``main`` is the same work as slowai wants it: a file that it loads, with one function.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

_STEPS = 30
_BUSY = "while True: sum(range(10_000))"


def model() -> nn.Module:
    """Return the model: two layers."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 64 rows and their classes."""
    return torch.randn(64, 64), torch.randint(0, 10, (64,))


def training_step() -> Callable[[], None]:
    """Return one step of training: forward, backward, AdamW."""
    net = model()
    optimizer = torch.optim.AdamW(net.parameters())
    loss = nn.CrossEntropyLoss()
    rows, classes = batch()

    def step() -> None:
        optimizer.zero_grad()
        loss(net(rows), classes).backward()
        optimizer.step()

    return step


def worked_step(units: int) -> Callable[[], None]:
    """Return a step of so many equal units of work: 13 against 10 is 1.3 x by construction.

    A unit is too small for a second thread, which would wait for the busy process now and then.
    """
    rows = torch.randn(16_000)

    def step() -> None:
        for _ in range(units):
            torch.tanh(rows)

    return step


def tf32(on: bool) -> None:
    """Set TF32 for CUDA: on a CPU it does nothing, and nothing but noise can tell it apart."""
    torch.backends.cuda.matmul.allow_tf32 = on


@contextmanager
def neighbour() -> Iterator[None]:
    """Keep a core busy by another process."""
    busy = subprocess.Popen([sys.executable, "-c", _BUSY])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def main() -> None:
    """Train for some steps."""
    step = training_step()
    for _ in range(_STEPS):
        step()
