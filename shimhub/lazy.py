"""Lazy modules: names added to one must survive its being made anew.

transformers 5 executes its ``__init__`` again outside ``sys.meta_path`` and puts a new lazy module
into ``sys.modules`` (``transformers.utils.import_utils.direct_transformers_import``); what was
added to the first instance would be lost. So the class of a lazy module learns the name too.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from shimhub.attach import lookup
from shimhub.environment import namespace
from shimhub.patching import HOUSE, MISSING, Slot, Transaction


def serve(shim: str, slot: Slot, made: Any, transaction: Transaction) -> None:
    """Let the class of a lazy module serve ``made`` under the slot's name in every instance."""
    for place in class_slots(slot, transaction):
        transaction.patch(shim, place, made)


def class_slots(slot: Slot, transaction: Transaction | None = None) -> Iterator[Slot]:
    """Yield the slot of the name in the module's class, if it is lazy; made with a transaction."""
    kind = type(slot.owner)
    served = lookup(kind, "__getattr__")
    if kind is ModuleType or served is MISSING:
        return
    if not hasattr(served, "shimhub_names"):
        if transaction is None:
            return
        served = _getattr_with({}, served)
        transaction.patch(HOUSE, Slot(kind, "__getattr__"), served)
    yield Slot(served.shimhub_names, (namespace(slot.owner)["__name__"], slot.name))


def is_unrun(module: object) -> bool:
    """Whether ``module`` was made by ``importlib.util.LazyLoader`` and has not been used yet."""
    kind = type(module)
    return (kind.__module__, kind.__name__) == ("importlib.util", "_LazyModule")


def _getattr_with(names: dict[Any, Any], original: Any) -> Any:
    def __getattr__(self: Any, name: str) -> Any:  # noqa: N807  # it becomes the class's
        try:
            return original(self, name)
        except AttributeError:
            key = (namespace(self).get("__name__"), name)
            if key not in names:
                raise
            return names[key]

    __getattr__.shimhub_names = names  # type: ignore[attr-defined]
    return __getattr__
