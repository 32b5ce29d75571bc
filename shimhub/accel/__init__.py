"""The backend for each operation: our kernels, numpy or torch, by what was measured.

Importing this imports numpy and no torch.
"""

from __future__ import annotations

from shimhub.accel.breakers import reset_breakers
from shimhub.accel.errors import (
    AccelError,
    ModeError,
    ShapeError,
    ThresholdError,
    TorchMissingError,
)
from shimhub.accel.explaining import explain
from shimhub.accel.logs import enable_logging
from shimhub.accel.model import AccelMode, Decision, OpStats, Stats
from shimhub.accel.modes import get_current_mode, set_acceleration, using
from shimhub.accel.ops import (
    add,
    cross_entropy,
    div,
    gelu,
    layer_norm,
    linear,
    matmul,
    mse_loss,
    mul,
    relu,
    sigmoid,
    softmax,
    sub,
    tanh,
)
from shimhub.accel.stats import get_stats, reset_stats
from shimhub.accel.thresholds import Threshold, get_threshold, set_threshold
from shimhub.accel.torch_ffi import (
    matmul_torch_ffi,
    torch_available,
    torch_cuda_available,
    torch_version,
)

__all__ = [
    "AccelError",
    "AccelMode",
    "Decision",
    "ModeError",
    "OpStats",
    "ShapeError",
    "Stats",
    "Threshold",
    "ThresholdError",
    "TorchMissingError",
    "add",
    "cross_entropy",
    "div",
    "enable_logging",
    "explain",
    "gelu",
    "get_current_mode",
    "get_stats",
    "get_threshold",
    "layer_norm",
    "linear",
    "matmul",
    "matmul_torch_ffi",
    "mse_loss",
    "mul",
    "relu",
    "reset_breakers",
    "reset_stats",
    "set_acceleration",
    "set_threshold",
    "sigmoid",
    "softmax",
    "sub",
    "tanh",
    "torch_available",
    "torch_cuda_available",
    "torch_version",
    "using",
]
