"""Small helpers under the names of torch_speedkit."""

from __future__ import annotations

import os
import random

import numpy as np
import torch

__all__ = ["env_flag", "maybe_channels_last", "set_seed"]


def set_seed(seed: int, deterministic: bool) -> None:
    """Seed python, numpy and torch; with ``deterministic`` torch takes deterministic kernels."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    if deterministic:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


def maybe_channels_last(x: torch.Tensor, enabled: bool) -> torch.Tensor:
    """Return a batch of images, 4-d, in channels_last where that is enabled; else as it is."""
    is_image = enabled and x.dim() == 4
    return x.contiguous(memory_format=torch.channels_last) if is_image else x


def env_flag(name: str) -> str | None:
    """Return an environment variable; None where it is not set, or empty."""
    return os.environ.get(name) or None
