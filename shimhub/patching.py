"""One reversible patch: a slot, what was in it, what is in it now; and transactions of patches.

Slots are read and written beneath any ``__getattr__`` or ``__setattr__`` of the owner, so that
neither lazy modules nor descriptors run code, and undo restores what was there by identity.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from shimhub.environment import namespace
from shimhub.errors import PatchError


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"


MISSING: Final = _Missing()


@dataclass(frozen=True, eq=False)
class Slot:
    """A place that holds one object: a name of a module, class or instance, or a key of a dict."""

    owner: Any
    name: Any

    def __str__(self) -> str:
        owner = getattr(self.owner, "__qualname__", None) or namespace(self.owner).get("__name__")
        return f"{owner or type(self.owner).__name__}.{self.name}"

    def is_of(self, owner: object) -> bool:
        """Whether the slot belongs to ``owner`` itself."""
        return self.owner is owner

    def same(self, other: Slot) -> bool:
        """Whether both are the same place."""
        return self.owner is other.owner and bool(self.name == other.name)

    def get(self) -> Any:
        """Return the slot's own content, without inheritance or descriptors; MISSING if none."""
        return own_names(self.owner).get(self.name, MISSING)

    def put(self, value: Any) -> None:
        """Fill the slot, or delete it for MISSING; raises PatchError where that cannot be done."""
        try:
            self._put(value)
        except (AttributeError, TypeError) as error:
            raise PatchError(f"cannot patch {self}: {error}") from error

    def _put(self, value: Any) -> None:
        if isinstance(self.owner, (ModuleType, dict)):
            names: Any = own_names(self.owner)
            _put_key(names, self.name, value)
        elif isinstance(self.owner, type):
            _put_attribute(type.__setattr__, type.__delattr__, self.owner, self.name, value)
        else:
            _put_attribute(setattr, delattr, self.owner, self.name, value)


def own_names(owner: Any) -> Any:
    """Return the mapping of ``owner``'s own slots; empty for an object that has none."""
    if isinstance(owner, dict):
        return owner
    if isinstance(owner, ModuleType):
        return namespace(owner)
    if isinstance(owner, type):
        return type.__dict__["__dict__"].__get__(owner)
    return getattr(owner, "__dict__", {})


def _put_key(names: MutableMapping[Any, Any], name: Any, value: Any) -> None:
    if value is MISSING:
        names.pop(name, None)
    else:
        names[name] = value


def _put_attribute(
    put: Callable[..., None], delete: Callable[..., None], owner: Any, name: str, value: Any
) -> None:
    if value is MISSING:
        delete(owner, name)
    else:
        put(owner, name, value)


@dataclass(frozen=True, eq=False)
class Patch:
    """One applied replacement and what undoes it."""

    shim: str
    slot: Slot
    original: Any
    replacement: Any

    def in_place(self) -> bool:
        """Whether the slot still holds the replacement."""
        return self.slot.get() is self.replacement

    def revert(self) -> str:
        """Restore the original; return why not, where somebody else's object is on top."""
        current = self.slot.get()
        if current is self.original:
            return ""
        if current is not self.replacement:
            return f"{self.slot} holds a foreign object on top of ours: {current!r}"
        self.slot.put(self.original)
        return ""


@dataclass(frozen=True, eq=False)
class Effect:
    """A side effect of a shim's code, undone by the callable it registered."""

    shim: str
    undo: Callable[[], object]
    slot: None = None

    def in_place(self) -> bool:
        """An effect is there until it is undone."""
        return True

    def revert(self) -> str:
        """Call ``undo``; the error of one that raises is returned, so that the rest is undone."""
        try:
            self.undo()
        except Exception as error:  # noqa: BLE001  # a shim's code may raise anything; reported
            return f"undo of {self.shim} raised {error!r}"
        return ""


Entry = Patch | Effect


class Transaction:
    """Patches that stand or fall together: leaving the block on an exception reverts them all."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.residue: list[str] = []

    def __enter__(self) -> None:
        """Begin; what is patched from here on is reverted if the block raises."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.rollback()

    def patch(self, shim: str, slot: Slot, replacement: Any) -> None:
        """Put ``replacement`` into ``slot`` and write down what was there."""
        original = slot.get()
        if original is replacement:
            return
        slot.put(replacement)
        self.entries.append(Patch(shim, slot, original, replacement))

    def effect(self, shim: str, undo: Callable[[], object]) -> None:
        """Write down how to undo something that the shim's code did by itself."""
        self.entries.append(Effect(shim, undo))

    def rollback(self) -> None:
        """Revert all entries, last first; what could not be reverted is in ``residue``."""
        while self.entries:
            left = self.entries.pop().revert()
            if left:
                self.residue.append(left)


class Journal:
    """All applied entries in order; what ``uninstall`` reads."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._covered: list[Entry] = []

    def add(self, entries: list[Entry]) -> None:
        """Append the entries of a committed transaction."""
        self.entries += entries

    def of(self, shim: str) -> list[Entry]:
        """Return the entries of one shim, in order."""
        return [entry for entry in self.entries if entry.shim == shim]

    def has(self, shim: str, slot: Slot) -> bool:
        """Whether ``slot`` holds the shim's patch, also beneath a foreign wrapper left on top."""
        return any(
            entry.slot is not None
            and entry.slot.same(slot)
            and (entry.in_place() or entry in self._covered)
            for entry in self.of(shim)
        )

    def forget_overwritten(self, owner: object) -> None:
        """Drop patches of ``owner`` whose slot its body has just filled anew (a reload)."""
        self.entries = [
            entry
            for entry in self.entries
            if entry.slot is None or not entry.slot.is_of(owner) or entry.in_place()
        ]

    def revert(self, shims: frozenset[str] | None = None) -> dict[str, str]:
        """Revert the entries of ``shims`` (None: all), and whatever lies on top of them.

        Returns a reason per shim for what could not be reverted; those entries stay.
        """
        doomed = self._with_upper_layers(shims)
        kept: list[Entry] = []
        left: dict[str, str] = {}
        for entry in reversed(self.entries):
            reason = entry.revert() if entry in doomed else ""
            if reason:
                left[entry.shim] = reason
            if (entry not in doomed) or (reason and isinstance(entry, Patch)):
                kept.append(entry)
        self.entries = kept[::-1]
        self._covered = [entry for entry in self.entries if entry in doomed]
        return left

    def _with_upper_layers(self, shims: frozenset[str] | None) -> set[Entry]:
        if shims is None:
            return set(self.entries)
        doomed: set[Entry] = set()
        named = set(shims)
        for entry in self.entries:
            covers = entry.slot is not None and any(
                lower.slot is not None and lower.slot.same(entry.slot) for lower in doomed
            )
            if entry.shim in named or covers:
                named.add(entry.shim)
        for entry in self.entries:
            if entry.shim in named:
                doomed.add(entry)
        return doomed
