"""What every operation begins and ends with: operands as tensors, and a result that remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.pure import _graph
from shimhub.pure import tensor as _tensor

if TYPE_CHECKING:
    from shimhub.pure._graph import Edge
    from shimhub.pure.tensor import PureTensor


def single(x: Any) -> PureTensor:
    """Return ``x`` as a tensor."""
    return x if isinstance(x, _tensor.PureTensor) else _tensor.PureTensor(x)


def pair(a: Any, b: Any) -> tuple[PureTensor, PureTensor]:
    """Return both as tensors; what is none takes the dtype of the other."""
    kind = _tensor.PureTensor
    if isinstance(a, kind):
        return a, b if isinstance(b, kind) else kind(b, dtype=a.data.dtype)
    if isinstance(b, kind):
        return kind(a, dtype=b.data.dtype), b
    return kind(a), kind(b)


def record(
    array: Any, *edges: Edge, view_of: PureTensor | None = None, keeps: bool = False
) -> PureTensor:
    """Return a tensor over a result; it remembers the edges to operands that need a gradient.

    ``view_of`` is the tensor whose memory the array lies in, unless it has its own. ``keeps``
    tells that gradients read the result's values.
    """
    if type(array) is not np.ndarray:
        array = np.asarray(array)
    if view_of is not None and _lies_in(array, view_of.data):
        result = _tensor.PureTensor.over(array, view_of.written)
    else:
        result = _tensor.PureTensor.over(array)
    if _graph.recording():
        kept = [edge for edge in edges if edge[0].requires_grad]
        if kept:
            result.requires_grad = True
            result.node = _graph.Node(kept, result.written if keeps else None)
    return result


def _lies_in(array: Any, memory: Any) -> bool:
    """Whether an array that was taken from another is a view of it; numpy keeps one base only."""
    base = array.base
    return base is not None and (base is memory or base is memory.base)
