"""What inputs are, and their way to numpy's arrays and back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

#: A class that knows its own way: its array, and itself around a result.
ARRAY: Final = "__accel_array__"
WRAP: Final = "__accel_wrap__"
#: A class that does operations itself: ``__accel_function__(name, arrays, options)``.
FUNCTION: Final = "__accel_function__"

_NUMBERS: Final = (bool, int, float, np.generic)
#: numpy's own functions on masked arrays.
_KEEP_MASKS: Final = ("add", "sub", "mul", "div")


def kind_of(value: Any, op: str) -> str:
    """Return list, ndarray, wrapped, tensor or number. Raises ``TypeError`` for anything else."""
    if isinstance(value, np.ndarray):
        return "ndarray"
    if isinstance(value, list | tuple):
        return "list"
    if hasattr(type(value), ARRAY):
        return "wrapped"
    if is_tensor(value):
        return "tensor"
    if isinstance(value, _NUMBERS):
        return "number"
    raise TypeError(
        f"{op}: {type(value).__name__} is no list, numpy array, torch tensor or number, "
        f"and has no {ARRAY}()"
    )


def is_tensor(value: Any) -> bool:
    """Whether it is torch's; torch is not imported to find out."""
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return tensor is not None and isinstance(value, tensor)


def call_kind(op: str, inputs: Sequence[Any]) -> tuple[str, Any]:
    """Return the kind of the result, and the input that has it: the first that is no number.

    A tensor that needs a gradient makes it a tensor, wherever it stands.
    """
    if all(type(one) is np.ndarray for one in inputs):
        return "ndarray", inputs[0]
    first = "ndarray", None
    for value in reversed(inputs):
        kind = "number" if value is None else kind_of(value, op)
        if kind != "number":
            first = kind, value
    check_masks(op, inputs, keeps=op in _KEEP_MASKS)
    if first[0] != "tensor" and any(needs_grad(one) for one in inputs if is_tensor(one)):
        return "tensor", None
    return first


def check_masks(op: str, inputs: Sequence[Any], *, keeps: bool) -> None:
    """Raise ``TypeError`` for a masked array, unless numpy ``keeps`` masks and has them all."""
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", ())  # imported when asked for
    if not any(isinstance(one, masked) for one in inputs):
        return
    if not keeps or not all(isinstance(one, (np.ndarray, *_NUMBERS)) for one in inputs):
        raise TypeError(f"{op}: the mask of a masked array would be lost; give its filled(0)")


def needs_grad(tensor: Any) -> bool:
    """Whether autograd follows what is done with a tensor."""
    return bool(tensor.requires_grad and sys.modules["torch"].is_grad_enabled())


def own_function(inputs: Sequence[Any]) -> Any:
    """Return the method of the first input whose class does operations itself, or None."""
    for value in inputs:
        if type(value) is not np.ndarray and hasattr(type(value), FUNCTION):
            return getattr(value, FUNCTION)
    return None


def as_cast(op: str, inputs: Sequence[Any]) -> Sequence[Any]:
    """Return the inputs as a class that does operations itself casts them: to its own dtype."""
    own = [one for one in inputs if hasattr(type(one), FUNCTION)]
    if not own:
        return inputs
    dtype = getattr(own[0], ARRAY)().dtype
    cast: list[Any] = [None if one is None else _cast(one, op, dtype) for one in inputs]
    if op == "cross_entropy" and cast[0].shape != cast[1].shape:
        cast[1] = np.asarray(cast[1], dtype=np.int64)  # classes
    return cast


def _cast(value: Any, op: str, dtype: Any) -> Any:
    array = getattr(value, ARRAY)() if hasattr(type(value), ARRAY) else to_array(value, op, True)
    return np.asarray(array, dtype=dtype)


def to_array(value: Any, op: str, as_floats: bool) -> Any:
    """Return what numpy computes with: an array, or a number or None as it is.

    Lists become float64 where ``as_floats``. Raises ``TypeError`` and ``ValueError``.
    """
    if value is None or isinstance(value, np.ndarray):
        return value
    kind = kind_of(value, op)
    if kind == "list":
        return _from_list(value, op, as_floats)
    if kind == "tensor":
        return _from_tensor(value, op)
    if kind == "wrapped":
        return _from_wrapped(value, op)
    return value


def to_arrays(kind: str, inputs: Sequence[Any], op: str) -> list[Any]:
    """Return all inputs as numpy computes with them; ``kind`` is that of the result.

    Raises ``TypeError`` and ``ValueError``.
    """
    has_classes = op == "cross_entropy"  # whole numbers, or one
    arrays = [
        to_array(one, op, kind == "list" and not (has_classes and place == 1))
        for place, one in enumerate(inputs)
    ]
    if has_classes:
        arrays[1] = np.asarray(arrays[1])
    return arrays


def from_tensor(tensor: Any) -> Any:
    """Return a tensor's array, which shares its memory where it can."""
    return tensor.detach().resolve_conj().resolve_neg().cpu().numpy()


def _from_tensor(tensor: Any, op: str) -> Any:
    try:
        return from_tensor(tensor)
    except TypeError:  # bfloat16, quantized
        raise TypeError(
            f"{op}: {tensor.dtype} is no dtype of numpy's; give tensor.float(), or the tensor first"
        ) from None


def from_result(kind: str, first: Any, result: Any) -> Any:
    """Return what numpy computed as what the first input is."""
    if kind == "list":
        return result.tolist() if hasattr(result, "tolist") else result
    if kind == "wrapped":
        return getattr(type(first), WRAP)(np.asarray(result))
    return result


def _from_list(value: Any, op: str, as_floats: bool) -> Any:
    try:
        return np.asarray(value, dtype=np.float64 if as_floats else None)
    except (TypeError, ValueError, OverflowError) as error:
        raise type(error)(f"{op}: a list that is no array of numbers: {error}") from None


def _from_wrapped(value: Any, op: str) -> Any:
    if getattr(value, "requires_grad", False):
        raise TypeError(
            f"{op}: {type(value).__name__} needs a gradient, which would be lost; its class must "
            f"have {FUNCTION}(name, arrays, options) to compute with one"
        )
    return getattr(value, ARRAY)()
