"""What a result remembers of its making, and the walk back along it to the leaves' gradients."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.pure.errors import GraphError

if TYPE_CHECKING:
    from shimhub.pure._making import Array
    from shimhub.pure.tensor import PureTensor

    #: From the gradient of a result to that of one operand, before broadcasting is undone. It is a
    #: new array, a view of one, or the result's gradient itself.
    Gradient = Callable[[Array], Any]
    #: An operand, its gradient, and the tensors whose values that gradient reads.
    Edge = tuple[PureTensor, Gradient, tuple[PureTensor, ...]]
    #: What was found so far, by node, and by leaf, which stay when all nodes were visited.
    _Pending = dict[Any, Array]

#: Ticks once for each node and each write: nodes in the order of their making, writes among them.
CLOCK: Final = itertools.count(1)
_RECORDING: Final[ContextVar[bool]] = ContextVar("shimhub_pure_recording", default=True)
#: Whether results remember how they were made, in this thread or task.
recording: Final = _RECORDING.get
#: Held while the gradients of leaves are added to: other threads may walk to the same ones.
_adding = threading.RLock()


def _add_anew() -> None:
    """Let a forked child add, whose lock was held by a thread that it does not have."""
    global _adding
    _adding = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_add_anew)


class Node:
    """The edges of one result, and when it was made; none once a walk has used it.

    ``kept`` is the cell of the result's own writes where its gradients read its values, else None.
    A node never leads to its result, so that results are freed as soon as nobody has them.
    """

    __slots__ = ("edges", "kept", "made")

    def __init__(self, edges: list[Edge], kept: list[int] | None) -> None:
        self.edges: list[Edge] | None = edges
        self.kept = kept
        self.made = next(CLOCK)


_made: Final = attrgetter("made")


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
    order = [] if root.node is None else _order(root.node)
    for node in order:
        _check(node)
    pending: _Pending = {root.node or root: gradient}
    with np.errstate(all="ignore"):
        for node in order:
            _visit(node, pending)
        _hand_out(pending, gradient)
    if not keep:
        for node in order:
            node.edges = None


def _order(root: Node) -> list[Node]:
    seen = {root}
    left = [root]
    while left:
        for tensor, _, _ in left.pop().edges or ():
            node = tensor.node
            if node is not None and node not in seen:
                seen.add(node)
                left.append(node)
    return sorted(seen, key=_made, reverse=True)


def _check(node: Node) -> None:
    if node.edges is None:
        raise GraphError(
            "backward: this result was walked back before; the first time, call "
            "backward(retain_graph=True), or compute it again"
        )
    made = node.made
    if node.kept is not None and node.kept[0] > made:
        raise _written("the result of an operation")
    for _, _, reads in node.edges:
        for tensor in reads:
            if tensor.written[0] > made:
                raise _written(f"a tensor of shape {tensor.shape}")


def _written(what: str) -> GraphError:
    return GraphError(
        f"backward: {what} was written (by an optimizer's step, load_state_dict or x[...] =) "
        "after a result was computed from it; call backward before writing, or compute the "
        "result again"
    )


def _visit(node: Node, pending: _Pending) -> None:
    incoming = pending.pop(node)
    for tensor, gradient, _ in node.edges or ():
        part = _fit(gradient(incoming), tensor.data)
        before = tensor.node or tensor
        if before in pending:
            pending[before] = pending[before] + part
        else:
            pending[before] = part


def _fit(part: Any, like: Array) -> Array:
    """Undo broadcasting and promotion: a gradient of the operand's shape and dtype."""
    if part.shape != like.shape:
        part = _unbroadcast(part, like.shape)
    if type(part) is np.ndarray and part.dtype == like.dtype:
        return part
    return np.asarray(part, like.dtype)


def _unbroadcast(part: Array, shape: tuple[int, ...]) -> Array:
    extra = part.ndim - len(shape)
    if extra == 1 and part.shape[1:] == shape:  # a bias over rows, most of all
        rows: Array = np.add.reduce(part)
        return rows
    if extra < 0 or any(
        size not in (1, wide) for size, wide in zip(shape, part.shape[extra:], strict=True)
    ):
        raise GraphError(
            f"backward: a gradient of shape {part.shape} came to a tensor of shape {shape}, which "
            "does not broadcast to that; the operation's gradient is wrong, please report it"
        )
    stretched = (index + extra for index, size in enumerate(shape) if size == 1)
    axes = tuple(
        axis for axis in (*range(extra), *stretched) if axis < extra or part.shape[axis] != 1
    )
    return np.asarray(part.sum(axis=axes)).reshape(shape)


def _hand_out(found: _Pending, given: Array) -> None:
    """Add to the leaves' gradients, none of which shares memory with another's or the caller's."""
    taken = {id(given)}
    with _adding:
        for leaf, part in found.items():
            before = leaf.gradient
            if before is not None:
                leaf.gradient = np.asarray(before + part)
            elif part.base is not None or id(part) in taken:
                leaf.gradient = part.copy()
            else:
                taken.add(id(part))
                leaf.gradient = part
