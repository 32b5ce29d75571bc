"""The training loop of the release."""

from __future__ import annotations

import pytest

from tests.speedkit.served import served


def test_it_trains_with_accumulation_and_clipping() -> None:
    """The loss falls; a step tells its loss, its time and the learning rate."""
    torch = pytest.importorskip("torch")
    with served("") as package:
        torch.manual_seed(0)
        table = {"steps_per_epoch": 30, "grad_accum_steps": 2, "clip_grad_norm": 1.0}
        config = {"optimizer": {"lr": 0.05}, "train": {**table, "log_every": 29, "batch_size": 4}}
        model, ctx = package.apply_speedups(torch.nn.Linear(3, 1), config)
        trainer = package.Trainer(
            model,
            ctx,
            torch.nn.functional.mse_loss,
            lambda size, device: (torch.ones(size, 3, device=device), torch.ones(size, 1)),
        )
        first = trainer.train_step()
        losses = trainer.train()
        assert 2 == len(losses)
        assert losses[-1] < first.loss
        assert (0.05, True) == (first.lr, first.step_time_s > 0)
