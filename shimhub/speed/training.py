"""A small training loop with mixed precision, accumulation and clipping, as SpeedKit has it.

Origin: https://github.com/officialcyber88/torch-tensorcore-speedkit (its surface). The loss is
read from the device once a log line, not once a micro-step: that would wait for the device.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from shimhub.speed.config import SpeedConfig
from shimhub.speed.errors import SpeedConfigError
from shimhub.speed.knobs.context import SpeedContext

logger = logging.getLogger("shimhub.speed")

#: What the configuration leaves open.
_LR, _WEIGHT_DECAY, _STEPS, _BATCH, _LOG_EVERY = 3e-4, 0.01, 200, 32, 20

Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class StepMetrics:
    """One step: its loss, on the CPU, its time in seconds and the learning rate."""

    loss: float
    step_time_s: float
    lr: float


def make_adamw(
    params: Iterable[torch.nn.Parameter],
    lr: float = _LR,
    weight_decay: float = _WEIGHT_DECAY,
    fused: bool | None = None,
    foreach: bool | None = None,
) -> torch.optim.AdamW:
    """Return an AdamW; raises SpeedConfigError where both ``fused`` and ``foreach`` are on."""
    if fused and foreach:
        raise SpeedConfigError("optimizer.fused and optimizer.foreach exclude each other")
    options: dict[str, Any] = {"fused": fused, "foreach": None if fused else foreach}
    return torch.optim.AdamW(params, lr=lr, weight_decay=weight_decay, **options)


class Trainer:
    """Train ``model`` for the steps of the configuration's ``train`` table.

    ``loss_fn(output, target)`` returns a scalar, ``make_batch(batch_size, device)`` an input and a
    target.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        ctx: SpeedContext,
        loss_fn: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        make_batch: Callable[[int, torch.device], Batch],
    ) -> None:
        self.model, self.ctx = model, ctx
        self.loss_fn, self.make_batch = loss_fn, make_batch
        self.config = SpeedConfig() if ctx.cfg is None else ctx.cfg
        told = self.config.optimizer
        self.optimizer = make_adamw(
            model.parameters(),
            lr=_LR if told.lr is None else told.lr,
            weight_decay=_WEIGHT_DECAY if told.weight_decay is None else told.weight_decay,
            fused=told.fused,
            foreach=told.foreach,
        )
        self.scaler = ctx.grad_scaler

    def train(self) -> list[float]:
        """Run all steps; return the losses that were logged, and log them."""
        table = self.config.train
        count = (table.epochs or 1) * (table.steps_per_epoch or _STEPS)
        every = table.log_every or _LOG_EVERY
        self.model.train()
        losses = []
        for step in range(1, count + 1):
            started = time.perf_counter()
            loss = self._step()
            if step % every == 0 or step == count:
                losses.append(float(loss))
                spent = (time.perf_counter() - started) * 1000
                logger.info("step %d/%d: loss %.4f, %.1f ms", step, count, losses[-1], spent)
        return losses

    def train_step(self) -> StepMetrics:
        """Run one step and return what it came to."""
        started = time.perf_counter()
        loss = float(self._step())
        lr = float(self.optimizer.param_groups[0]["lr"])
        return StepMetrics(loss, time.perf_counter() - started, lr)

    def _step(self) -> torch.Tensor:
        """Run one step and return its loss, still on the device."""
        table = self.config.train
        parts = table.grad_accum_steps or 1
        self.optimizer.zero_grad(set_to_none=True)
        losses = [self._backward(table.batch_size or _BATCH, parts) for _ in range(parts)]
        if table.clip_grad_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), table.clip_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return torch.stack(losses).sum()

    def _backward(self, batch_size: int, parts: int) -> torch.Tensor:
        inputs, target = self.make_batch(batch_size, self.ctx.device)
        with self.ctx.sdp(), self.ctx.autocast():
            loss = self.loss_fn(self.model(inputs), target) / parts
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()
