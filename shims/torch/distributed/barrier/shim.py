"""``torch.distributed.barrier(device_ids=["cpu"])`` works as ``barrier()`` does.

Origin: https://github.com/pytorch/torchtitan/blob/v0.2.2/torchtitan/distributed/utils.py
``torch.cpu.current_device()`` is the string "cpu" where accelerators have a number, so code that
passes the current device on dies with a TypeError. Any other value goes through as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any


def build(original: Callable[..., Any], ctx: Any) -> Callable[..., Any]:
    """Return the collective with "cpu" taken for "no particular device"."""
    world = ctx.module.GroupMember.WORLD

    def barrier(
        group: Any = world,
        async_op: bool = False,
        device_ids: Any = None,
        timeout: timedelta | None = None,
    ) -> Any:
        if device_ids == ["cpu"]:
            device_ids = None
        return original(group, async_op, device_ids, timeout)

    return barrier
