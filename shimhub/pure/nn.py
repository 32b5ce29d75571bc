"""Layers: Linear and the activations, LayerNorm, and Sequential of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from shimhub.pure import _making, tensor_ops
from shimhub.pure._module import Module
from shimhub.pure.errors import DataError, KindError
from shimhub.pure.tensor import PureTensor

__all__ = [
    "GELU",
    "LayerNorm",
    "Linear",
    "Module",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
]


class Linear(Module):
    """``x @ weight.T + bias``, for x of shape (..., in_features).

    As in torch, ``weight`` is (out_features, in_features), and both are drawn evenly from
    ``-1 / sqrt(in_features)`` to ``1 / sqrt(in_features)``. ``dtype`` is float32, or float64.
    An x of another width is ``DataError``, a tensor of another dtype ``KindError``.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = None
    ) -> None:
        _making.check_size("in_features", in_features)
        _making.check_size("out_features", out_features)
        bound = 1 / math.sqrt(in_features)
        self.weight = _even((out_features, in_features), bound, dtype)
        self.bias = _even((out_features,), bound, dtype) if bias else None

    def forward(self, x: Any) -> PureTensor:
        """Return the outputs; what is no tensor is taken in the dtype of the weight."""
        weight = self.weight
        if not isinstance(x, PureTensor):
            x = PureTensor(x, dtype=weight.dtype)
        if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
            raise DataError(f"x: shape {x.shape} does not end in {weight.shape[1]}, for {self!r}")
        if x.dtype != weight.dtype:
            raise KindError(
                f"x: {x.dtype} is not {weight.dtype}, the weight's dtype, for {self!r}; make one "
                f"of them with dtype='{x.dtype}' or '{weight.dtype}'"
            )
        return tensor_ops.linear(x, weight, self.bias, transposed=True)

    def __repr__(self) -> str:
        out, count = self.weight.shape
        return f"Linear({count}, {out}{'' if self.bias is not None else ', bias=False'})"


class ReLU(Module):
    """``max(x, 0)``."""

    def forward(self, x: Any) -> PureTensor:
        """Return the outputs."""
        return tensor_ops.relu(x)

    def __repr__(self) -> str:
        return "ReLU()"


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``."""

    def forward(self, x: Any) -> PureTensor:
        """Return the outputs."""
        return tensor_ops.sigmoid(x)

    def __repr__(self) -> str:
        return "Sigmoid()"


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Any) -> PureTensor:
        """Return the outputs."""
        return tensor_ops.tanh(x)

    def __repr__(self) -> str:
        return "Tanh()"


class GELU(Module):
    """``x * Phi(x)``, or its approximation by "tanh"."""

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise DataError(f"approximate: {approximate!r} is neither 'none' nor 'tanh'")
        self.approximate = approximate

    def forward(self, x: Any) -> PureTensor:
        """Return the outputs."""
        return tensor_ops.gelu(x, self.approximate)

    def __repr__(self) -> str:
        return f"GELU({self.approximate!r})"


class Softmax(Module):
    """``exp(x) / sum(exp(x))`` along an axis; ``cross_entropy`` wants its input instead."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> PureTensor:
        """Return the outputs."""
        return tensor_ops.softmax(x, self.axis)

    def __repr__(self) -> str:
        return f"Softmax({self.axis})"


class LayerNorm(Module):
    """Rows with mean 0 and variance 1, then ``* weight + bias``, over the last dimension.

    ``weight``, ones at first, and ``bias``, zeros, are (features,), as the last dimension of x.
    """

    def __init__(self, features: int, eps: float = 1e-5, *, dtype: Any = None) -> None:
        _making.check_size("features", features)
        self.weight = PureTensor.ones(features, requires_grad=True, dtype=dtype)
        self.bias = PureTensor.zeros(features, requires_grad=True, dtype=dtype)
        self.eps = eps

    def forward(self, x: Any) -> PureTensor:
        """Return the outputs."""
        return tensor_ops.layer_norm(x, self.weight, self.bias, self.eps)

    def __repr__(self) -> str:
        return f"LayerNorm({self.weight.size})"


class Sequential(Module):
    """Modules one after the other: ``Sequential(a, b)``, or ``Sequential(layers=[a, b])``."""

    def __init__(self, *modules: Any, layers: Sequence[Any] | None = None) -> None:
        if layers is None and len(modules) == 1 and isinstance(modules[0], list | tuple):
            modules = tuple(modules[0])
        self.layers = [*modules, *(layers or ())]
        for index, one in enumerate(self.layers):
            if not callable(one):
                raise KindError(
                    f"layers[{index}]: {type(one).__name__} is neither a module nor "
                    "a function of a tensor"
                )

    def named_parts(self) -> dict[str, Any]:
        """Return the modules by their index, the names that torch gives them."""
        return {str(index): one for index, one in enumerate(self.layers)}

    def forward(self, x: Any) -> PureTensor:
        """Return the output of the last module."""
        for layer in self.layers:
            x = layer(x)
        return x if isinstance(x, PureTensor) else PureTensor(x)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Any:
        return self.layers[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


def _even(shape: tuple[int, ...], bound: float, dtype: Any) -> PureTensor:
    drawn = _making.generator().uniform(-bound, bound, shape)
    return PureTensor(drawn, requires_grad=True, dtype=dtype)
