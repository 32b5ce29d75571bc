"""Sizes up to which native linear algebra is used; above, numpy's is as fast or faster.

Measured on one thread of an Intel Xeon with AVX-512 (two units for fused multiply-add), against
OpenBLAS of numpy 2.4, by ``python -m tests.bench.kernels linalg``. Another machine has others:
:func:`shimhub.kernels.native_limit` changes them.
"""

from __future__ import annotations

import math
import os
from typing import Final, NamedTuple


class Limits(NamedTuple):
    """Of one precision."""

    #: m * n * k of a product, where BLAS has one thread.
    products: float
    #: The same where it may start more: OpenBLAS does so above this (interface/gemm.c).
    threaded_products: float
    #: m * n * k where k is at most 16 and BLAS has one thread: storing the result is most of it.
    shallow_products: float
    #: m * k where n is less than half of a vector, so that most of each vector is unused.
    thin_products: float
    #: Elements of the result of add, subtract, multiply and divide.
    elements: float


#: By the fastest lane in use, then by the dtype's name.
LIMITS: Final = {
    "avx512": {
        "float32": Limits(384.0**3, 64.0**3, math.inf, 4096, 16384),
        "float64": Limits(200.0**3, 64.0**3, math.inf, 4096, 4096),
    },
    "avx2": {
        "float32": Limits(48.0**3, 48.0**3, 0, 4096, 16384),
        "float64": Limits(48.0**3, 48.0**3, 0, 4096, 4096),
    },
    "portable": {
        "float32": Limits(10.0**3, 10.0**3, 0, 256, 1024),
        "float64": Limits(10.0**3, 10.0**3, 0, 256, 1024),
    },
}


def limits(lanes: frozenset[str]) -> dict[str, Limits]:
    """Return the limits of the fastest of the lanes, by the dtype's name."""
    return next(LIMITS[lane] for lane in LIMITS if lane in lanes or lane == "portable")


def blas_threads() -> int:
    """Return how many threads BLAS may start: what its variables tell, or all processors."""
    for name in ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"):
        told = os.environ.get(name, "").split(",")[0].strip()
        if told.isdecimal() and int(told) > 0:
            return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
