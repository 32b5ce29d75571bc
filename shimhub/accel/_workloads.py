"""The calls that are timed: inputs of each operation by shape, and both ways to compute them.

Both are calls of the public function in mode AUTO, with who computes laid down: so what they take
is what a call takes, on whatever way dispatch finds.
"""

from __future__ import annotations

import contextvars
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from shimhub.accel._table import TABLE
from shimhub.accel._timing import sample_ns
from shimhub.accel.model import GROUPS, AccelMode, Settings
from shimhub.accel.modes import CURRENT
from shimhub.accel.torch_ffi import torch_module

#: (rows, columns), or (m, k, n) of a product of (m, k) and (k, n).
Shape = tuple[int, ...]
_SHORT: Final = 8
_HALF: Final = 0.5
#: What is an option, where the operation has any.
_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {"linear": {"transposed": False}}


@dataclass(frozen=True)
class Arm:
    """One way of a call: the call, and the context in which it takes that way."""

    call: Callable[[], Any]
    context: contextvars.Context

    def __call__(self) -> Any:
        """Compute it once."""
        return self.context.run(self.call)

    def sample_ns(self, count: int) -> float:
        """Return the nanoseconds of a call, as the mean of ``count``."""
        return self.context.run(sample_ns, self.call, count)


@dataclass(frozen=True)
class Arms:
    """A call of so much work in both ways."""

    work: float
    pure: Arm
    torch: Arm


def arms(name: str, kind: str, dtype: str, shape: Shape) -> Arms:
    """Return both ways to compute an operation on inputs of a kind."""
    from shimhub import accel

    arrays = inputs_of(name, dtype, shape)
    call = partial(getattr(accel, name), *(_as(kind, one) for one in arrays))
    ours, theirs = _forced(name)
    work = TABLE[name].work(arrays, _OPTIONS.get(name, {}))
    return Arms(work, Arm(call, ours), Arm(call, theirs))


def square(name: str, size: int) -> Shape:
    """Return the shape of ``size`` x ``size`` inputs."""
    return (size,) * (3 if name in GROUPS["matmul"] else 2)


def short_rows(size: int) -> Shape:
    """Return the shape of as many elements as ``size`` x ``size`` in rows of eight."""
    return size * size // _SHORT, _SHORT


def inputs_of(name: str, dtype: str, shape: Shape) -> list[Any]:
    """Return arrays for an operation, the same each time; from -1 to 1, away from zero."""
    draw = np.random.default_rng(8)
    rows, columns = shape[0], shape[-1]
    x = _drawn(draw, shape[:2], dtype)
    if name in GROUPS["matmul"]:
        product = [x, _drawn(draw, shape[1:], dtype)]
        return product if name == "matmul" else [*product, _drawn(draw, (columns,), dtype)]
    if name == "layer_norm":
        return [x, _drawn(draw, (columns,), dtype), _drawn(draw, (columns,), dtype)]
    if name == "cross_entropy":
        return [x, np.arange(rows) % columns]
    return [x] if name in GROUPS["activations"] else [x, _drawn(draw, shape, dtype)]


def _drawn(draw: np.random.Generator, shape: Shape, dtype: str) -> Any:
    found = draw.random(shape, np.float32) * 2 - 1
    return np.where(abs(found) < _HALF / 5, np.float32(_HALF), found).astype(dtype)


def _as(kind: str, array: Any) -> Any:
    if kind == "list":
        return array.tolist()
    return torch_module().from_numpy(array) if kind == "tensor" else array


def _forced(name: str) -> tuple[contextvars.Context, contextvars.Context]:
    """Return contexts in which our kernels and numpy, and torch, compute an operation."""
    return (
        _in(Settings(AccelMode.AUTO, True, {name: math.inf}, tensors=(math.inf, math.inf))),
        _in(Settings(AccelMode.AUTO, True, {name: 0.0}, tensors=(0.0, math.inf))),
    )


def _in(settings: Settings) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(CURRENT.set, settings)
    return context
