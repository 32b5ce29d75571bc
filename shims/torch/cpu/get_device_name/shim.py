"""``torch.cpu.get_device_name``: the processor's name, as ``torch.cuda`` tells the card's.

Origin: https://docs.pytorch.org/docs/2.13/generated/torch.cuda.get_device_name.html
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any


def build(original: None, ctx: Any) -> Callable[..., str]:
    """Return the function; all CPU devices are one, so ``device`` changes nothing."""

    def get_device_name(device: Any = None) -> str:
        """Return the name of the processor."""
        return _model_name("/proc/cpuinfo") or platform.processor() or platform.machine()

    return get_device_name


def _model_name(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.partition(":") for line in file]
    except OSError:
        return ""
    return next((value.strip() for key, _, value in lines if key.strip() == "model name"), "")
