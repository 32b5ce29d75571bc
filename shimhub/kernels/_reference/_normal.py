"""The normal distribution function in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def distribution(x: Any) -> Any:
    """Return ``erfc(-x / sqrt(2)) / 2`` of a float64 array, of relative error below 1e-13. O(n)."""
    flat = [math.erfc(-number / math.sqrt(2)) / 2 for number in np.ravel(x).tolist()]
    return np.array(flat, np.float64).reshape(np.shape(x))
