"""Products of lists, which our kernel takes as they are: making arrays of them takes longer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from shimhub import kernels
from shimhub.accel import breakers, logs, stats, thresholds
from shimhub.accel._table import TABLE
from shimhub.accel.model import AccelMode, Settings


def product(inputs: Sequence[Any], settings: Settings) -> Any:
    """Return the product of two lists by our kernel; None where another way is to be taken.

    The kernel takes fewer lists than numpy does: no bools, no rows of arrays, none that is empty.
    """
    kernel = TABLE["matmul"].kernel
    if kernel is None or not all(isinstance(one, list | tuple) for one in inputs):
        return None
    if breakers.is_open("matmul", "native"):
        return None
    amount = work(*inputs)
    if settings.mode is AccelMode.AUTO:
        limit = thresholds.effective("matmul", "list", "float64", settings).size
        if amount > limit or limit == 0:
            return None
    large = amount > kernels.native_limit("products", "float64")
    if large and settings.mode is not AccelMode.NATIVE:
        return None
    try:
        result = kernel(*inputs)
    except Exception:  # noqa: BLE001 - all modes tell what numpy makes of the lists
        return None
    stats.count("matmul", "native")
    if logs.is_enabled():
        logs.tell("matmul", [np.asarray(one) for one in inputs], "native")
    return result


def work(a: Any, b: Any) -> float:
    """Return the multiplications of a product of lists, as their first rows tell. O(1)."""
    columns = len(b[0]) if b and isinstance(b[0], list | tuple) else 1
    rows = len(a) if a and isinstance(a[0], list | tuple) else 1
    return float(rows * len(b) * columns)
