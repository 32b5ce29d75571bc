"""torch, where it is asked for: whether it is here, and its functions for any kind of input.

Importing this module imports no torch; the first call of a function does.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Final

import numpy as np

from shimhub.accel import _kinds
from shimhub.accel._table import TABLE, Op
from shimhub.accel.errors import AccelError, TorchMissingError

CURE: Final = "install it (pip install torch), or use another mode: AccelMode.PURE needs none"


def torch_available() -> bool:
    """Whether torch can be imported; it is not, to find out."""
    if "torch" in sys.modules:
        return sys.modules["torch"] is not None
    return importlib.util.find_spec("torch") is not None


def torch_version() -> str:
    """Return torch's version, "" without torch; it is not imported."""
    if not torch_available():
        return ""
    if loaded := getattr(sys.modules.get("torch"), "__version__", None):
        return str(loaded)
    import importlib.metadata  # 46 ms, which importing this module does not take

    return importlib.metadata.version("torch")


def torch_cuda_available() -> bool:
    """Whether torch can use a CUDA device. Imports torch, where it is installed.

    Not where it is installed and cannot be imported: whatever computes with it tells why.
    """
    try:
        return torch_available() and bool(torch_module().cuda.is_available())
    except TorchMissingError:
        return False


def torch_module() -> Any:
    """Return torch, imported. Raises :class:`TorchMissingError`."""
    try:
        return importlib.import_module("torch")
    except (ImportError, OSError) as error:  # OSError: a library of it cannot be loaded
        raise TorchMissingError(f"torch: {error}; {CURE}") from error


def _after_fork() -> None:
    global _forked
    _forked = "torch" in sys.modules


_forked = False
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def is_forked() -> bool:
    """Whether torch was imported before a fork that brought us."""
    return _forked


def has_threads_of_parent() -> bool:
    """Whether torch was imported before a fork that brought us, and would compute in threads.

    They ended with the fork; GNU's OpenMP waits for them forever.
    """
    return _forked and int(torch_module().get_num_threads()) > 1


def in_autocast() -> bool:
    """Whether torch would compute in another dtype than the inputs', on the CPU."""
    # Another thread may be importing torch, which has no functions yet.
    is_enabled = getattr(sys.modules.get("torch"), "is_autocast_enabled", None)
    return is_enabled is not None and bool(is_enabled("cpu"))


def functions() -> Mapping[str, Callable[..., Any]]:
    """Return torch's function for each operation. Raises :class:`TorchMissingError`."""
    torch_module()
    from shimhub.accel._torch_ops import FUNCTIONS

    return FUNCTIONS


def to_tensor(value: Any, op: str) -> Any:
    """Return an input as torch takes it: a tensor, which shares an array's memory if it can."""
    if value is None or _kinds.is_tensor(value):
        return value
    array = _kinds.to_array(value, op, as_floats=False)
    if isinstance(array, np.generic):
        array = np.asarray(array)
    if not isinstance(array, np.ndarray):
        return array
    return torch_module().from_numpy(_as_torch_takes_it(array))


def from_tensor(op: Op, tensor: Any) -> Any:
    """Return the array of a result, or its number where numpy gives one."""
    array = _kinds.from_tensor(tensor)
    return array[()] if op.scalars else array


