"""``torch.distributed.barrier(device_ids=["cpu"])`` works as ``barrier()`` does.

Origin: https://github.com/pytorch/torchtitan/blob/v0.2.2/torchtitan/distributed/utils.py
``torch.cpu.current_device()`` is the string "cpu" where accelerators have a number, so code that
passes the current device on dies with a TypeError. Any other value goes through as it is. The
keyword ``timeout`` is there where torch has it, which 2.8 does not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from inspect import signature
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
        return original(group, async_op, _numbers(device_ids), timeout)

    def barrier_without_timeout(
        group: Any = world, async_op: bool = False, device_ids: Any = None
    ) -> Any:
        return original(group, async_op, _numbers(device_ids))

    accepts = signature(original).parameters
    return barrier if "timeout" in accepts else barrier_without_timeout


def _numbers(device_ids: Any) -> Any:
    return None if device_ids == ["cpu"] else device_ids
