"""``torch._utils._get_available_device_type()`` says "cpu" where it would say None.

Origin: https://github.com/pytorch/torchtitan/blob/v0.2.2/torchtitan/tools/utils.py
Callers write ``_get_available_device_type() or "cuda"``, so a machine without an accelerator is
taken for one with CUDA and dies in CUDA's initialisation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: Callable[[], str | None], ctx: Any) -> Callable[[], str]:
    """Return the function; an accelerator that torch finds still wins."""

    def _get_available_device_type() -> str:
        return original() or "cpu"

    return _get_available_device_type
