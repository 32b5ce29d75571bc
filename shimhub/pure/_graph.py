"""What a result remembers of its making, and the walk back along it to the leaves' gradients."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from shimhub.pure.errors import GraphError

if TYPE_CHECKING:
    from shimhub.pure.tensor import PureTensor

Array = npt.NDArray[Any]
#: From the gradient of a result to that of one operand, before broadcasting is undone. It is a new
#: array, a view of one, or the result's gradient itself.
Gradient = Callable[[Array], Any]
#: An operand, its gradient, and the tensors whose values that gradient reads.
Edge = tuple["PureTensor", Gradient, tuple["PureTensor", ...]]

#: Ticks once for each node and each write: nodes in the order of their making, writes among them.
CLOCK: Final = itertools.count(1)
_RECORDING: Final[ContextVar[bool]] = ContextVar("shimhub_pure_recording", default=True)
#: Whether results remember how they were made, in this thread or task.
recording: Final = _RECORDING.get


class Node:
    """The edges of one result, and when it was made; none once a walk has used it."""

    __slots__ = ("edges", "made")

    def __init__(self, edges: list[Edge]) -> None:
        self.edges: list[Edge] | None = edges
        self.made = next(CLOCK)


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Compute without remembering: results inside have no gradient. For this thread or task."""
    token = _RECORDING.set(False)
    try:
        yield
    finally:
        _RECORDING.reset(token)


def walk(root: PureTensor, gradient: Array, *, keep: bool) -> None:
    """Add to the gradient of each leaf under ``root``; nothing is added if that cannot be done.

    Nodes are visited latest first, which no operand precedes; a loop, so depth has no limit.
    """
    if root.node is None:
        return _add(root, gradient, gradient)
    order = _order(root.node)
    for node in order:
        _check(node)
    pending = {root.node: gradient}
    with np.errstate(all="ignore"):
        for node in order:
            _visit(node, pending)
    if not keep:
        for node in order:
            node.edges = None
    return None


def _order(root: Node) -> list[Node]:
    seen = {root}
    left = [root]
    while left:
        for tensor, _, _ in left.pop().edges or ():
            node = tensor.node
            if node is not None and node not in seen:
                seen.add(node)
                left.append(node)
    return sorted(seen, key=lambda node: node.made, reverse=True)


def _check(node: Node) -> None:
    if node.edges is None:
        raise GraphError(
            "backward: this result was walked back before; the first time, call "
            "backward(retain_graph=True), or compute it again"
        )
    for _, _, reads in node.edges:
        for tensor in reads:
            if tensor.written[0] > node.made:
                raise GraphError(
                    f"backward: a tensor of shape {tensor.shape} was written (by an optimizer's "
                    "step, load_state_dict or x[...] =) after a result was computed from it; "
                    "call backward before writing, or compute the result again"
                )


def _visit(node: Node, pending: dict[Node, Array]) -> None:
    incoming = pending.pop(node)
    for tensor, gradient, _ in node.edges or ():
        part = _fit(gradient(incoming), tensor.data)
        if tensor.node is None:
            _add(tensor, part, incoming)
        elif tensor.node in pending:
            pending[tensor.node] = pending[tensor.node] + part
        else:
            pending[tensor.node] = part


def _fit(part: Any, like: Array) -> Array:
    """Undo broadcasting and promotion: a gradient of the operand's shape and dtype."""
    if part.shape != like.shape:
        part = _unbroadcast(part, like.shape)
    return np.asarray(part, like.dtype)


def _unbroadcast(part: Array, shape: tuple[int, ...]) -> Array:
    extra = part.ndim - len(shape)
    stretched = (index + extra for index, size in enumerate(shape) if size == 1)
    axes = tuple(
        axis for axis in (*range(extra), *stretched) if axis < extra or part.shape[axis] != 1
    )
    return np.asarray(part.sum(axis=axes)).reshape(shape)


def _add(leaf: PureTensor, part: Array, incoming: Array) -> None:
    """Add to the leaf's gradient, which shares no memory with another's."""
    if leaf.gradient is not None:
        leaf.gradient = np.asarray(leaf.gradient + part)
    elif part is incoming or part.base is not None:
        leaf.gradient = part.copy()
    else:
        leaf.gradient = part
