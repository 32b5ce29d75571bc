"""Names bound earlier by ``from x import y``: find them by identity, without asking modules."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Iterator
from types import CellType, FunctionType, ModuleType
from typing import Any

from shimhub.environment import namespace
from shimhub.patching import Slot


def bound_slots(original: Any) -> Iterator[Slot]:
    """Yield every slot of a loaded module's namespace that holds ``original`` itself."""
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
    spaces = {id(namespace(module)) for module in _modules()}
    found = [
        told
        for referrer in gc.get_referrers(original)
        if id(referrer) not in spaces
        for told in _describe(referrer, original)
    ]
    return sorted(set(found))


def _modules() -> list[ModuleType]:
    entries: list[Any] = list(sys.modules.values())
    return [module for module in entries if isinstance(module, ModuleType)]


def _describe(referrer: Any, original: Any) -> Iterator[str]:
    if isinstance(referrer, functools.partial):
        yield f"a functools.partial of {referrer.func!r}"
    if isinstance(referrer, CellType):
        yield from (f"the closure of {_name(one)}" for one in _functions_over(referrer))
    if isinstance(referrer, tuple):
        yield from (f"a default of {_name(one)}" for one in _functions_with(referrer))
    if isinstance(referrer, dict):
        yield from _describe_dict(referrer, original)
    if isinstance(referrer, (staticmethod, classmethod)):
        yield from (f"class {_name(owner)}" for owner in _classes_with(referrer))


def _functions_with(defaults: tuple[Any, ...]) -> list[FunctionType]:
    return [one for one in _referring(defaults, FunctionType) if one.__defaults__ is defaults]


def _describe_dict(table: dict[Any, Any], original: Any) -> Iterator[str]:
    if "__shimhub__" in table or table.get("original") is original:
        return
    owners = _classes_with(original)
    yield from (f"class {_name(owner)}" for owner in owners)
    for key, value in list(table.items()) if not owners else ():
        if value is original:
            yield f"a dict, under {key!r}"


def _functions_over(cell: CellType) -> Iterator[FunctionType]:
    for closure in _referring(cell, tuple):
        for one in _referring(closure, FunctionType):
            if one.__closure__ is closure and _is_foreign(one):
                yield one


def _classes_with(value: Any) -> list[type]:
    tables = [table for table in gc.get_referrers(value) if isinstance(table, dict)]
    owners = [owner for table in tables for owner in _referring(table, type)]
    return [owner for owner in owners if any(item is value for item in vars(owner).values())]


def _referring(held: Any, kind: type) -> list[Any]:
    return [referrer for referrer in gc.get_referrers(held) if isinstance(referrer, kind)]


def _is_foreign(function: FunctionType) -> bool:
    return not str(function.__module__).startswith("shimhub.")


def _name(owner: Any) -> str:
    return f"{owner.__module__}.{owner.__qualname__}"
