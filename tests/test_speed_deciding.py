"""What a configuration comes to on some hardware, for every kind of it."""

from __future__ import annotations

from shimhub.speed.config import SpeedConfig
from shimhub.speed.deciding import plan_of
from shimhub.speed.model import Action, Hardware

CPU = Hardware("cpu", "a CPU")


def plan(hardware, **keys):
    """Return the plan of some keys."""
    return plan_of(SpeedConfig.from_dict(keys, environ={}), hardware)


def test_auto_touches_nothing_on_a_cpu():
    """On a CPU ``auto`` is fp32, and every knob is left as it is."""
    found = plan(CPU, precision="auto", compile={"enabled": "auto"})
    assert {Action.LEAVE} == {one.action for one in found.decisions}
    assert "fp32" == found.of("precision").value


def test_auto_on_a_gpu_with_bf16_is_bf16_and_tf32():
    """From compute capability 8.0 ``auto`` counts as asking for both."""
    found = plan(Hardware("cuda", "a GPU", capability=(8, 9)), precision="auto")
    told = {one.knob: one.value for one in found.decisions if one.action is Action.APPLY}
    assert {"precision": "bf16", "fp32_precision": "high"} == told
    assert "sm=8.9 (>=8.0) -> bf16" in found.trace
