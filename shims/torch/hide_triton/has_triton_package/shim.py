"""``has_triton_package()`` stays False while the ``triton`` that imports is our stand-in.

Origin: https://github.com/pytorch/pytorch/blob/v2.13.0/torch/utils/_triton.py
All of torch asks this function; with a real Triton, or none, it answers as it always does. It
caches, so it must not be asked while the stand-in is there: the answer would outlive the stand-in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def build(original: Callable[[], bool], ctx: Any) -> Callable[[], bool]:
    """Return the test, cached as the original is."""

    @functools.cache
    def has_triton_package() -> bool:
        return not _is_stub() and original()

    return has_triton_package


def _is_stub() -> bool:
    try:
        import triton
    except ImportError:
        return False
    return "__stub__" in vars(triton)
