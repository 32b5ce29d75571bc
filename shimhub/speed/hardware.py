"""What this machine has, asked of torch without waking a device that was not asked for."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from shimhub.speed.errors import DeviceError
from shimhub.speed.model import Hardware

_CPUINFO = Path("/proc/cpuinfo")
#: Instruction sets that a training step can feel, of x86-64 and of aarch64.
_TOLD = re.compile(r"avx\w*|amx\w*|fma|f16c|asimd\w*|neon|sve\w*|bf16|i8mm|fphp")
#: What torch.cpu.get_capabilities writes with an underscore and /proc/cpuinfo without.
_SPLIT = re.compile(r"avx512_(f|bw|cd|dq|vl|vbmi|ifma)")


def detect(device: str = "auto") -> Hardware:
    """Return the device as it is here; ``auto`` is torch's accelerator, or the CPU.

    A GPU is opened only if there is one and it is asked for, by name or by ``auto``.
    Raises DeviceError for one that is not here.
    """
    torch = _torch()
    kind, index = _chosen(torch, device)
    if kind == "cpu":
        return _cpu(torch)
    return _gpu(torch, kind, index)


def torch_device(hardware: Hardware) -> str:
    """Return what torch calls the device: ROCm is ``cuda`` there."""
    kind = "cuda" if hardware.kind == "rocm" else hardware.kind
    return f"{kind}:{hardware.index}" if kind in ("cuda", "xpu") else kind


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        return None
    return torch


def _chosen(torch: Any, device: str) -> tuple[str, int | None]:
    """Return torch's name of the device that is meant, and its index where one is named."""
    kind, _, index = str(device).partition(":")
    if kind == "auto":
        found = next((one for one in ("cuda", "xpu", "mps") if _count(torch, one)), "cpu")
        return found, None
    count = 1 if kind == "cpu" else _count(torch, kind)
    if int(index or 0) >= count:
        raise DeviceError(f"device {device!r} is not here: {_told(torch, kind, count)}")
    return kind, int(index) if index else None


def _told(torch: Any, kind: str, count: int) -> str:
    if torch is None:
        return "torch is not installed"
    return f"torch {torch.__version__} sees {count} of {kind}; take device: auto"


def _count(torch: Any, kind: str) -> int:
    """Return how many devices of a kind torch sees."""
    if torch is None:
        return 0
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    module = getattr(torch, kind, None)
    # device_count asks the driver's library and, unlike is_available, leaves CUDA asleep.
    return module.device_count() if module is not None and module.device_count() else 0


def _gpu(torch: Any, kind: str, index: int | None) -> Hardware:
    if kind == "mps":
        return _hardware(torch, "mps", platform.machine(), 0, None, _mps_features(torch), 1)
    module = getattr(torch, kind)
    index = index if index is not None else _current(module)
    kind = "rocm" if kind == "cuda" and torch.version.hip else kind
    properties = module.get_device_properties(index)
    capability = (properties.major, properties.minor) if kind == "cuda" else None
    features = {"bf16"} if module.is_bf16_supported(including_emulation=False) else set()
    return _hardware(
        torch, kind, properties.name, index, capability, features, module.device_count()
    )


def _current(module: Any) -> int:
    return int(module.current_device()) if module.is_initialized() else 0


def _mps_features(torch: Any) -> set[str]:
    return {"bf16"} if torch.backends.mps.is_macos_or_newer(14, 0) else set()


def _cpu(torch: Any) -> Hardware:
    told = _capabilities(torch)
    name, flags = _cpuinfo()
    flags |= {_SPLIT.sub(r"avx512\1", one) for one, value in told.items() if value is True}
    features = {one for one in flags if _TOLD.fullmatch(one)}
    return _hardware(torch, "cpu", str(told.get("cpu_name") or name), 0, None, features, 1)


def _capabilities(torch: Any) -> dict[str, Any]:
    found = getattr(getattr(torch, "cpu", None), "get_capabilities", dict)
    return dict(found())


def _cpuinfo() -> tuple[str, set[str]]:
    """Return the name and the instruction sets that Linux tells of the first processor."""
    try:
        text = _CPUINFO.read_text("utf-8", "replace")
    except OSError:
        return platform.processor() or platform.machine(), set()
    first = text.partition("\n\n")[0]
    told = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in first.splitlines())
    }
    flags = told.get("flags") or told.get("Features") or ""
    return told.get("model name") or platform.machine(), set(flags.split())


def _hardware(
    torch: Any,
    kind: str,
    name: str,
    index: int,
    capability: tuple[int, int] | None,
    features: set[str],
    count: int,
) -> Hardware:
    return Hardware(
        kind=kind,
        name=name,
        index=index,
        capability=capability,
        features=frozenset(features),
        system=platform.system(),
        torch="" if torch is None else str(torch.__version__),
        threads=(os.cpu_count() or 1) if torch is None else torch.get_num_threads(),
        count=count,
    )
