"""Things that a step may change, each saved by value and brought back in place, by identity."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Collection, MutableMapping, Sequence

#: Device copies of what the step has may not fit beside it; host memory is next.
_FULL = (torch.OutOfMemoryError,)


class Saved(Protocol):
    """One thing and what it was; ``where`` is how the user would name it."""

    where: str

    def restore(self) -> None:
        """Bring back what was there, in place."""

    def differs(self) -> bool:
        """Whether it is not what it was, to the bit."""


def copied(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy that shares nothing, on the same device or, where that is full, on the host."""
    try:
        return tensor.detach().clone()
    except _FULL:
        return tensor.detach().to("cpu", copy=True)


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors hold the same bits, NaNs and signs of zero included."""
    if (one.dtype, one.shape, one.layout) != (other.dtype, other.shape, other.layout):
        return False
    return all(
        torch.equal(first, second.to(first.device))
        for first, second in zip(_bytes(one), _bytes(other), strict=True)
    )


def _bytes(tensor: torch.Tensor) -> list[torch.Tensor]:
    if tensor.is_sparse:
        whole = tensor.detach().coalesce()
        return [whole.indices(), *_bytes(whole.values())]
    return [tensor.detach().contiguous().reshape(-1).view(torch.uint8)]


class SavedTensor:
    """A tensor: its storage and strides by identity, its content by value, and its gradient."""

    def __init__(self, tensor: torch.Tensor, where: str) -> None:
        self.where = where
        self.tensor = tensor
        self.alias = tensor.data
        self.copy = copied(tensor)
        self.requires_grad = tensor.requires_grad
        #: Only leaves keep a gradient; asking others warns.
        self.grad = tensor.grad if tensor.is_leaf else None

    def restore(self) -> None:
        """Put the storage back where it was exchanged, and the content into it."""
        self._restore_content()
        self._restore_leaf()

    def _restore_content(self) -> None:
        with torch.inference_mode(mode=self.alias.is_inference()), torch.no_grad():
            if not _same_memory(self.tensor, self.alias):
                self.tensor.data = self.alias
            #: Of a sparse tensor the alias has indices and values of its own.
            target = self.tensor if self.tensor.is_sparse else self.alias
            target.copy_(self.copy)

    def _restore_leaf(self) -> None:
        if not self.tensor.is_leaf:
            return
        if self.tensor.requires_grad is not self.requires_grad:
            self.tensor.requires_grad_(self.requires_grad)
        if self.tensor.grad is not self.grad:
            self.tensor.grad = self.grad

    def differs(self) -> bool:
        """Whether storage, content, gradient or its flag are others."""
        if not _same_memory(self.tensor, self.alias) or not same_bits(self.tensor, self.copy):
            return True
        return self.tensor.is_leaf and (
            self.tensor.requires_grad is not self.requires_grad or self.tensor.grad is not self.grad
        )


def _same_memory(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are the same view of the same storage."""
    if one.layout is not torch.strided or other.layout is not torch.strided:
        return one.layout is other.layout
    same_view = (one.dtype, one.shape, one.stride()) == (other.dtype, other.shape, other.stride())
    return same_view and one.data_ptr() == other.data_ptr()


class SavedData(SavedTensor):
    """A tensor of the step's own, such as a batch: copied back only where it was written.

    torch counts the writes to a tensor; what goes around that count (``.data``, NumPy) is missed.
    """

    def __init__(self, tensor: torch.Tensor, where: str) -> None:
        super().__init__(tensor, where)
        self.version = _writes(tensor)

    def _restore_content(self) -> None:
        if _writes(self.tensor) != self.version:
            super()._restore_content()
            self.version = _writes(self.tensor)


class CountedData:
    """A tensor that is too large to be copied: that it was written is told, and not undone."""

    def __init__(self, tensor: torch.Tensor, where: str) -> None:
        self.where = where
        self.tensor = tensor
        self.version = _writes(tensor)

    def restore(self) -> None:
        """Do nothing."""

    def differs(self) -> bool:
        """Whether it was written."""
        return _writes(self.tensor) != self.version


def _writes(tensor: torch.Tensor) -> int:
    """Return how often the tensor was written; an inference tensor is not counted."""
    return -1 if tensor.is_inference() else tensor._version


