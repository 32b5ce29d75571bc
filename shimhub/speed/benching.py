"""A configuration against none on a small model: both arms in turns, and a verdict.

For a look at a machine; what a configuration does to *your* training, ``measure`` tells.
"""

from __future__ import annotations

import textwrap
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from shimhub.speed.config import SpeedConfig
from shimhub.speed.deciding import plan_of
from shimhub.speed.hardware import detect, torch_device
from shimhub.speed.knobs.applying import apply_plan
from shimhub.speed.knobs.context import SpeedContext
from shimhub.speed.model import Plan, Timing
from shimhub.speed.reporting import hardware_data
from shimhub.speed.timing import compare

#: Width and batch of the guide's own figure, and what a CPU does in a fraction of a second.
_GPU_SIZES, _CPU_SIZES = (8192, 512), (1024, 64)


@dataclass(frozen=True)
class Comparison:
    """A configuration against none: what was run, on what, and how it came out."""

    work: str
    plan: Plan
    timing: Timing


def benchmark(
    config: SpeedConfig, *, dim: int = 0, batch: int = 0, budget_s: float = 30.0
) -> Comparison:
    """Time forward, backward and AdamW of two Linear(dim, dim), with a configuration and without.

    Sizes that are 0 are chosen for the device. Everything is as before, in the end.
    """
    plan = plan_of(config, detect(config.device or "auto"))
    sizes = _CPU_SIZES if plan.hardware.kind == "cpu" else _GPU_SIZES
    dim, batch = dim or sizes[0], batch or sizes[1]
    device = torch_device(plan.hardware)
    work = _Work(plan, dim, batch, device)
    timing = compare(work.step, work.step, switch=work.switch, budget_s=budget_s, device=device)
    told = f"2 x Linear({dim}, {dim}), batch {batch}: forward, backward, AdamW"
    return Comparison(told, plan, timing)


class _Work:
    """One model for both arms: two would lie in other places of memory, and differ by that."""

    def __init__(self, plan: Plan, dim: int, batch: int, device: str) -> None:
        layers = (nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self._plan, self._model = plan, nn.Sequential(*layers).to(device)
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=1e-4)
        self._inputs = torch.randn(batch, dim, device=device)
        self._scaler = torch.amp.GradScaler(enabled=False)
        self._held: list[SpeedContext] = []

    def switch(self, on: bool) -> None:
        """Apply the plan, or undo it."""
        while self._held:
            self._held.pop().restore()
        if on:
            ctx = apply_plan(self._model, self._plan, optimizer=self._optimizer)[1]
            self._held.append(ctx)

    def step(self) -> None:
        """Run one step of training, with the context's autocast and scaler if there is one."""
        ctx = self._held[0] if self._held else None
        scaler = self._scaler if ctx is None else ctx.grad_scaler
        self._optimizer.zero_grad(set_to_none=True)
        with nullcontext() if ctx is None else ctx.autocast():
            loss = nn.functional.mse_loss(self._model(self._inputs), self._inputs)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.step(self._optimizer)
        scaler.update()


def lines_of(found: Comparison) -> list[str]:
    """Return a comparison as text of 80 columns."""
    hardware, timing = found.plan.hardware, found.timing
    applied = [one for one in found.plan.decisions if one.action.value == "apply"]
    told = ", ".join(f"{one.knob} {one.value}" for one in applied) or "nothing: all is left alone"
    rows = {
        "Device": f"{hardware.kind}: {hardware.name}, torch {hardware.torch}",
        "Work": found.work,
        "Applied": told,
        "Plain step": f"{timing.plain_seconds * 1000:.2f} ms",
        "Ratio": f"{timing.ratio:.3f} [{timing.low:.3f}, {timing.high:.3f}] "
        f"after {timing.pairs} pairs, load {timing.load:.1f}",
        "Verdict": timing.verdict.value + (f": {timing.reason}" if timing.reason else ""),
    }
    filled = [
        textwrap.wrap(text, 80, initial_indent=f"{name + ':':<12}", subsequent_indent=" " * 12)
        for name, text in rows.items()
    ]
    return [line for lines in filled for line in lines]


def data_of(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON takes it."""
    hardware = hardware_data(found.plan.hardware)
    applied = {
        one.knob: str(one.value) for one in found.plan.decisions if one.action.value == "apply"
    }
    timing = asdict(found.timing) | {"verdict": found.timing.verdict.value}
    return {"work": found.work, "hardware": hardware, "applied": applied, "timing": timing}
