"""The operations as data: who computes each, what it takes, how much work it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shimhub import kernels
from shimhub.accel import _shapes
from shimhub.kernels import _loading, linalg
from shimhub.kernels._reference import linalg as reference

_Inputs = Sequence[Any]
_Options = Mapping[str, Any]


@dataclass
class Op:
    """An operation. ``kernel`` is None where there is no native library.

    ``scalars`` tells that a result without dimensions is a number, as with numpy's own functions.
    """

    name: str
    kernel: Callable[..., Any] | None
    reference: Callable[..., Any]
    work: Callable[[_Inputs, _Options], float]
    check: Callable[[_Inputs, _Options], None]
    scalars: bool = False
    #: The kernel that we brought, whatever ``kernel`` is now.
    own: Callable[..., Any] | None = field(init=False)

    def __post_init__(self) -> None:
        self.own = self.kernel


def _op(name: str, work: Any, check: Any, scalars: bool = False, ours: str = "") -> Op:
    plain = getattr(reference, ours or name)
    kernel = getattr(linalg, ours or name) if kernels.available() else None
    return Op(name, kernel, plain, work, check, scalars)


def _pair(name: str, ours: str) -> Op:
    return _op(name, _shapes.largest, _shapes.check_pair(name), scalars=True, ours=ours)


def _activation(name: str) -> Op:
    return _op(name, _shapes.largest, _shapes.check_nothing)


_ALL: Final = (
    _op("matmul", _shapes.matmul_work, _shapes.check_matmul, scalars=True),
    _op("linear", _shapes.linear_work, _shapes.check_linear),
    _pair("add", "add"),
    _pair("sub", "subtract"),
    _pair("mul", "multiply"),
    _pair("div", "divide"),
    _activation("relu"),
    _activation("sigmoid"),
    _activation("tanh"),
    _op("gelu", _shapes.largest, _shapes.check_gelu),
    _op("softmax", _shapes.largest, _shapes.check_softmax),
    _op("layer_norm", _shapes.largest, _shapes.check_layer_norm),
    _op("mse_loss", _shapes.largest, _shapes.check_mse, scalars=True),
    _op("cross_entropy", _shapes.largest, _shapes.check_cross_entropy, scalars=True),
)
TABLE: Final[Mapping[str, Op]] = {op.name: op for op in _ALL}


def serves(op: Op, forced: bool, inputs: _Inputs, options: _Options) -> bool:
    """Whether our kernel computes this itself, if torch does not; ``forced`` at any size."""
    native = _loading.native()
    if native is None or op.kernel is None:
        return False
    return bool(native.accel_serves(op.name, forced, *inputs, **options))


def call_kernel(op: Op, forced: bool, inputs: _Inputs, options: _Options) -> tuple[Any, bool]:
    """Return a kernel's result, and whether it was computed natively and not by numpy."""
    if op.kernel is not None and op.kernel is not op.own:
        return op.kernel(*inputs, **options), True
    native: Any = _loading.native()
    result, natively = native.accel_kernel(op.name, forced, *inputs, **options)
    return result, natively
