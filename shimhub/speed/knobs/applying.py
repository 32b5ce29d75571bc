"""``apply_speedups``: a configuration to settings in force, all of them or none."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import torch

from shimhub.errors import nearest
from shimhub.speed.errors import KnobError
from shimhub.speed.knobs import KNOBS
from shimhub.speed.knobs._layers import push
from shimhub.speed.knobs.context import SpeedContext, decided
from shimhub.speed.model import Action, Decision, Knob, Plan, Targets

if TYPE_CHECKING:
    from shimhub.speed.config import SpeedConfig

_LOG: Final = logging.getLogger("shimhub.speed")
#: Decisions that are no knob: the context carries them out, or they are done once.
_OTHERS: Final = ("precision", "grad_scaler", "seed", "device")


def apply_speedups(
    model: Any,
    config: SpeedConfig | Mapping[str, Any] | None = None,
    *,
    optimizer: Any = None,
) -> tuple[Any, SpeedContext]:
    """Apply a configuration and return the same model, and the context that undoes it.

    Where the configuration names no device, it is decided for the one that the model is on. If
    anything fails, everything is as it was before. Raises SpeedConfigError for a configuration
    that means nothing, KnobError for a setting that was asked for and cannot be had.
    """
    from shimhub.speed.config import SpeedConfig
    from shimhub.speed.deciding import plan_of
    from shimhub.speed.hardware import detect

    settings = config if isinstance(config, SpeedConfig) else SpeedConfig.from_dict(config or {})
    settings.validate()
    plan = plan_of(settings, detect(_device_of(settings.device, model)))
    cache = settings.amp.autocast_cache_enabled
    model, context = apply_plan(model, plan, optimizer=optimizer, cache=cache)
    context.cfg = settings
    return model, context


def _device_of(asked: str | None, model: Any) -> str:
    """Return the device that was asked for, or that of the model's first parameter."""
    if asked not in {None, "auto"}:
        return str(asked)
    first = next(iter(model.parameters()), None) if isinstance(model, torch.nn.Module) else None
    return "auto" if first is None or first.is_meta else str(first.device)


def apply_plan(
    model: Any, plan: Plan, *, optimizer: Any = None, cache: bool | None = None
) -> tuple[Any, SpeedContext]:
    """Carry out a plan and return the same model, and the context that undoes it."""
    _check(plan)
    targets = Targets(model=model, optimizer=optimizer)
    context = SpeedContext(plan, targets, cache)
    try:
        for decision in _in_order(plan):
            _apply(decision, targets, context)
        _tell_device(decided(plan, "device"), model, context)
        _seed(decided(plan, "seed"), context)
    except BaseException:
        context.restore()
        raise
    return model, context


def _in_order(plan: Plan) -> list[Decision]:
    """Return what is to be applied: in the order of the knobs, what is turned off before them."""
    order = {name: number for number, name in enumerate(KNOBS)}
    chosen = [d for d in plan.decisions if d.knob in order and d.action is Action.APPLY]
    return sorted(chosen, key=lambda one: (one.value is not False, order[one.knob]))


def _check(plan: Plan) -> None:
    """Raise KnobError if a plan decides on what there is not."""
    known = [*KNOBS, *_OTHERS]
    for decision in plan.decisions:
        if decision.knob not in known:
            problem = f"a plan decides on {decision.knob!r}, which is no knob"
            raise KnobError(problem + nearest(decision.knob, known))


def _apply(decision: Decision, targets: Targets, context: SpeedContext) -> None:
    """Apply one decision, or note why it is passed over."""
    knob = KNOBS[decision.knob]
    reason = _passed_over(knob, decision, targets, context.plan)
    if not reason:
        context.add(push(knob, decision.value, targets))
        return
    context.notes.append(f"{knob.id}: not applied: {reason}")
    if decision.asked:
        _LOG.warning(context.notes[-1])


def _passed_over(knob: Knob, decision: Decision, targets: Targets, plan: Plan) -> str:
    """Return why a decision is not carried out; what the user asked for is tried in any case."""
    if knob.scope != "process" and getattr(targets, knob.scope) is None:
        return f"it acts on the {knob.scope}, and none was given"
    wrong = _wrong_kind(knob.scope, targets)
    if decision.asked and wrong:
        raise KnobError(f"{knob.id}: {wrong}")
    if decision.asked or wrong:
        return wrong
    return knob.why_not(decision.value, plan.hardware, targets)


def _wrong_kind(scope: str, targets: Targets) -> str:
    """Return what a model or optimizer is that is none; empty where it is one."""
    model, optimizer = targets.model, targets.optimizer
    if scope == "model" and not isinstance(model, torch.nn.Module):
        return f"it acts on a torch.nn.Module, and this is {type(model).__name__}"
    if scope == "optimizer" and not hasattr(optimizer, "param_groups"):
        return f"it acts on a torch.optim.Optimizer, and this is {type(optimizer).__name__}"
    return ""


def _tell_device(device: str | None, model: Any, context: SpeedContext) -> None:
    """Tell when the model is elsewhere than the settings are for: it is the user's to move."""
    here = _device_of(None, model)
    if device is None or here == "auto" or here.partition(":")[0] == device.partition(":")[0]:
        return
    context.notes.append(f"device: settings are for {device}, the model is on {here}: move it")
    _LOG.warning(context.notes[-1])


def _seed(seed: int | None, context: SpeedContext) -> None:
    """Seed Python, NumPy where it is loaded, and torch; it is done once, and not undone."""
    if seed is None:
        return
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    torch.manual_seed(seed)
    context.notes.append(f"seed: seeded with {seed}, as asked; restore does not rewind that")
