"""Losses: one number for a batch, and its gradient by the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub import accel
from shimhub.pure import _making
from shimhub.pure import tensor as _tensor
from shimhub.pure._recording import pair, record, single
from shimhub.pure.errors import DataError, KindError

if TYPE_CHECKING:
    from shimhub.pure._making import Array
    from shimhub.pure.tensor import PureTensor


def mse_loss(prediction: Any, target: Any) -> PureTensor:
    """Return the mean of ``(prediction - target) ** 2``; ``DataError`` unless of one shape."""
    prediction, target = pair(prediction, target)
    if prediction.shape != target.shape:
        raise DataError(
            f"target: shape {target.shape} is not {prediction.shape}, that of the prediction; "
            "reshape it, as broadcasting would compare every pair"
        )
    p, t = prediction.data, target.data
    twice = 2 / max(p.size, 1)
    return record(
        accel.mse_loss(p, t),
        (prediction, lambda g: (p - t) * (g * twice), (prediction, target)),
        (target, lambda g: (t - p) * (g * twice), (prediction, target)),
    )


def cross_entropy(logits: Any, target: Any) -> PureTensor:
    """Return the mean over rows of ``-log(softmax(logits))`` at the target.

    ``logits`` is (rows, classes), or (classes,) for one row; ``target`` has the class of each row,
    or the probability of each class, of the shape of ``logits`` (then floats). A target that is no
    tensor is copied, so that its array may be written before ``backward``. Raises ``DataError``
    for other shapes and for classes that there are not, ``KindError`` for a target of no numbers.
    """
    logits = single(logits)
    x = logits.data
    if x.ndim not in (1, 2) or x.size == 0:
        raise DataError(
            f"logits: shape {x.shape} is not (rows, classes), with one of each at least"
        )
    wanted = _target_of(target, x)
    try:
        loss = accel.cross_entropy(x, wanted)
    except ValueError:
        _check_classes(wanted, x.shape[-1])
        raise
    slope = (logits, lambda g: _slope(x, wanted) * g)
    if wanted.dtype.kind == "i" or not isinstance(target, _tensor.PureTensor):
        return record(loss, (*slope, (logits,)))
    by_target = (target, lambda g: _target_slope(x) * g, (logits,))
    return record(loss, (*slope, (logits, target)), by_target)


def _slope(x: Array, target: Array) -> Array:
    """Return ``softmax(x) - target``, over the number of rows."""
    rows = x.size // x.shape[-1]
    found: Array = accel.softmax(x)
    if target.dtype.kind == "f":
        found = found * target.sum(axis=-1, keepdims=True) - target
    else:
        found.reshape(rows, -1)[np.arange(rows), target.reshape(-1)] -= 1
    found /= rows
    return found


def _target_slope(x: Array) -> Array:
    """Return ``-log(softmax(x))``, over the number of rows: the gradient by probabilities."""
    below = x.max(axis=-1, keepdims=True) - x
    found: Array = below + np.log(np.exp(-below).sum(axis=-1, keepdims=True))
    found /= x.size // x.shape[-1]
    return found


def _target_of(target: Any, x: Array) -> Array:
    """Return classes as int64, or probabilities of the dtype of ``x``; checked."""
    given = target.data if isinstance(target, _tensor.PureTensor) else target
    found = np.asarray(_making.unmasked("target", given))
    if found.shape == x.shape and found.dtype.kind == "f":
        own = found is given and given is not target
        return np.asarray(found, x.dtype) if own else np.array(found, x.dtype)
    if found.shape != x.shape[:-1]:
        raise DataError(
            f"target: shape {found.shape} is neither {x.shape[:-1]}, classes, nor {x.shape}, "
            "probabilities as floats"
        )
    return classes_of(found)


def classes_of(found: Array) -> Array:
    """Return a copy of classes as int64; raises for what is no whole number."""
    if found.dtype.kind not in "iuf":
        raise KindError(f"target: {found.dtype} values are no classes; give integers")
    with np.errstate(invalid="ignore"):  # of what is no number
        whole = found.astype(np.int64)
    if found.dtype != whole.dtype and not np.array_equal(whole, found):
        raise DataError("target: classes are whole numbers, or one probability for each class")
    return whole


def _check_classes(found: Array, count: int) -> None:
    """Raise ``DataError`` for the first class that there is not; nothing for probabilities."""
    if found.dtype.kind == "i" and (found.min() < 0 or found.max() >= count):
        place = int(np.flatnonzero((found < 0) | (found >= count))[0])
        wrong = found.reshape(-1)[place]
        raise DataError(f"target[{place}]: class {wrong:g} is not one of 0 to {count - 1}")
