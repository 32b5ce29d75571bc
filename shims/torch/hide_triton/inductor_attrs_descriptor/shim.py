"""Inductor's version of Triton's launch descriptors is V0_NO_TRITON while we stand in for Triton.

Origin: https://github.com/pytorch/pytorch/blob/v2.13.0/torch/_inductor/utils.py
The original asks ``importlib.util.find_spec``, which finds the stand-in, and then imports insides
that the stand-in has not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def build(original: Callable[[], Any], ctx: Any) -> Callable[[], Any]:
    """Return the function, cached as the original is."""

    @functools.cache
    def get_triton_attrs_descriptor_version() -> Any:
        if _is_stub():
            return ctx.module.TritonAttrsDescriptorVersion.V0_NO_TRITON
        return original()

    return get_triton_attrs_descriptor_version


def _is_stub() -> bool:
    try:
        import triton
    except ImportError:
        return False
    return "__stub__" in vars(triton)
