"""``torch.cpu.memory_stats``: memory of this process under the keys of ``torch.cuda.memory_stats``.

Origin: https://docs.pytorch.org/docs/2.13/generated/torch.cuda.memory.memory_stats.html
Resident memory stands for both "active" and "reserved"; the peak counts from the last
``reset_peak_memory_stats`` where the kernel can reset it (Linux), else from the start.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

_KEYS = {"VmRSS": "current", "VmHWM": "peak"}


def build(original: None, ctx: Any) -> Callable[..., OrderedDict[str, int]]:
    """Return the function; all CPU devices are one, so ``device`` changes nothing."""

    def memory_stats(device: Any = None) -> OrderedDict[str, int]:
        """Return the memory that this process has, in bytes; empty where nobody tells it."""
        used = _resident("/proc/self/status")
        stats: OrderedDict[str, int] = OrderedDict()
        for kind in ("active_bytes", "allocated_bytes", "reserved_bytes"):
            stats |= {f"{kind}.all.{when}": size for when, size in used.items()}
        return stats | {"num_alloc_retries": 0, "num_ooms": 0} if stats else stats

    return memory_stats


def _resident(path: str) -> dict[str, int]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
    except OSError:
        return {}
    return {
        when: int(fields[key].split()[0]) * 1024 for key, when in _KEYS.items() if key in fields
    }
