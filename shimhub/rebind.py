"""Names bound earlier by ``from x import y``: find them by identity, without asking modules."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Iterator
from types import CellType, FunctionType, ModuleType
from typing import Any

from shimhub.environment import is_module, namespace
from shimhub.patching import Slot, own_names


def bound_slots(original: Any) -> Iterator[Slot]:
    """Yield every slot of a loaded module's namespace that holds ``original`` itself.

    Shims' own modules are spared: their code calls the original by such names.
    """
    if not callable(original):
        return
    for module in _modules():
        for name, value in list(namespace(module).items()):
            if value is original:
                yield Slot(module, name)


def holders(original: Any) -> list[str]:
    """Describe what else still holds ``original``: closures, defaults, tables, partials, classes.

    These cannot be rebound safely; ``explain`` reports them. Cost: one pass over the heap's
    referrers of one object.
    """
    spaces = {id(namespace(module)) for module in list(sys.modules.values())}
    found = [
        told
        for referrer in gc.get_referrers(original)
        if id(referrer) not in spaces
        for told in _describe(referrer, original)
    ]
    return sorted(set(found))


def _modules() -> list[ModuleType]:
    named = list(sys.modules.items())
    return [one for name, one in named if is_module(one) and not name.startswith("shimhub.")]


def _describe(referrer: Any, original: Any) -> Iterator[str]:
    kind = type(referrer)
    if kind is functools.partial:
        yield f"a functools.partial with {len(referrer.args)} arguments"
    elif kind is CellType:
        yield from (f"the closure of {_name(one)}" for one in _functions_over(referrer))
    elif kind is tuple:
        owners = _functions_with(referrer)
        yield from (f"a default of {_name(one)}" for one in owners)
        yield from () if owners else ("a tuple",)
    elif kind is dict:
        yield from _describe_dict(referrer, original)
    elif kind in (staticmethod, classmethod):
        yield from (f"class {_name(owner)}" for owner in _classes_with(referrer))


def _functions_with(defaults: tuple[Any, ...]) -> list[FunctionType]:
    found = _referring(defaults, FunctionType)
    return [one for one in found if one.__defaults__ is defaults and _is_foreign(one)]


def _describe_dict(table: dict[Any, Any], original: Any) -> Iterator[str]:
    if table.get("original") is original:
        return  # our own journal
    keys = [key for key, value in list(table.items()) if value is original]
    functions = [one for one in _referring(table, FunctionType) if one.__kwdefaults__ is table]
    classes = [owner for owner in _referring(table, type) if _is_dict_of(owner, table)]
    yield from (f"a default of {_name(one)}" for one in functions)
    yield from (f"class {_name(owner)}" for owner in classes)
    yield from () if classes else (f"a dict, under {key!r}" for key in keys)


def _functions_over(cell: CellType) -> Iterator[FunctionType]:
    for closure in _referring(cell, tuple):
        for one in _referring(closure, FunctionType):
            if one.__closure__ is closure and _is_foreign(one):
                yield one


def _classes_with(value: Any) -> list[type]:
    tables = _referring(value, dict)
    owners = [(owner, table) for table in tables for owner in _referring(table, type)]
    return [owner for owner, table in owners if _is_dict_of(owner, table)]


def _is_dict_of(owner: type, table: dict[Any, Any]) -> bool:
    """Whether ``table`` is the dict behind the class's read-only ``__dict__``."""
    own = own_names(owner)
    return len(own) == len(table) and all(own.get(key) is value for key, value in table.items())


def _referring(held: Any, kind: type) -> list[Any]:
    return [referrer for referrer in gc.get_referrers(held) if issubclass(type(referrer), kind)]


def _is_foreign(function: FunctionType) -> bool:
    is_ours = str(function.__module__).startswith("shimhub.") or "__shimhub__" in vars(function)
    return not is_ours


def _name(owner: Any) -> str:
    return f"{owner.__module__}.{owner.__qualname__}"
