"""The backend for each operation: our kernels, numpy or torch, by what was measured.

Importing this imports numpy and no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shimhub import _later
from shimhub.accel import _fast
from shimhub.accel.breakers import reset_breakers
from shimhub.accel.errors import (
    AccelError,
    ModeError,
    ShapeError,
    ThresholdError,
    TorchMissingError,
)
from shimhub.accel.logs import enable_logging
from shimhub.accel.model import AccelMode, Decision, OpStats, Stats
from shimhub.accel.modes import get_current_mode, set_acceleration, using
from shimhub.accel.stats import get_stats, reset_stats
from shimhub.accel.thresholds import Threshold, get_threshold, set_threshold
from shimhub.accel.torch_ffi import (
    matmul_torch_ffi,
    torch_available,
    torch_cuda_available,
    torch_version,
)

if TYPE_CHECKING:
    from shimhub.accel._compiled import allow_in_graph
    from shimhub.accel.calibration import Calibration, CalibrationError, calibrate
    from shimhub.accel.explaining import explain
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
else:
    _functions = _fast.functions()
    matmul = _functions["matmul"]
    linear = _functions["linear"]
    add = _functions["add"]
    sub = _functions["sub"]
    mul = _functions["mul"]
    div = _functions["div"]
    relu = _functions["relu"]
    sigmoid = _functions["sigmoid"]
    tanh = _functions["tanh"]
    gelu = _functions["gelu"]
    softmax = _functions["softmax"]
    layer_norm = _functions["layer_norm"]
    mse_loss = _functions["mse_loss"]
    cross_entropy = _functions["cross_entropy"]

__all__ = [
    "AccelError",
    "AccelMode",
    "Calibration",
    "CalibrationError",
    "Decision",
    "ModeError",
    "OpStats",
    "ShapeError",
    "Stats",
    "Threshold",
    "ThresholdError",
    "TorchMissingError",
    "add",
    "allow_in_graph",
    "calibrate",
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

#: What no computation needs, by its module; imported at first use.
_LATER: Final = {
    "_compiled": "allow_in_graph",
    "calibration": "Calibration CalibrationError calibrate",
    "explaining": "explain",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = _later.attributes(globals(), _LATER)
