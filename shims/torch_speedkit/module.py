"""``torch_speedkit``: what its guide and its release 0.1.0 have, on shimhub's own work.

Origin: https://github.com/officialcyber88/torch-tensorcore-speedkit (names and configuration).
What its guide shows and its release lacks is here: ``ctx.autocast()``, ``ctx.grad_scaler``,
``ctx.restore()`` and ``ctx.report()``.
"""

from __future__ import annotations

from torch_speedkit.config import SpeedConfig
from torch_speedkit.speed import SpeedContext, apply_speedups, autocast_context, sdp_context
from torch_speedkit.trainer import Trainer

#: The release whose names are served.
__version__ = "0.1.0"

__all__ = [
    "SpeedConfig",
    "SpeedContext",
    "Trainer",
    "__version__",
    "apply_speedups",
    "autocast_context",
    "sdp_context",
]
