"""torch's stable C functions for a tensor's size, which C asks. Imports torch.

They are of torch/csrc/inductor/aoti_torch/c/shim.h, which torch keeps as it is for programs that
were compiled beside another version of it.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch

from shimhub.accel import _fast

_NAMES = ("aoti_torch_get_dim", "aoti_torch_get_numel", "aoti_torch_get_dtype")
#: torch's dtypes, in C's order; all others are one more.
_TYPES = {torch.float32: 0, torch.float64: 1}
_OTHER = 3


def addresses() -> tuple[int, ...]:
    """Return where torch's functions are in memory; none where it lacks any."""
    try:
        library = ctypes.CDLL(torch._C.__file__)
        return tuple(_address(getattr(library, name)) for name in _NAMES)
    except (OSError, AttributeError):
        return ()


def samples() -> tuple[Any, ...]:
    """Return tensors of several kinds, each with what is to be told of it."""
    x = torch.zeros(3, 4)
    made = (
        *(x, x.double(), x.int(), x.bfloat16(), torch.zeros(()), torch.zeros(0, 5)),
        *(torch.zeros(7, dtype=torch.int64), x.T, x[:, 1:], x.expand(2, 3, 4)),
        *(torch.nn.Parameter(x[0]), torch.zeros(1, 2, 3, 1, 2, 1)),
    )
    return tuple(
        (one, one._cdata, one.dim(), one.numel(), _TYPES.get(one.dtype, _OTHER)) for one in made
    )


def use() -> bool:
    """Let C ask these functions from now on; whether it does."""
    return _fast.use_outlines(addresses(), samples())


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0
