"""Losses on numpy: what the native library does, and all that it leaves to numpy.

Results are numbers of the prediction's dtype, which is float32 or float64; nothing warns. Sums of
float32 are float32: infinity where they do not fit, NaN where numpy's are.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

_FLOATS: Final = (np.dtype(np.float32), np.dtype(np.float64))
_MATRIX: Final = 2  # dimensions


def mse_loss(x: npt.NDArray[Any], target: npt.NDArray[Any], /) -> Any:
    """Return the mean of the squared differences; NaN for nothing.

    ``target`` has the shape of ``x``, float32 or float64 of any shape. Natively within 32 eps:
    sums are taken in blocks of the dtype, which are added in float64. O(n).
    Raises ``TypeError`` or ``ValueError`` naming the argument.
    """
    _check_floats(x)
    _check_target(target)
    if target.shape != x.shape:
        raise ValueError(f"target: shape {target.shape} is not {x.shape}, that of x")
    if x.size == 0:
        return x.dtype.type(np.nan)
    with np.errstate(all="ignore"):
        apart = (x - target).ravel()
        return x.dtype.type(np.dot(apart, apart) / x.size)


def cross_entropy(x: npt.NDArray[Any], target: npt.NDArray[Any], /) -> Any:
    """Return the mean over rows of ``-log(softmax(x))``, at classes or weighed by probabilities.

    x ``(rows, classes)`` or ``(classes,)``; ``target`` the integer of each row's class, ``(rows,)``
    or ``()``, or floating-point weights of the shape of x. NaN for nothing. Natively within 64 eps
    of ``1 +`` the sum of each row's magnitudes. O(size of x).
    Raises ``TypeError`` or ``ValueError`` naming the argument.
    """
    _check_floats(x)
    _check_target(target)
    if x.ndim not in (1, _MATRIX):
        raise ValueError(f"x: shape {x.shape} is neither (classes,) nor (rows, classes)")
    if target.shape not in (x.shape[:-1], x.shape):
        raise ValueError(f"target: shape {target.shape} is neither {x.shape[:-1]} nor {x.shape}")
    if x.size == 0:
        return x.dtype.type(np.nan)
    with np.errstate(all="ignore"):
        apart = x - x.max(axis=-1, keepdims=True)
        logs = apart - np.log(np.exp(apart).sum(axis=-1, keepdims=True))
        if target.shape == x.shape and target.dtype.kind == "f":
            chosen = (logs * target).sum(axis=-1)
        else:
            chosen = np.take_along_axis(logs, _classes(x, target)[..., None], axis=-1)
        return x.dtype.type(-np.mean(chosen))


def _classes(x: npt.NDArray[Any], target: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    if target.dtype.kind not in "iu" or target.shape != x.shape[:-1]:
        raise TypeError(f"target: dtype {target.dtype} of shape {target.shape} is none of classes")
    check_classes(target, x.shape[-1])
    return target.astype(np.int64, copy=False)


def check_classes(target: npt.NDArray[Any], count: int) -> None:
    """Raise ``ValueError`` for whole numbers that are no class; torch leaves out those of -100."""
    if target.size and not (target.min() >= 0 and target.max() < count):
        raise ValueError(f"target: has classes that are not in 0..{count - 1}")


def _check_floats(x: Any) -> None:
    if not isinstance(x, np.ndarray):
        raise TypeError(f"x: {type(x).__name__} is not a numpy array")
    if x.dtype not in _FLOATS:
        raise TypeError(f"x: dtype {x.dtype} is neither float32 nor float64")


def _check_target(target: Any) -> None:
    if not isinstance(target, np.ndarray | np.generic):
        raise TypeError(f"target: {type(target).__name__} is not a numpy array")
