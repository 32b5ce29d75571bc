"""The optimizer of the release."""

from __future__ import annotations

import pytest

from shimhub.speed import SpeedConfigError
from tests.speedkit.served import served


def test_fused_and_foreach_exclude_each_other() -> None:
    """An AdamW with what was told; both at once is an error before torch's."""
    torch = pytest.importorskip("torch")
    with served("optim") as module:
        weights = [torch.nn.Parameter(torch.ones(2))]
        made = module.make_adamw(weights, lr=0.5, fused=True)
        assert (0.5, True) == (made.param_groups[0]["lr"], made.param_groups[0]["fused"])
        with pytest.raises(SpeedConfigError, match="exclude"):
            module.make_adamw(weights, fused=True, foreach=True)
