"""What is detected and what ``auto`` comes to, under the names of torch_speedkit."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from typing import Any

from shimhub.speed.config import SpeedConfig
from shimhub.speed.deciding import plan_of
from shimhub.speed.hardware import detect
from shimhub.speed.model import Action

#: What devices have that multiply in bf16, beside NVIDIA's.
_BF16 = {"bf16", "avx512_bf16", "amx_bf16"}

__all__ = ["get_device_capabilities", "optimize_config"]


def get_device_capabilities() -> dict[str, Any]:
    """Return what this machine can do, and how that was decided."""
    hardware = detect()
    plan = plan_of(
        SpeedConfig.from_dict({"precision": "auto", "compile": {"enabled": "auto"}}), hardware
    )
    capability = hardware.capability or (0, 0)
    is_ampere = hardware.kind == "cuda" and capability >= (8, 0)
    return {
        "os": sys.platform,
        "cuda_available": hardware.kind in ("cuda", "rocm"),
        "gpu_name": None if hardware.kind == "cpu" else hardware.name,
        "compute_capability": capability,
        "supports_compile": hardware.system != "Windows",
        "supports_tf32": is_ampere,
        "supports_bf16": is_ampere or bool(_BF16 & hardware.features),
        "recommended_precision": plan.of("precision").value,
        "decision_trace": list(plan.trace),
    }


def optimize_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a configuration with ``auto`` replaced by what it comes to here."""
    told = copy.deepcopy(dict(config))
    plan = plan_of(SpeedConfig.from_dict(told), detect())
    if told.get("precision") == "auto":
        told["precision"] = plan.of("precision").value
    if (told.get("compile") or {}).get("enabled") == "auto":
        told["compile"]["enabled"] = plan.of("compile").action is Action.APPLY
    return told
