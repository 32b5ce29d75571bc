"""Small models and their training, for tests of what settings do to the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


class Block(nn.Module):
    """A layer of a transformer, with dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = [
            one.unflatten(-1, (2, -1)).transpose(1, 2)
            for one in self.qkv(self.norms[0](x)).chunk(3, -1)
        ]
        seen = nn.functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.feed(self.norms[1](x))


class Transformer(nn.Module):
    """Two layers over twenty tokens; the head is tied to the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 32)
        self.blocks = nn.Sequential(Block(32), Block(32))
        self.head = nn.Linear(32, 20, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.embed(tokens))).flatten(0, 1)


def convolutions() -> nn.Sequential:
    """Return a network of convolutions with batch norm and dropout: torch's own modules alone."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(32, 5),
    )


@dataclass
class Training:
    """A model, its optimizer, and one batch."""

    model: Any
    optimizer: Any
    inputs: torch.Tensor
    labels: torch.Tensor

    def step(self) -> float:
        """Train on the batch once and return the loss."""
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(self.inputs).float(), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def losses(self, steps: int) -> list[float]:
        """Train, and return the loss of each step."""
        return [self.step() for _ in range(steps)]


def transformer_training() -> Training:
    """Return a transformer that learns to tell the next token; always the same one."""
    torch.manual_seed(7)
    model, tokens = Transformer(), torch.randint(20, (4, 9))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return Training(model, optimizer, tokens[:, :-1], tokens[:, 1:].flatten())


def convolution_training() -> Training:
    """Return a network of convolutions that learns five classes; always the same one."""
    torch.manual_seed(7)
    model = convolutions()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return Training(model, optimizer, torch.randn(8, 3, 8, 8), torch.randint(5, (8,)))
