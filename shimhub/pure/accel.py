"""Who computes the operations of tensors: :mod:`shimhub.accel` by the name of the guide."""

from __future__ import annotations

from shimhub.accel import (
    AccelMode,
    enable_logging,
    explain,
    get_current_mode,
    get_stats,
    get_threshold,
    reset_stats,
    set_acceleration,
    set_threshold,
    using,
)

__all__ = [
    "AccelMode",
    "enable_logging",
    "explain",
    "get_current_mode",
    "get_stats",
    "get_threshold",
    "reset_stats",
    "set_acceleration",
    "set_threshold",
    "using",
]
