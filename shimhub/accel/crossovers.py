"""Sizes from which torch was measured to be faster; a small table until a calibration is here."""

from __future__ import annotations

import math


def crossover(op: str, kind: str, dtype: str) -> float:
    """Return the size above which torch computes, in the unit of thresholds.

    ``math.inf`` is never, 0 always. torch's tensors stay in torch: nothing of ours was measured
    to be faster on them, and arrays are not worth the way there.
    """
    del op, dtype
    return 0.0 if kind == "tensor" else math.inf


def source(op: str, kind: str, dtype: str) -> str:
    """Return who measured that: "default", "shipped" or "calibrated"."""
    del op, kind, dtype
    return "default"


def predicted_us(op: str, kind: str, dtype: str, backend: str, work: float) -> float | None:
    """Return the microseconds that the measurements tell for a call, None without any."""
    del op, kind, dtype, backend, work
    return None
