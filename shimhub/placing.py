"""Put a built replacement in place, within a transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shimhub import lazy
from shimhub.environment import is_module, namespace
from shimhub.model import Shim
from shimhub.patching import Entry, Slot, Transaction
from shimhub.rebind import bound_slots

_ADDS = ("add", "alias", "placeholder")


class Seeds(Transaction):
    """Names put into a module whose body is about to run; taken out again if the body raises.

    ``before`` is what the slots of earlier patches held before this run of the body.
    """

    def __init__(self, before: Mapping[Entry, Any], undone: Callable[[set[str]], None]) -> None:
        super().__init__()
        self.before = before
        self._undone = undone

    def rollback(self) -> None:
        """Take the seeds out and tell whose they were."""
        self._undone({entry.shim for entry in self.entries})
        super().rollback()


def place(shim: Shim, slot: Slot, made: Any, transaction: Transaction) -> None:
    """Fill the slot, and what belongs to it: ``__all__``, and the class of a lazy module."""
    transaction.patch(shim.id, slot, made)
    if not is_module(slot.owner):
        return
    export(shim, slot, transaction)
    if shim.action in _ADDS:
        lazy.serve(shim.id, slot, made, transaction)


def export(shim: Shim, slot: Slot, transaction: Transaction) -> None:
    """Add the name to the module's ``__all__``, which stays a list or a tuple."""
    names = namespace(slot.owner).get("__all__")
    if shim.export and isinstance(names, (list, tuple)) and slot.name not in names:
        transaction.patch(shim.id, Slot(slot.owner, "__all__"), type(names)([*names, slot.name]))


def rebind(shim: Shim, original: Any, made: Any, transaction: Transaction) -> list[str]:
    """Put ``made`` wherever a module's namespace holds ``original``; on revert the other way."""
    slots = list(bound_slots(original))
    for slot in slots:
        transaction.patch(shim.id, slot, made, rebound=True)
    return [str(slot) for slot in slots]


def give_back(made: Any, original: Any) -> None:
    """Undo for names that other modules bound to ``made`` after it was in place."""
    for slot in bound_slots(made):
        slot.put(original)