class SavedDict:
    """A dict: which keys it has, in which order, and the objects under them."""

    def __init__(self, mapping: MutableMapping[Any, Any], where: str) -> None:
        self.where = where
        self.mapping = mapping
        self.items = list(mapping.items())

    def restore(self) -> None:
        """Take away what is new, and put back the rest."""
        if not _same_objects([*self.mapping], [key for key, _ in self.items]):
            self.mapping.clear()
        for key, value in self.items:
            if self.mapping.get(key, self) is not value:
                self.mapping[key] = value

    def differs(self) -> bool:
        """Whether keys, order or an object are others."""
        now = [one for pair in self.mapping.items() for one in pair]
        return not _same_objects(now, [one for pair in self.items for one in pair])


class SavedNames:
    """Attributes of an object or variables of a module, by the objects they are bound to.

    Without ``names`` all of them are meant, those that come later too.
    """

    def __init__(
        self, names_of: MutableMapping[str, Any], where: str, names: Collection[str] | None = None
    ) -> None:
        self.where = where
        self.names_of = names_of
        self.names = names
        self.items = self._now()

    def _now(self) -> dict[str, Any]:
        found = dict(self.names_of)
        if self.names is None:
            return found
        return {name: found[name] for name in self.names if name in found}

    def restore(self) -> None:
        """Delete names that are new, and bind the others as they were."""
        for name in self._now().keys() - self.items.keys():
            del self.names_of[name]
        for name, value in self.items.items():
            if self.names_of.get(name, self) is not value:
                self.names_of[name] = value

    def differs(self) -> bool:
        """Whether a name is bound to another object, or is new or gone."""
        now = self._now()
        return now.keys() != self.items.keys() or any(
            now[name] is not was for name, was in self.items.items()
        )


class SavedSequence:
    """A list or deque, by the objects in it."""

    def __init__(self, sequence: list[Any] | deque[Any], where: str) -> None:
        self.where = where
        self.sequence = sequence
        self.items = list(sequence)

    def restore(self) -> None:
        """Put the same objects back, in the same order."""
        if self.differs():
            self.sequence.clear()
            self.sequence.extend(self.items)

    def differs(self) -> bool:
        """Whether an object is another, or in another place."""
        return not _same_objects(list(self.sequence), self.items)


class SavedSet:
    """A set, by what is in it."""

    def __init__(self, members: set[Any], where: str) -> None:
        self.where = where
        self.members = members
        self.items = set(members)

    def restore(self) -> None:
        """Bring back the same members."""
        if self.differs():
            self.members.clear()
            self.members.update(self.items)

    def differs(self) -> bool:
        """Whether it has other members."""
        return self.members != self.items


class SavedCell:
    """A variable of an enclosing function."""

    def __init__(self, cell: Any, where: str) -> None:
        self.where = where
        self.cell = cell
        self.content = cell.cell_contents

    def restore(self) -> None:
        """Bind it to what it was bound to."""
        if self.differs():
            self.cell.cell_contents = self.content

    def differs(self) -> bool:
        """Whether it is bound to another object."""
        return self.cell.cell_contents is not self.content


class SavedSetting:
    """What a pair of functions reads and writes: a random generator's state, a flag of torch."""

    def __init__(self, where: str, read: Callable[[], Any], write: Callable[[Any], object]) -> None:
        self.where = where
        self.read = read
        self.write = write
        self.value = copy.deepcopy(read())

    def restore(self) -> None:
        """Write what was read, if it is another now."""
        if self.differs():
            self.write(copy.deepcopy(self.value))

    def differs(self) -> bool:
        """Whether another value is read."""
        return not _same_value(self.read(), self.value)


def _same_objects(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether two sequences have the same objects: tensors do not compare as a whole."""
    pairs = zip(some, others, strict=False)
    return len(some) == len(others) and all(one is other for one, other in pairs)


def _same_value(one: Any, other: Any) -> bool:
    """Whether two states of generators are equal, with the tensors and arrays inside them."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same_value(one[key], other[key]) for key in one)
    if isinstance(one, (tuple, list)):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(_same_value(*pair) for pair in pairs)
    if hasattr(one, "tobytes"):
        return bool(one.tobytes() == other.tobytes())
    return bool(one == other)
