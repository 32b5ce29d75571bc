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


def record(array: Any, *edges: Edge, view_of: PureTensor | None = None) -> PureTensor:
    """Return a tensor over a result; it remembers the edges to operands that need a gradient.

    ``view_of`` is the tensor whose memory the array lies in, unless it has its own.
    """
    if type(array) is not np.ndarray:
        array = np.asarray(array)
    result = _tensor.PureTensor.over(array)
    if view_of is not None and array.base is not None:
        result.written = view_of.written
    if _graph.recording():
        kept = [edge for edge in edges if edge[0].requires_grad]
        if kept:
            result.requires_grad = True
            result.node = _graph.Node(kept)
    return result
