"""Calls on torch's tensors: in torch, unless something of ours was measured to be faster.

Autograd, compilers, other devices and subclasses see torch's own operations. Imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd import forward_ad

from shimhub.accel import _kinds, breakers, logs, stats, thresholds, torch_ffi
from shimhub.accel._table import call_kernel, serves
from shimhub.accel._torch_ops import STATES
from shimhub.accel.model import DTYPES, SHORT_ROW, AccelMode

if TYPE_CHECKING:
    from shimhub.accel._dispatch import Call

_DTYPES = (torch.float32, torch.float64)
_OUTSIDE = -1
_ROWS = (1, 2)  # dimensions of x in a cross entropy
_PLAIN = (torch.Tensor, torch.nn.Parameter)


def run(call: Call) -> Any:
    """Compute a call that has a tensor in it. Raises ``ShapeError`` for shapes."""
    if odd := why_odd(call.inputs):  # its shape may be no numbers
        return _in_torch(call, odd)
    if stays(call):
        return _in_torch(call)
    reason = why_torch(call.op.name, call.inputs)
    if reason:
        return _in_torch(call, reason)
    return _by_kernel(call)


def why_odd(inputs: Sequence[Any]) -> str:
    """Return why a tensor has no plain sizes: one of a subclass, nested, or sparse."""
    for one in filter(_kinds.is_tensor, inputs):
        if type(one) not in _PLAIN:
            return "subclass"
        if one.layout is not torch.strided or one.is_nested:
            return "layout"
    return ""


def stays(call: Call) -> bool:
    """Whether so much work is torch's, whatever our kernels can; tensors of one number are."""
    tensors = filter(_kinds.is_tensor, call.inputs)
    if call.settings.mode is not AccelMode.NATIVE and any(map(_is_number, tensors)):
        return True
    low, high = range_of(call)
    return low <= call.op.work(call.inputs, call.options) < high


def _is_number(tensor: Any) -> bool:
    return tensor.ndim == 0 and tensor.dtype in _DTYPES


def range_of(call: Call) -> tuple[float, float]:
    """Return the works from which on, and up to which, such a call stays in torch."""
    shape = _first(call.inputs).shape
    short = len(shape) > 0 and shape[-1] < SHORT_ROW
    return thresholds.tensor_range(call.op.name, dtype_of(call), call.settings, short)


def source(call: Call) -> str:
    """Return who says so."""
    mode = call.settings.mode
    if mode is AccelMode.NATIVE:
        return "mode NATIVE"
    if mode is not AccelMode.AUTO:
        return "torch's own tensors"
    return thresholds.effective(call.op.name, "tensor", dtype_of(call), call.settings).source


def dtype_of(call: Call) -> str:
    """Return the dtype that crossovers are told for; float32 for any other."""
    dtype = str(_first(call.inputs).dtype).removeprefix("torch.")
    return dtype if dtype in DTYPES else DTYPES[0]


def served_by(call: Call) -> str:
    """Return native or numpy: who computes this, if torch does not."""
    forced = call.settings.mode is AccelMode.NATIVE
    return "native" if serves(call.op, forced, _arrays(call), call.options) else "numpy"


def _arrays(call: Call) -> list[Any]:
    return [None if one is None else _kinds.from_tensor(one) for one in call.inputs]


def why_torch(name: str, inputs: Sequence[Any]) -> str:
    """Return why our kernels cannot compute this; empty where they can."""
    if torch.compiler.is_compiling():
        return "compile tracing"
    if torch.is_autocast_enabled("cpu"):
        return "autocast"
    tensors = [one for one in inputs if one is not None]
    if not all(_kinds.is_tensor(one) for one in tensors):
        return "not only tensors"
    floats = tensors[:1] if _has_classes(name, tensors) else tensors
    reasons = (_why_not_this(one) for one in floats)
    reason = next(filter(None, reasons), "") or _why_not_together(floats)
    reason = reason or ("followed" if _is_followed() else "")
    return reason or _why_not_loss(name, tensors)


def _is_followed() -> bool:
    """Whether modes, tracers, transformations or forward gradients see what is done."""
    return forward_ad._current_level != _OUTSIDE or any(state() for state in STATES)


def _why_not_this(tensor: Any) -> str:
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return "vmap"
    if _kinds.needs_grad(tensor):
        return "needs-grad"
    if tensor.device.type != "cpu":
        return f"device {tensor.device.type}"
    if tensor.dtype not in _DTYPES:
        return f"dtype {str(tensor.dtype).removeprefix('torch.')}"
    return "" if tensor.is_contiguous() and not tensor.is_neg() else "strides"


def _why_not_together(tensors: Sequence[Any]) -> str:
    return "" if len({one.dtype for one in tensors}) == 1 else "dtypes differ"


def _has_classes(name: str, tensors: Sequence[Any]) -> bool:
    return name == "cross_entropy" and tensors[1].dtype is torch.int64


def _why_not_loss(name: str, tensors: Sequence[Any]) -> str:
    """Return what torch's cross entropy has and ours has not: more dimensions, a class left out."""
    if name != "cross_entropy":
        return ""
    x, target = tensors
    if x.ndim not in _ROWS:
        return "dimensions"
    if not _has_classes(name, tensors):
        return ""
    if target.device.type != "cpu" or not target.is_contiguous() or target.is_neg():
        return "target's layout"
    classes = target.detach().numpy()
    return "" if ((classes >= 0) & (classes < x.shape[-1])).all() else "other classes"


def _first(inputs: Sequence[Any]) -> Any:
    return next(one for one in inputs if _kinds.is_tensor(one))


def _in_torch(call: Call, reason: str = "", *, failed: bool = False) -> Any:
    result = torch_ffi.on_tensors(call.op, call.inputs, call.options)
    asked = failed or call.settings.mode is AccelMode.NATIVE
    stats.count(call.op.name, "torch", reason if asked else "")
    logs.tell(call.op.name, call.inputs, "torch", reason)
    return result


def _by_kernel(call: Call) -> Any:
    op, name = call.op, call.op.name
    if op.kernel is None:
        return _in_torch(call, "no kernel")
    if breakers.is_open(name, "native"):
        return _in_torch(call, f"native: {breakers.LEFT_ALONE}", failed=True)
    forced = call.settings.mode is AccelMode.NATIVE
    try:
        result, natively = call_kernel(op, forced, _arrays(call), call.options)
    except Exception as error:  # torch decides whose error it is
        if call.settings.strict:
            raise
        answer = _in_torch(call, f"native raised {type(error).__name__}", failed=True)
        breakers.fault(name, "native")
        return answer
    reason = stats.NO_KERNEL if forced and not natively else ""
    stats.count(name, "native" if natively else "numpy", reason)
    logs.tell(name, call.inputs, "native", reason)
    return torch.as_tensor(np.asarray(result))  # a loss is a number of numpy's
