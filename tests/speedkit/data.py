"""What the blocks of the SpeedKit guide leave to their reader."""

import torch
from torch import nn

__all__ = ["batch_x", "batch_y", "dataloader", "input", "loss_fn", "model", "my_model", "optimizer"]

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10))
my_model = nn.Sequential(nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.AdamW(model.parameters())
loss_fn = nn.CrossEntropyLoss()
dataloader = [(torch.randn(8, 512), torch.randint(10, (8,))) for _ in range(2)]
batch_x, batch_y = dataloader[0]
input = batch_x  # noqa: A001  # the guide's name


def __getattr__(name: str):
    """Return a tiny configuration of BERT and its batches to the block that asks for them."""
    from transformers import BertConfig

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    tiny = BertConfig(vocab_size=64, intermediate_size=64, max_position_embeddings=32, **sizes)
    ids = torch.randint(64, (2, 8))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids[:, 0] % 2}
    found = {"TINY": tiny, "tokens": [batch]}
    if name not in found:
        raise AttributeError(name)
    return found[name]
