"""``torch.cpu.empty_cache``: nothing to do, since torch keeps no cache of CPU memory.

Origin: https://docs.pytorch.org/docs/2.13/generated/torch.cuda.memory.empty_cache.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: None, ctx: Any) -> Callable[[], None]:
    """Return the function."""

    def empty_cache() -> None:
        """Release cached memory; CPU memory goes back when a tensor dies."""

    return empty_cache
