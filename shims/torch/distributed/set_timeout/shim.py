"""``torch.distributed.set_timeout``: the default timeout of all later operations of a group.

Origin: https://github.com/pytorch/pytorch/pull/187387 (added), /pull/187693 (warns, not raises).
torch 2.13 has the group's backends, each with ``set_timeout``, and lacks the public function. As in
2.14, a backend that cannot change its timeout warns, and the others are still told.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any


def build(original: None, ctx: Any) -> Callable[..., None]:
    """Return the function; torch's own helpers find the group and check membership."""
    c10d = ctx.module.distributed_c10d

    def set_timeout(timeout: timedelta, group: Any = None) -> None:
        """Set the default timeout for all future operations on a process group."""
        if group is None:
            group = c10d._get_default_group()
        if c10d._rank_not_in_group(group):
            raise ValueError("Invalid process group specified")
        if not isinstance(group, c10d.ProcessGroup):
            raise AssertionError(f"Expected ProcessGroup, got {type(group)}")
        for backend in _backends(group):
            _set_timeout(backend, timeout)

    return set_timeout


def _backends(group: Any) -> list[Any]:
    """Return each backend once, though one backend may serve several device types."""
    return list(dict.fromkeys(map(group._get_backend, group._device_types)))


def _set_timeout(backend: Any, timeout: timedelta) -> None:
    try:
        backend.set_timeout(timeout)
    except RuntimeError as error:
        if "does not support setting timeout" not in str(error):
            raise
        warnings.warn(f"{str(error).splitlines()[0]}; left unchanged", stacklevel=3)
