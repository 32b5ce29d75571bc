"""``torch.cpu.get_device_properties``: name, memory and cores of this machine.

Origin: https://docs.pytorch.org/docs/2.13/generated/torch.cuda.get_device_properties.html
``total_memory`` is the memory that the operating system reports, in bytes, as for a card.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any, NamedTuple


class _CpuDeviceProperties(NamedTuple):
    name: str
    total_memory: int
    multi_processor_count: int
    major: int = 0
    minor: int = 0


def build(original: None, ctx: Any) -> Callable[..., _CpuDeviceProperties]:
    """Return the function; all CPU devices are one, so ``device`` changes nothing."""

    def get_device_properties(device: Any = None) -> _CpuDeviceProperties:
        """Return the properties of the processor and its memory."""
        ask = getattr(ctx.module, "get_device_name", platform.machine)
        return _CpuDeviceProperties(ask(), _total_memory(), os.cpu_count() or 1)

    return get_device_properties


def _total_memory() -> int:
    if not hasattr(os, "sysconf"):
        raise NotImplementedError("this platform does not tell its memory through os.sysconf")
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