def on_arrays(op: Op, inputs: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Compute arrays in torch. Raises :class:`ShapeError` before torch sees what does not fit."""
    function = functions()[op.name]
    op.check(inputs, options)
    tensors = [to_tensor(one, op.name) for one in inputs]
    with torch_module().autocast("cpu", enabled=False) if in_autocast() else nullcontext():
        result = function(*tensors, **options)
    return from_tensor(op, result)


def on_tensors(op: Op, inputs: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Compute in torch what has a tensor in it. Raises :class:`ShapeError` for shapes."""
    function = functions()[op.name]
    tensors = [to_tensor(one, op.name) for one in inputs]
    try:
        return function(*tensors, **options)
    except (RuntimeError, ValueError, IndexError, AttributeError) as error:
        op.check(tensors, options)
        if "dtype" not in str(error) or all(map(_kinds.is_tensor, inputs)):
            raise
        raise TypeError(
            f"{op.name}: a list is float64 beside a tensor of another dtype; give "
            f"torch.tensor(list, dtype=...) ({error})"
        ) from error


def _as_torch_takes_it(array: Any) -> Any:
    """Return the array, or a copy in order.

    torch takes no negative strides, and warns of arrays that may not be written.
    """
    usable = array.flags.writeable and array.flags.aligned and array.dtype.isnative
    if usable and all(one >= 0 and one % array.itemsize == 0 for one in array.strides):
        return array
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")


def _ffi(op: Op, inputs: Sequence[Any], options: Mapping[str, Any]) -> Any:
    if any(getattr(one, "requires_grad", False) and not _kinds.is_tensor(one) for one in inputs):
        own = _kinds.own_function(inputs)
        if own is not None:  # it computes its gradients, too
            from shimhub.accel.modes import using  # which asks this module for torch's version

            with using("torch", strict=True):
                return own(op.name, inputs, options)
    kind, first = _kinds.call_kind(op.name, inputs)
    _kinds.check_masks(op.name, inputs, keeps=False)
    if kind == "tensor":
        return on_tensors(op, inputs, options)
    if has_threads_of_parent():
        raise AccelError(
            f"{op.name}: torch's threads ended with the fork, and it would wait for them; call "
            "torch.set_num_threads(1) here, or start processes by spawn"
        )
    arrays = _kinds.to_arrays(kind, inputs, op.name)
    return _kinds.from_result(kind, first, on_arrays(op, arrays, options))


def matmul_torch_ffi(a: Any, b: Any) -> Any:
    """Return :func:`shimhub.accel.matmul` by torch, as what ``a`` is.

    Raises ``ShapeError``, and :class:`TorchMissingError` without torch: nothing else answers.
    """
    return _ffi(TABLE["matmul"], (a, b), {})


def linear_torch_ffi(
    x: Any,
    weight: Any,
    bias: Any = None,
    activation: str | None = None,
    *,
    transposed: bool = False,
) -> Any:
    """Return :func:`shimhub.accel.linear` by torch."""
    options = {"activation": activation, "transposed": transposed}
    return _ffi(TABLE["linear"], (x, weight, bias), options)


def add_torch_ffi(a: Any, b: Any) -> Any:
    """Return ``a + b`` by torch."""
    return _ffi(TABLE["add"], (a, b), {})


def sub_torch_ffi(a: Any, b: Any) -> Any:
    """Return ``a - b`` by torch."""
    return _ffi(TABLE["sub"], (a, b), {})


def mul_torch_ffi(a: Any, b: Any) -> Any:
    """Return ``a * b`` by torch."""
    return _ffi(TABLE["mul"], (a, b), {})


def div_torch_ffi(a: Any, b: Any) -> Any:
    """Return ``a / b`` by torch."""
    return _ffi(TABLE["div"], (a, b), {})


def relu_torch_ffi(x: Any) -> Any:
    """Return ``max(x, 0)`` by torch."""
    return _ffi(TABLE["relu"], (x,), {})


def sigmoid_torch_ffi(x: Any) -> Any:
    """Return ``1 / (1 + exp(-x))`` by torch."""
    return _ffi(TABLE["sigmoid"], (x,), {})


def tanh_torch_ffi(x: Any) -> Any:
    """Return the hyperbolic tangent by torch."""
    return _ffi(TABLE["tanh"], (x,), {})


def gelu_torch_ffi(x: Any, approximate: str = "none") -> Any:
    """Return :func:`shimhub.accel.gelu` by torch."""
    return _ffi(TABLE["gelu"], (x,), {"approximate": approximate})


def softmax_torch_ffi(x: Any, axis: int = -1) -> Any:
    """Return :func:`shimhub.accel.softmax` by torch."""
    return _ffi(TABLE["softmax"], (x,), {"axis": axis})


def layer_norm_torch_ffi(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Return :func:`shimhub.accel.layer_norm` by torch."""
    return _ffi(TABLE["layer_norm"], (x, weight, bias), {"eps": eps})


def mse_loss_torch_ffi(x: Any, target: Any) -> Any:
    """Return :func:`shimhub.accel.mse_loss` by torch."""
    return _ffi(TABLE["mse_loss"], (x, target), {})


def cross_entropy_torch_ffi(x: Any, target: Any) -> Any:
    """Return :func:`shimhub.accel.cross_entropy` by torch."""
    return _ffi(TABLE["cross_entropy"], (x, target), {})
