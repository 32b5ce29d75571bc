"""What this machine has, asked of torch without waking a device that was not asked for."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shimhub.speed.errors import DeviceError
from shimhub.speed.model import Hardware

_CPUINFO = Path("/proc/cpuinfo")
#: Instruction sets that a training step can feel, of x86-64 and of aarch64.
_TOLD = re.compile(r"avx\w*|amx\w*|fma|f16c|asimd\w*|neon|sve\w*|bf16|i8mm|fphp|fp16_arith")
#: Accelerators that are looked for, in the order in which auto takes them.
_KINDS = ("cuda", "xpu", "mps")
_CURE = "say auto, cpu or cuda, or cuda:1"
_DEVICE = re.compile(r"[a-z]\w*(:\d{1,4})?")
#: What torch.cpu.get_capabilities writes with an underscore and /proc/cpuinfo without.
_SPLIT = re.compile(r"avx512_(f|bw|cd|dq|vl|vbmi|ifma)")


def detect(device: str = "auto") -> Hardware:
    """Return the device as it is here; ``auto`` is a GPU that works, or the CPU.

    A GPU is opened only if there is one and it is asked for, by name or by ``auto``.
    Raises DeviceError for a device that is not here, or that cannot be opened.
    """
    torch = _torch()
    if device == "auto":
        return _auto(torch)
    if not _DEVICE.fullmatch(device):
        raise DeviceError(f"{device!r} is no device: {_CURE}")
    kind, _, index = device.partition(":")
    if kind not in ("cpu", *_KINDS):
        return _other(torch, device)
    count = 1 if kind == "cpu" else _count(torch, kind)
    if int(index or 0) >= count:
        raise DeviceError(f"device {device!r} is not here: {_seen(torch, kind, count)}")
    if kind == "cpu":
        return _cpu(torch)
    try:
        return _accelerator(torch, kind, int(index) if index else None, count)
    except RuntimeError as error:
        raise DeviceError(f"device {device!r} cannot be opened: {error}") from error


def torch_device(hardware: Hardware) -> str:
    """Return what torch calls the device: ROCm is ``cuda`` there."""
    kind = "cuda" if hardware.kind == "rocm" else hardware.kind
    return kind if kind in ("cpu", "mps") else f"{kind}:{hardware.index}"


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        return None
    return torch


def _auto(torch: Any) -> Hardware:
    for kind in _KINDS:
        if count := _count(torch, kind):
            try:
                return _accelerator(torch, kind, None, count)
            except RuntimeError:  # a driver too old, or a forked child: torch cannot use it either
                continue
    return _cpu(torch)


def _seen(torch: Any, kind: str, count: int) -> str:
    if torch is None:
        return "torch is not installed"
    return f"torch {torch.__version__} sees {count} of {kind}; say auto for what is here"


def _count(torch: Any, kind: str) -> int:
    """Return how many devices of a kind torch sees."""
    if kind == "mps" and torch is not None:
        return int(torch.backends.mps.is_available())
    # device_count asks the driver's library and, unlike is_available, leaves CUDA asleep.
    counting = getattr(getattr(torch, kind, None), "device_count", None)
    return int(counting()) if counting is not None else 0


def _other(torch: Any, device: str) -> Hardware:
    """Return a device of a plugin by what torch calls it: a model may be on one."""
    try:
        found = torch.device(device)
    except (AttributeError, RuntimeError):  # without torch, or of a kind that it does not know
        raise DeviceError(f"{device!r} is no device: {_CURE}") from None
    return _hardware(torch, found.type, found.type, found.index or 0)


def _accelerator(torch: Any, kind: str, index: int | None, count: int) -> Hardware:
    if kind == "mps":
        return _hardware(torch, "mps", platform.machine(), count=count)
    module = getattr(torch, kind)
    index = _current(module) if index is None else index
    told = module.get_device_properties(index)
    if kind == "xpu":
        features = {"bf16"} if getattr(told, "has_bfloat16_conversions", False) else set()
        return _hardware(torch, "xpu", told.name, index, features=features, count=count)
    if torch.version.hip:  # torch says bf16 of every AMD GPU
        return _hardware(torch, "rocm", told.name, index, features={"bf16"}, count=count)
    return _hardware(torch, "cuda", told.name, index, (told.major, told.minor), count=count)


def _current(module: Any) -> int:
    return int(module.current_device()) if module.is_initialized() else 0


def _cpu(torch: Any) -> Hardware:
    told = _capabilities(torch)
    name, flags = _cpuinfo()
    flags |= {_SPLIT.sub(r"avx512\1", one) for one, value in told.items() if value is True}
    features = {one for one in flags if _TOLD.fullmatch(one)}
    return _hardware(torch, "cpu", str(told.get("cpu_name") or name), features=features)


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
    index: int = 0,
    capability: tuple[int, int] | None = None,
    features: Iterable[str] = (),
    count: int = 1,
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
