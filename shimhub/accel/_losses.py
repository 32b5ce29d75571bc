"""Losses in numpy: what torch's give, as numbers of the prediction's dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from shimhub.accel import _shapes

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def mse_loss(x: Any, target: Any) -> Any:
    """Return the mean of the squared differences; NaN for nothing."""
    _check_floats("mse_loss", x)
    _shapes.check_mse((x, target), {})
    if x.size == 0:
        return x.dtype.type(np.nan)
    with np.errstate(all="ignore"):
        apart = (x - target).ravel()
        return x.dtype.type(np.dot(apart, apart) / x.size)


def cross_entropy(x: Any, target: Any) -> Any:
    """Return the mean over rows of ``-log(softmax(x))``, at classes or weighed by probabilities."""
    _check_floats("cross_entropy", x)
    _shapes.check_cross_entropy((x, target), {})
    if x.size == 0:
        return x.dtype.type(np.nan)
    with np.errstate(all="ignore"):
        apart = x - x.max(axis=-1, keepdims=True)
        logs = apart - np.log(np.exp(apart).sum(axis=-1, keepdims=True))
    if target.shape == x.shape and target.dtype.kind == "f":
        chosen = (logs * target).sum(axis=-1)
    else:
        chosen = np.take_along_axis(logs, classes(x, target)[..., None], axis=-1)
    return x.dtype.type(-np.mean(chosen))


def classes(x: Any, target: Any) -> Any:
    """Return the target as indices. Raises ``TypeError`` and ``ValueError`` for what is none."""
    if target.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: target: dtype {target.dtype} is none of classes")
    count = x.shape[-1]
    if target.size and not (target.min() >= 0 and target.max() < count):
        raise ValueError(f"cross_entropy: target: has classes that are not in 0..{count - 1}")
    return target.astype(np.int64, copy=False)


def _check_floats(op: str, x: Any) -> None:
    if not isinstance(x, np.ndarray) or x.dtype not in _FLOATS:
        told = getattr(x, "dtype", type(x).__name__)
        raise TypeError(f"{op}: {told} is neither float32 nor float64")
