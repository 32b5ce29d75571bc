"""What a step can reach and change: models, optimizers, its own variables and containers."""

from __future__ import annotations

import dis
import functools
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn.parameter import is_lazy

from shimhub.speed._attributes import ClassAttributes, Slots, array_of
from shimhub.speed._generators import generator_of
from shimhub.speed._saved import (
    CountedData,
    Saved,
    SavedCell,
    SavedData,
    SavedDict,
    SavedNames,
    SavedSequence,
    SavedSet,
    SavedTensor,
)
from shimhub.speed.errors import MeasureError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Objects whose attributes are training state.
_STATEFUL: Final = (
    torch.nn.Module,
    torch.optim.Optimizer,
    torch.optim.lr_scheduler.LRScheduler,
    torch.amp.GradScaler,
)
#: What of a module is walked under names of its own.
_PARTS: Final = ("_parameters", "_buffers", "_modules")
#: Containers of the step's own with more entries are saved, and not looked into.
_MANY: Final = 10_000
#: Batches and the like are saved up to this many bytes in all.
_DATA_BYTES: Final = 1 << 28


class Walker:
    """Goes through everything once, and saves it as it was."""

    def __init__(self) -> None:
        self.saved: list[Saved] = []
        self.models: list[torch.nn.Module] = []
        self.optimizers: list[torch.optim.Optimizer] = []
        self.scalers: list[torch.amp.GradScaler] = []
        #: Where the step reads what moves on with each call, and cannot be brought back.
        self.iterators: list[str] = []
        #: Functions of the step's own, in the order in which they were found.
        self.codes: list[types.CodeType] = []
        self._data: list[tuple[torch.Tensor, str]] = []
        self._seen: dict[int, Any] = {}
        #: The top package of the step: its own functions and objects are looked into.
        self._home = ""
        self._given: set[int] = set()

    def visit_given(self, thing: Any, where: str) -> None:
        """Save what the user names, with its attributes, whosever class it is."""
        self._given.add(id(thing))
        self.visit(thing, where, owned=True)

    def visit_step(self, step: Callable[[], Any]) -> None:
        """Save what the step holds: by its closure, globals, arguments and object."""
        self._home = _top(step)
        if hasattr(step, "__dict__") and not _is_code(step):
            self._attributes(step, "step")
            self._function(vars(type(step)).get("__call__"), "step")
        self.visit(step, "step")

    def finish(self) -> None:
        """Save tensors that are no training state, such as batches, as far as they are small."""
        left = _DATA_BYTES
        for tensor, where in self._data:
            if id(tensor) in self._seen:
                continue
            left -= tensor.element_size() * tensor.numel()
            self._seen[id(tensor)] = tensor
            kind = SavedData if left >= 0 else CountedData
            self.saved.append(kind(tensor, where))
            if tensor.is_leaf and tensor.grad is not None:
                self._tensor(tensor.grad, f"{where}.grad", owned=True)

    def visit(self, thing: Any, where: str, *, owned: bool = False) -> None:
        """Save a thing and what is in it; ``owned`` is what belongs to models and optimizers."""
        if isinstance(thing, torch.Tensor):
            self._tensor(thing, where, owned=owned)
        elif id(thing) not in self._seen:
            self._seen[id(thing)] = thing
            self._look_into(thing, where, owned=owned)

    def _look_into(self, thing: Any, where: str, *, owned: bool) -> None:
        if isinstance(thing, _STATEFUL):
            self._stateful(thing, where)
        elif isinstance(thing, (dict, list, deque, set, tuple)):
            self._container(thing, where, owned=owned)
        elif saved := generator_of(thing, where) or array_of(thing, where):
            self.saved.append(saved)
        elif _is_code(thing):
            self._code(thing, where)
        elif isinstance(thing, Iterator):
            self.iterators.append(where)
        elif self._is_of_the_user(thing):
            self._attributes(thing, where)
            self.visit(type(thing), where)

    def _is_of_the_user(self, thing: Any) -> bool:
        return id(thing) in self._given or _top(type(thing)) == self._home

    # ---- tensors

    def _tensor(self, tensor: torch.Tensor, where: str, *, owned: bool) -> None:
        if id(tensor) in self._seen:
            return
        if is_lazy(tensor):
            raise MeasureError(f"{where} has no shape yet: run the step once before measuring it")
        if not owned and not isinstance(tensor, torch.nn.Parameter):
            self._data.append((tensor, where))
            return
        self._seen[id(tensor)] = tensor
        self.saved.append(SavedTensor(tensor, where))
        for hooks in (tensor._backward_hooks, tensor._post_accumulate_grad_hooks):
            self._hooks(hooks, where)
        if tensor.is_leaf and tensor.grad is not None:
            self._tensor(tensor.grad, f"{where}.grad", owned=True)

    # ---- containers

    def _container(self, thing: Any, where: str, *, owned: bool) -> None:
        if isinstance(thing, dict):
            self.saved.append(SavedDict(thing, where))
        elif isinstance(thing, (list, deque)):
            self.saved.append(SavedSequence(thing, where))
        elif isinstance(thing, set):
            self.saved.append(SavedSet(thing, where))
        if owned or len(thing) <= _MANY:
            for name, value in _entries(thing):
                self.visit(value, f"{where}{name}", owned=owned)

    # ---- objects

    def _stateful(self, thing: Any, where: str) -> None:
        if isinstance(thing, torch.nn.Module):
            self.models.append(thing)
            self._module(thing, where)
            self.visit(type(thing), where)
            return
        if isinstance(thing, torch.optim.Optimizer):
            self.optimizers.append(thing)
        elif isinstance(thing, torch.amp.GradScaler):
            self.scalers.append(thing)
        self._attributes(thing, where, owned=True)

    def _module(self, module: torch.nn.Module, where: str) -> None:
        """Save a module; modules inside it belong to it, and are no models of their own."""
        count = len(self.models)
        for part in _PARTS:
            mapping = vars(module)[part]
            self.saved.append(SavedDict(mapping, f"{where}.{part}"))
            for name, value in mapping.items():
                self.visit(value, f"{where}.{name}", owned=True)
        self._attributes(module, where, owned=True)
        del self.models[count:]

    def _class(self, kind: type) -> None:
        """Save what a class of the user's has, and what its methods read."""
        if _top(kind) != self._home:
            return
        attributes = ClassAttributes(kind)
        self.saved.append(SavedNames(attributes, kind.__name__))
        for name, value in attributes.items():
            self.visit(_unwrapped(value), f"{kind.__name__}.{name}")
        for base in kind.__bases__:
            self.visit(base, base.__name__)

    def _attributes(self, thing: Any, where: str, *, owned: bool = False) -> None:
        attributes = vars(thing) if hasattr(thing, "__dict__") else Slots(thing)
        self.saved.append(SavedNames(attributes, where))
        for name, value in list(attributes.items()):
            if name.endswith(_HOOKS) and isinstance(value, dict):
                self._hooks(value, where)
            elif name not in _PARTS and not name.startswith("__"):
                self.visit(value, f"{where}.{name}", owned=owned)

    def _hooks(self, hooks: Any, where: str) -> None:
        """Look into hooks; which there are is not saved, as knobs have some of their own."""
        for hook in (hooks or {}).values():
            self.visit(hook, f"a hook of {where}")

    # ---- code

    def _code(self, thing: Any, where: str) -> None:
        if isinstance(thing, type):
            self._class(thing)
        elif isinstance(thing, functools.partial):
            self.visit(thing.func, where)
            self.visit([*thing.args, *thing.keywords.values()], f"{where} arguments")
        elif isinstance(thing, types.MethodType):
            self._owner(thing.__self__, where)
            self._function(thing.__func__, where)
        else:
            self._function(thing, where)

    def _owner(self, owner: Any, where: str) -> None:
        """Save the object that a method is bound to, whosever class it is, if it is the step."""
        if where == "step" and hasattr(owner, "__dict__") and not isinstance(owner, _STATEFUL):
            self._seen[id(owner)] = owner
            self._attributes(owner, "self")
        self.visit(owner, "self")

    def _function(self, function: Any, where: str) -> None:
        """Save what a function of the user's reads by its closure and its global names."""
        if not isinstance(function, types.FunctionType):
            return
        if where != "step" and _top(function) != self._home:
            return
        self.codes.append(function.__code__)
        self._attributes(function, where)
        self._cells(function)
        names, stored = _global_names(function.__code__)
        self.saved.append(SavedNames(function.__globals__, where, stored))
        for name in sorted(names & function.__globals__.keys()):
            self.visit(function.__globals__[name], name)
        self.visit(function.__defaults__, f"{where} arguments")
        self.visit(function.__kwdefaults__, f"{where} arguments")

    def _cells(self, function: types.FunctionType) -> None:
        cells = function.__closure__ or ()
        for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
            if id(cell) not in self._seen and _is_filled(cell):
                self._seen[id(cell)] = cell
                self.saved.append(SavedCell(cell, name))
                self.visit(cell.cell_contents, name)


