"""PureTensor: an array of floats that remembers how it was made, for gradients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.pure import _derivatives, _graph, _making, tensor_ops
from shimhub.pure._operators import Operators
from shimhub.pure.errors import DataError, GraphError

if TYPE_CHECKING:
    from shimhub.pure._making import Array


class PureTensor(Operators):
    """An array of float32 (or float64) with a gradient, if ``requires_grad``.

    ``data`` may be numbers, nested lists, an array or a tensor. An array of that dtype is not
    copied: the tensor lies over it, as ``torch.from_numpy`` does. Operators, slices and reductions
    follow numpy's shapes; operands that are no tensors take the dtype of the one that is.

    Writes by ``x[...] =``, an optimizer or ``load_state_dict`` that would make a gradient wrong
    are refused in ``backward``; a write to the array ``data`` itself is seen after ``wrote()``.
    """

    __slots__ = ("__weakref__", "data", "gradient", "node", "requires_grad", "written")

    data: Array
    #: The sum of what ``backward`` found, an array; ``grad`` is the tensor over it.
    gradient: Array | None
    requires_grad: bool
    #: How this was computed; None for a leaf.
    node: _graph.Node | None
    #: When the memory was last written by us: one cell for all tensors over it.
    written: list[int]

    def __init__(self, data: Any, requires_grad: bool = False, *, dtype: Any = None) -> None:
        given = data.data if isinstance(data, PureTensor) else data
        self.data = _making.array_of(given, dtype)
        self.requires_grad = requires_grad
        self.gradient = None
        self.node = None
        if self.data is given is not data:
            self.written = data.written
        else:
            self.written = _making.cell_of(self.data) if self.data.ndim else [0]

    @staticmethod
    def over(array: Array, written: list[int] | None = None) -> PureTensor:
        """Return a tensor over an array of floats, unchecked; ``written`` is its memory's cell."""
        tensor = _NEW(PureTensor)
        tensor.data = array
        tensor.requires_grad = False
        tensor.gradient = None
        tensor.node = None
        tensor.written = [0] if written is None else written
        return tensor

    # ---- making

    @staticmethod
    def from_list(values: Any, requires_grad: bool = False, *, dtype: Any = None) -> PureTensor:
        """Return a tensor of nested lists of numbers; ``DataError`` for rows of several lengths."""
        return PureTensor(values, requires_grad, dtype=dtype)

    @staticmethod
    def zeros(*shape: Any, requires_grad: bool = False, dtype: Any = None) -> PureTensor:
        """Return zeros, of a shape told as ``(2, 3)`` or ``2, 3``."""
        array = np.zeros(_making.shape_of(shape), _making.dtype_of(dtype))
        return PureTensor(array, requires_grad, dtype=dtype)

    @staticmethod
    def ones(*shape: Any, requires_grad: bool = False, dtype: Any = None) -> PureTensor:
        """Return ones, of a shape told as for ``zeros``."""
        array = np.ones(_making.shape_of(shape), _making.dtype_of(dtype))
        return PureTensor(array, requires_grad, dtype=dtype)

    @staticmethod
    def randn(*shape: Any, requires_grad: bool = False, dtype: Any = None) -> PureTensor:
        """Return numbers of the standard normal distribution, of a shape told as for ``zeros``.

        ``manual_seed`` repeats them.
        """
        drawn = _making.generator().standard_normal(
            _making.shape_of(shape),
            _making.dtype_of(dtype),
        )
        return PureTensor(drawn, requires_grad, dtype=dtype)

    # ---- looking

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the dimensions."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.data.dtype

    def item(self) -> float:
        """Return the only element; ``DataError`` where there are more, or none."""
        if self.data.size != 1:
            raise DataError(f"item: a tensor of shape {self.shape} is not one number; index it")
        return float(self.data.item())

    def numpy(self) -> Array:
        """Return the array itself; what is written to it changes the tensor."""
        return self.data

    def tolist(self) -> Any:
        """Return nested lists of floats."""
        return self.data.tolist()

    def argmax(self, axis: int | None = None) -> Any:
        """Return the places of the greatest elements, as an array of integers."""
        return self.data.argmax(axis)

    def __repr__(self) -> str:
        values = np.array2string(self.data, separator=", ", prefix="PureTensor(")
        wide = "" if self.dtype == np.float32 else f", dtype={self.dtype}"
        return f"PureTensor({values}{wide}{', requires_grad=True' if self.requires_grad else ''})"

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[PureTensor]:
        return (self[index] for index in range(len(self)))

    def __float__(self) -> float:
        return self.item()

    def __bool__(self) -> bool:
        return bool(self.item())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.requires_grad:
            raise GraphError("an array has no gradient; take .data, or .detach() first")
        if copy is False and dtype not in (None, self.dtype):
            raise DataError(f"array: {self.dtype} is not {np.dtype(dtype)} without a copy")
        return np.array(self.data, dtype) if copy else np.asarray(self.data, dtype)

    def __copy__(self) -> PureTensor:
        """Return a tensor over the same memory, as torch's ``copy.copy`` does."""
        if self.node is not None:
            raise GraphError(_NO_COPY)
        copied = PureTensor.over(self.data, self.written)
        copied.requires_grad, copied.gradient = self.requires_grad, self.gradient
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        if self.node is not None:
            raise GraphError(_NO_COPY)
        return _restored, (self.data, self.requires_grad, self.gradient)

    # ---- how shimhub.accel meets a tensor

    def __accel_array__(self) -> Array:
        return self.data

    @classmethod
    def __accel_wrap__(cls, array: Array) -> PureTensor:
        return cls.over(array)

    @staticmethod
    def __accel_function__(name: str, inputs: Iterable[Any], options: Mapping[str, Any]) -> Any:
        return getattr(tensor_ops, name)(*inputs, **options)

    # ---- gradients

    @property
    def grad(self) -> PureTensor | None:
        """The gradient of a leaf, as a tensor over it; None before ``backward``."""
        return None if self.gradient is None else PureTensor.over(self.gradient)

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            value = PureTensor(value, dtype=self.dtype).data
            if value.shape != self.shape:
                raise DataError(f"grad: shape {value.shape} is not {self.shape}")
        self.gradient = value

    def backward(self, gradient: Any = None, *, retain_graph: bool = False) -> None:
        """Add to ``grad`` of each leaf the derivative of this result by it.

        ``gradient`` is the derivative of something by this; 1 for a single number. The way back is
        forgotten unless ``retain_graph``. Raises ``GraphError``, and then adds nothing.
        """
        if not self.requires_grad:
            raise GraphError("backward: nothing that this was computed from has requires_grad=True")
        if gradient is None and self.size != 1:
            raise GraphError(
                f"backward: shape {self.shape} is not one number; reduce it with .sum() or "
                ".mean(), or give a gradient of that shape"
            )
        if gradient is None:
            start = np.ones(self.shape, self.dtype)
        else:
            start = PureTensor(gradient, dtype=self.dtype).data
            if start.shape != self.shape:
                raise DataError(f"gradient: shape {start.shape} is not {self.shape}")
        _graph.walk(self, start, keep=retain_graph)

    def detach(self) -> PureTensor:
        """Return a leaf without gradient over the same memory."""
        return PureTensor.over(self.data, self.written)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.gradient = None

    def wrote(self) -> None:
        """Tell that ``data`` was written in place, so that results from before are refused."""
        self.written[0] = next(_graph.CLOCK)

    def __setitem__(self, index: Any, value: Any) -> None:
        if self.node is not None or (self.requires_grad and _graph.recording()):
            raise GraphError(
                "x[...] =: a write has no gradient; write to .detach() of a copy, or to a leaf "
                "under no_grad()"
            )
        if isinstance(value, PureTensor) and value.requires_grad and _graph.recording():
            raise GraphError(
                "x[...] =: the value needs a gradient, which a write would lose; give its "
                ".detach(), or write under no_grad()"
            )
        values = value.data if isinstance(value, PureTensor) else value
        self.data[_derivatives.index_of(index)] = _making.unmasked("value", values)
        self.wrote()


_NEW = object.__new__
_NO_COPY = "a result cannot be copied or pickled; its .detach() can"


def _restored(data: Array, requires_grad: bool, gradient: Array | None) -> PureTensor:
    tensor = PureTensor(data, requires_grad, dtype=data.dtype)
    tensor.gradient = gradient
    return tensor
