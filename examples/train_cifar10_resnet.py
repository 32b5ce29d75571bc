"""Train a small residual network on CIFAR-10, or on pictures of its shape where there is none.

    python examples/train_cifar10_resnet.py --config examples/configs/auto_speed.yaml

`--data DIR` names a folder with CIFAR-10 as torchvision keeps it; nothing is downloaded.
"""

import argparse
import logging

import shimhub.auto  # noqa: F401  # serves torch_speedkit

import torch
from torch import nn
from torch_speedkit import SpeedConfig, Trainer, apply_speedups
from torch_speedkit.utils import maybe_channels_last


class Block(nn.Module):
    """Two convolutions and the way around them."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.around = nn.Conv2d(width, out, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of shape (batch, out, height / stride, width / stride)."""
        return torch.relu(self.body(x) + self.around(x))


def make_model() -> nn.Module:
    """Return a network from (batch, 3, 32, 32) to ten logits."""
    stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*stem, *blocks, *head)


def load(folder: str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures of shape (n, 3, 32, 32) in 0..1 and labels: CIFAR-10's, or made ones."""
    if folder is None:
        labels = torch.arange(2000) % 10
        # A brightness for each class under noise: something that can be learnt.
        return torch.rand(2000, 3, 32, 32) * 0.5 + labels.view(-1, 1, 1, 1) / 20, labels
    from torchvision.datasets import CIFAR10  # type: ignore[import-not-found]

    found = CIFAR10(folder, train=True, download=False)
    pictures = torch.from_numpy(found.data).permute(0, 3, 1, 2) / 255
    return pictures, torch.tensor(found.targets)


def main() -> None:
    """Read the settings, train, and tell what was decided."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--data", metavar="DIR", help="CIFAR-10; default: made pictures")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = SpeedConfig.from_yaml(options.config)
    torch.manual_seed(0)
    pictures, labels = load(options.data)
    model, ctx = apply_speedups(make_model(), config)

    def make_batch(size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        rows = torch.randint(len(labels), (size,))
        images = maybe_channels_last(pictures[rows], bool(config.channels_last))
        return images.to(device), labels[rows].to(device)

    losses = Trainer(model, ctx, nn.functional.cross_entropy, make_batch).train()
    print(ctx.report())
    print(f"loss: {losses[0]:.3f} -> {losses[-1]:.3f}")


if __name__ == "__main__":
    main()
