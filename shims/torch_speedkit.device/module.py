"""Devices under the names of torch_speedkit."""

from __future__ import annotations

import torch

__all__ = ["describe_device", "resolve_device"]


def resolve_device(device: str) -> torch.device:
    """Return the device of that name; ``auto`` is the accelerator that is here, else the CPU.

    Raises RuntimeError for a device that this machine or this build of torch does not have, and
    ValueError for a name that is none.
    """
    if device == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return found or torch.device("cpu")
    try:
        named = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"unknown device {device!r}: one of auto, cpu, cuda, xpu, mps") from error
    if named.type != "cpu" and not _is_here(named):
        raise RuntimeError(
            f"device {device!r} is asked for and is not here (torch {torch.__version__}); "
            "use device='auto', or install a torch that was built for it"
        )
    return named


def _is_here(device: torch.device) -> bool:
    found = torch.accelerator.current_accelerator(check_available=True)
    count = torch.accelerator.device_count()
    return found is not None and found.type == device.type and (device.index or 0) < count


def describe_device(dev: torch.device) -> str:
    """Return ``cpu``, or a device's index, name and compute capability."""
    if dev.type != "cuda":
        return str(dev)
    index = torch.cuda.current_device() if dev.index is None else dev.index
    name, capability = torch.cuda.get_device_name(index), torch.cuda.get_device_capability(index)
    return f"cuda:{index} ({name}), capability={capability}"