#: Endings of the names of hooks' dicts in modules and optimizers.
_HOOKS: Final = ("_hooks", "_hooks_with_kwargs", "_hooks_always_called")


def _is_filled(cell: Any) -> bool:
    """Whether the variable is bound: one that comes later is not."""
    try:
        cell.cell_contents  # noqa: B018  # raises where it is not
    except ValueError:
        return False
    return True


def _unwrapped(value: Any) -> Any:
    """Return the function in a method of another kind, or the value itself."""
    if isinstance(value, (staticmethod, classmethod)):
        return value.__func__
    return value.fget if isinstance(value, property) else value


def _is_code(thing: Any) -> bool:
    return isinstance(thing, (type, types.FunctionType, types.MethodType, functools.partial))


def _top(thing: Any) -> str:
    """Return the top package of a function or class."""
    function = thing.func if isinstance(thing, functools.partial) else thing
    module = getattr(function, "__module__", None) or type(function).__module__
    return str(module).partition(".")[0]


def _entries(thing: Any) -> Iterable[tuple[str, Any]]:
    """Return the values of a container with the ends of their names."""
    if not isinstance(thing, dict):
        return [(f"[{place}]", value) for place, value in enumerate(thing)]
    return [
        (f"[{key!r}]" if isinstance(key, (str, int)) else f"[{place}]", value)
        for place, (key, value) in enumerate(thing.items())
    ]


def _global_names(code: types.CodeType) -> tuple[set[str], set[str]]:
    """Return the names that code and the functions in it read, and those it writes globally."""
    names = set(code.co_names)
    stored = {one.argval for one in dis.get_instructions(code) if one.opname == "STORE_GLOBAL"}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            more, more_stored = _global_names(constant)
            names |= more
            stored |= more_stored
    return names, stored
