"""``torch.cpu.reset_peak_memory_stats``: let the peak of resident memory count from now.

Origin: https://docs.pytorch.org/docs/2.13/generated/torch.cuda.memory.reset_peak_memory_stats.html
Writing 5 to ``/proc/self/clear_refs`` does it on Linux (man 5 proc_pid_clear_refs); elsewhere the
peak keeps counting from the start of the process.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any


def build(original: None, ctx: Any) -> Callable[..., None]:
    """Return the function; all CPU devices are one, so ``device`` changes nothing."""

    def reset_peak_memory_stats(device: Any = None) -> None:
        """Reset the peak that ``memory_stats`` tells."""
        with suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    return reset_peak_memory_stats
