"""Train a small transformer on sums of random tokens, with settings from a file.

python examples/train_toy_transformer.py --config examples/configs/auto_speed.yaml
"""

import argparse
import logging

import shimhub.auto  # noqa: F401  # serves torch_speedkit

import torch
from torch import nn
from torch_speedkit import SpeedConfig, Trainer, apply_speedups

VOCABULARY, LENGTH, WIDTH = 256, 64, 128


class ToyTransformer(nn.Module):
    """Two layers of attention that tell, at each token, the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Parameter(torch.zeros(LENGTH, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (batch, length, vocabulary)."""
        mask = nn.Transformer.generate_square_subsequent_mask(LENGTH, device=tokens.device)
        return self.head(self.layers(self.tokens(tokens) + self.places, mask, is_causal=True))


def make_batch(batch_size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sequences that count up from a random token, and the same one token later."""
    first = torch.randint(VOCABULARY, (batch_size, 1), device=device)
    rows = (first + torch.arange(LENGTH + 1, device=device)) % VOCABULARY
    return rows[:, :-1], rows[:, 1:]


def loss_fn(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of all tokens."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())


def main() -> None:
    """Read the settings, train, and tell what was decided."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = SpeedConfig.from_yaml(parser.parse_args().config)
    torch.manual_seed(0)
    model, ctx = apply_speedups(ToyTransformer(), config)
    losses = Trainer(model, ctx, loss_fn, make_batch).train()
    print(ctx.report())
    print(f"loss: {losses[0]:.3f} -> {losses[-1]:.3f}")


if __name__ == "__main__":
    main()
