"""The operators and methods of a tensor that make another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shimhub.pure import tensor_ops as _ops

if TYPE_CHECKING:
    from shimhub.pure._making import Array
    from shimhub.pure.tensor import PureTensor


class Operators:
    """What :class:`PureTensor` can be computed with; each is a function of ``tensor_ops``."""

    __slots__ = ()
    #: numpy's own operations would lose the gradient, so that they leave operators to this class.
    __array_ufunc__ = None
    #: ``==`` compares elements; sets and dicts hold tensors by identity.
    __hash__ = object.__hash__

    # ---- shapes, slices and reductions

    def reshape(self, *shape: Any) -> PureTensor:
        """Return the elements in another shape; one size may be -1."""
        return _ops.reshape(self, *shape)

    def transpose(self, *axes: Any) -> PureTensor:
        """Return the dimensions in another order, one by one or a tuple; reversed without."""
        return _ops.transpose(self, *axes)

    @property
    def T(self) -> PureTensor:  # noqa: N802 - as numpy and torch call it
        """The dimensions reversed."""
        return _ops.transpose(self)

    def __getitem__(self, index: Any) -> PureTensor:
        return _ops.take(self, index)

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> PureTensor:
        """Return the sum of all elements, or along an axis or a tuple of them."""
        return _ops.total(self, axis, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> PureTensor:
        """Return the mean of all elements, or along an axis or a tuple of them."""
        return _ops.mean(self, axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> PureTensor:
        """Return the greatest element; equal ones share its gradient."""
        return _ops.maximum(self, axis, keepdims=keepdims)

    def exp(self) -> PureTensor:
        """Return e to the power of each element."""
        return _ops.exp(self)

    def log(self) -> PureTensor:
        """Return the natural logarithm of each element."""
        return _ops.log(self)

    # ---- operators

    def __add__(self, other: Any) -> PureTensor:
        return _ops.add(self, other)

    def __radd__(self, other: Any) -> PureTensor:
        return _ops.add(other, self)

    def __sub__(self, other: Any) -> PureTensor:
        return _ops.sub(self, other)

    def __rsub__(self, other: Any) -> PureTensor:
        return _ops.sub(other, self)

    def __mul__(self, other: Any) -> PureTensor:
        return _ops.mul(self, other)

    def __rmul__(self, other: Any) -> PureTensor:
        return _ops.mul(other, self)

    def __truediv__(self, other: Any) -> PureTensor:
        return _ops.div(self, other)

    def __rtruediv__(self, other: Any) -> PureTensor:
        return _ops.div(other, self)

    def __matmul__(self, other: Any) -> PureTensor:
        return _ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> PureTensor:
        return _ops.matmul(other, self)

    def __pow__(self, power: float) -> PureTensor:
        return _ops.power(self, power)

    def __neg__(self) -> PureTensor:
        return _ops.mul(self, -1.0)

    # ---- comparisons, which have no gradient: arrays of bool

    def __eq__(self, other: object) -> Array:  # type: ignore[override]
        return _ops.compare("equal", self, other)

    def __ne__(self, other: object) -> Array:  # type: ignore[override]
        return _ops.compare("not_equal", self, other)

    def __lt__(self, other: Any) -> Array:
        return _ops.compare("less", self, other)

    def __le__(self, other: Any) -> Array:
        return _ops.compare("less_equal", self, other)

    def __gt__(self, other: Any) -> Array:
        return _ops.compare("greater", self, other)

    def __ge__(self, other: Any) -> Array:
        return _ops.compare("greater_equal", self, other)
