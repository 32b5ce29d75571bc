"""Inductor's option ``wrap_inductor_compiled_regions`` is known before torch 2.10, without effect.

Origin: https://github.com/pytorch/pytorch/pull/167844
The option makes compiled code visible as one operator, so that selective checkpointing can save its
result. Without it the code is computed again in the backward pass: the values are the same.
"""

from __future__ import annotations

from typing import Any


def build(original: None, ctx: Any) -> Any:
    """Return the option's entry in Inductor's configuration: a bool, off by default."""
    from torch.utils._config_module import _Config, _ConfigEntry

    return _ConfigEntry(_Config(default=False))
