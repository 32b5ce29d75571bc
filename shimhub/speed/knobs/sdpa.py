"""Knob ``sdpa``: the kernels that ``scaled_dot_product_attention`` may choose from.

The value names those that stay allowed. The order in which torch tries them is left alone, and
so is the kernel that an accelerator of a third party brings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import torch
from torch.nn.attention import SDPBackend

from shimhub.errors import nearest
from shimhub.speed.errors import KnobError
from shimhub.speed.model import Hardware, Numerics, State, Targets


class _Kernel(NamedTuple):
    backend: SDPBackend
    get: Callable[[], bool]
    set: Callable[[bool], None]


_CUDA: Final = torch.backends.cuda
#: The kernels by the names that torch's own functions have for them.
KERNELS: Final = {
    "flash": _Kernel(SDPBackend.FLASH_ATTENTION, _CUDA.flash_sdp_enabled, _CUDA.enable_flash_sdp),
    "mem_efficient": _Kernel(
        SDPBackend.EFFICIENT_ATTENTION,
        _CUDA.mem_efficient_sdp_enabled,
        _CUDA.enable_mem_efficient_sdp,
    ),
    "math": _Kernel(SDPBackend.MATH, _CUDA.math_sdp_enabled, _CUDA.enable_math_sdp),
    "cudnn": _Kernel(SDPBackend.CUDNN_ATTENTION, _CUDA.cudnn_sdp_enabled, _CUDA.enable_cudnn_sdp),
}
#: SDPBackend has another word for one of them.
_ALSO: Final = {"efficient": "mem_efficient"}
#: A CPU has two of the kernels.
_ON_CPU: Final = frozenset({"flash", "math"})


def _flag(kernel: str) -> str:
    return f"torch.backends.cuda.{kernel}_sdp_enabled()"


def kernels_of(value: Any) -> tuple[str, ...]:
    """Return the kernels that a value names. Raises KnobError where it names none or another."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise KnobError(f"sdpa is {value!r}: it can be a list of {', '.join(KERNELS)}")
    words = [str(getattr(one, "name", one)).lower().removesuffix("_attention") for one in value]
    names = tuple(_ALSO.get(word, word) for word in words)
    for name in names:
        if name not in KERNELS:
            raise KnobError(
                f"sdpa names {name!r}{nearest(name, KERNELS)}: it can name {', '.join(KERNELS)}"
            )
    if not names:
        raise KnobError(f"sdpa allows no kernel, so no attention would run: name {_any()}")
    return tuple(dict.fromkeys(names))


def _any() -> str:
    return f"one or more of {', '.join(KERNELS)}"


class Sdpa:
    """Names of kernels: ``flash``, ``mem_efficient``, ``math``, ``cudnn``, as a list or tuple."""

    id: Final = "sdpa"
    numerics: Final = Numerics.REASSOCIATED
    scope: Final = "process"

    def why_not(self, value: Any, hardware: Hardware, targets: Targets) -> str:
        """Return why the kernels cannot be set, or what makes it pointless to."""
        try:
            names = kernels_of(value)
        except KnobError as error:
            return str(error)
        if hardware.kind == "cpu" and not _ON_CPU.intersection(names):
            return f"a CPU has the kernels {' and '.join(sorted(_ON_CPU))} alone"
        if {name for name, kernel in KERNELS.items() if kernel.get()} == set(names):
            return f"{', '.join(names)} are the kernels that are allowed already"
        return ""

    def read(self, targets: Targets) -> State:
        """Return which kernels are allowed."""
        return {_flag(name): kernel.get() for name, kernel in KERNELS.items()}

    def apply(self, value: Any, targets: Targets) -> None:
        """Allow the kernels that are named, and no other. Raises KnobError for wrong names."""
        names = kernels_of(value)
        for name, kernel in KERNELS.items():
            kernel.set(name in names)

    def restore(self, before: State, targets: Targets) -> None:
        """Allow again what was allowed."""
        for name, kernel in KERNELS.items():
            kernel.set(before[_flag(name)])


KNOB: Final = Sdpa()
