"""``has_triton_package()`` stays False while the ``triton`` that imports is our stand-in.

Origin: https://github.com/pytorch/pytorch/blob/v2.13.0/torch/utils/_triton.py
All of torch asks this function; with a real Triton it answers as it always does.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any


def build(original: Callable[[], bool], ctx: Any) -> Callable[[], bool]:
    """Return the test, cached as the original is."""

    @functools.cache
    def has_triton_package() -> bool:
        return original() and "__stub__" not in vars(sys.modules["triton"])

    return has_triton_package
