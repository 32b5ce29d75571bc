"""The configuration under the names of torch_speedkit; ``shimhub.speed.config`` checks it."""

from __future__ import annotations

from shimhub.speed.config import (
    AmpConfig,
    CompileConfig,
    OptimConfig,
    SdpConfig,
    SpeedConfig,
    TrainLoopConfig,
)

__all__ = [
    "AmpConfig",
    "CompileConfig",
    "OptimConfig",
    "SdpConfig",
    "SpeedConfig",
    "TrainLoopConfig",
]
