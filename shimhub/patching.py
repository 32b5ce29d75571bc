"""One reversible patch: a slot, what was in it, what is in it now; and transactions of patches.

Slots are read and written beneath any ``__getattr__`` or ``__setattr__`` of the owner, so that
neither lazy modules nor descriptors run code, and undo restores what was there by identity.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shimhub.environment import is_class, is_dict, is_module, namespace
from shimhub.errors import PatchError

if TYPE_CHECKING:
    from typing import TypeGuard


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"


MISSING: Final = _Missing()
_NOTHING: Final[Mapping[int, Any]] = {}
#: Owner of patches that serve many shims; they go when the hub goes.
HOUSE: Final = ""


@dataclass(frozen=True, eq=False)
class Slot:
    """A place that holds one object: a name of a module, class or instance, or a key of a dict."""

    owner: Any
    name: Any

    def __str__(self) -> str:
        owner = own_names(self.owner).get("__name__") if is_module(self.owner) else None
        if is_class(self.owner):
            owner = type.__dict__["__qualname__"].__get__(self.owner)
        return f"{owner or type(self.owner).__name__}.{self.name}"

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
        if is_class(self.owner):
            if value is MISSING:
                type.__delattr__(self.owner, self.name)
            else:
                type.__setattr__(self.owner, self.name, value)
        else:
            self._check_instance()
            _put_key(own_names(self.owner), self.name, value)

    def _check_instance(self) -> None:
        """An instance is written beneath its ``__setattr__``, where that is what readers see."""
        if is_module(self.owner) or is_dict(self.owner):
            return
        kind = type(self.owner)
        bases = [own_names(base).get(self.name, MISSING) for base in kind.__mro__]
        if any(hasattr(type(found), "__set__") for found in bases):
            raise TypeError(f"{self.name} is a descriptor of {kind.__name__}; patch the class")
        if own_names(self.owner) is _NO_NAMES:
            raise TypeError(f"instances of {kind.__name__} have no __dict__; patch the class")


_NO_NAMES: Final[dict[Any, Any]] = {}


def own_names(owner: Any) -> Any:
    """Return the mapping of ``owner``'s own slots; empty for an object that has none."""
    if is_dict(owner):
        return owner
    if is_module(owner):
        return namespace(owner)
    if is_class(owner):
        return type.__dict__["__dict__"].__get__(owner)
    try:
        return object.__getattribute__(owner, "__dict__")
    except AttributeError:
        return _NO_NAMES


def _put_key(names: MutableMapping[Any, Any], name: Any, value: Any) -> None:
    if value is MISSING:
        names.pop(name, None)
    else:
        names[name] = value


@dataclass(frozen=True, eq=False)
class Patch:
    """One applied replacement and what undoes it."""

    shim: str
    slot: Slot
    original: Any
    replacement: Any
    rebound: bool = False

    def in_place(self) -> bool:
        """Whether the slot still holds the replacement."""
        return self.slot.get() is self.replacement

    def revert(self, originals: Collection[int] = (), ours: Mapping[int, Any] = _NOTHING) -> str:
        """Restore the original; return why not, where somebody else's object is on top.

        ``originals`` are ids of objects beneath ours: who put one of these back has undone this
        layer too. ``ours`` maps ids of our replacements to their originals: a module that ran
        again may have bound another one of ours by this name.
        """
        current = self.slot.get()
        if current is self.replacement:
            self.slot.put(self.original)
        elif current is self.original or id(current) in originals:
            return ""
        elif id(current) in ours:
            self.slot.put(_true_original(current, ours))
        else:
            return f"{self.slot} holds a foreign object on top of ours: {_kind(current)}"
        return ""


def _is_function(entry: Entry) -> TypeGuard[Patch]:
    """Whether a patch put one callable in another's place; constants have no identity to trust."""
    return isinstance(entry, Patch) and callable(entry.original) and callable(entry.replacement)


def _true_original(found: Any, ours: Mapping[int, Any]) -> Any:
    """Return what was there before any of our layers; two rows may have swapped two names."""
    seen: set[int] = set()
    while id(found) in ours and id(found) not in seen:
        seen.add(id(found))
        found = ours[id(found)]
    return found


def _kind(found: object) -> str:
    """Name an object without its own ``repr``, which may raise."""
    return object.__repr__(found) if found is not MISSING else "deleted"


@dataclass(frozen=True, eq=False)
class Effect:
    """A side effect of a shim's code, undone by the callable it registered."""

    shim: str
    undo: Callable[[], object]
    slot: None = None

    def in_place(self) -> bool:
        """An effect is there until it is undone."""
        return True

    def revert(self, originals: Collection[int] = (), ours: Mapping[int, Any] = _NOTHING) -> str:
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

    def patch(self, shim: str, slot: Slot, replacement: Any, rebound: bool = False) -> None:
        """Put ``replacement`` into ``slot`` and write down what was there.

        ``rebound`` says that the slot is a name by which a module had bound the original.
        """
        original = slot.get()
        if original is replacement:
            return
        slot.put(replacement)
        self.entries.append(Patch(shim, slot, original, replacement, rebound))

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

    def add(self, entries: list[Entry]) -> None:
        """Append the entries of a committed transaction."""
        self.entries += entries

    def of(self, shim: str) -> list[Entry]:
        """Return the entries of one shim, in order."""
        return [entry for entry in self.entries if entry.shim == shim]

    def fillers(self, slot: Slot) -> list[str]:
        """Return the shim whose patch ``slot`` holds now, if there is one."""
        held = [one for one in self.entries if isinstance(one, Patch) and one.slot.same(slot)]
        return [one.shim for one in held if one.in_place()][:1]

    def has(self, shim: str, slot: Slot) -> bool:
        """Whether ``slot`` holds the shim's patch, also beneath a foreign wrapper on top of it."""
        own = [one for one in self.of(shim) if isinstance(one, Patch) and one.slot.same(slot)]
        current = slot.get()
        return bool(own) and not any(current is one.original for one in self._stack(own[-1]))

    def contents(self, owner: object) -> dict[Entry, Any]:
        """Return what the patched slots of ``owner`` hold, before its body runs again."""
        return {
            entry: entry.slot.get()
            for entry in self.entries
            if isinstance(entry, Patch) and entry.slot.owner is owner
        }

    def forget_overwritten(self, before: Mapping[Entry, Any]) -> None:
        """Drop patches whose slot no longer holds what it did: the body has filled it anew."""
        self.entries = [
            entry
            for entry in self.entries
            if entry not in before or not entry.slot or entry.slot.get() is before[entry]
        ]

    def revert(self, shims: frozenset[str] | None = None) -> tuple[dict[str, str], set[str]]:
        """Revert the entries of ``shims`` (None: all), and whatever of ours lies on top of them.

        Returns a reason per shim for what could not be reverted, whose entries stay, and the
        shims that were reverted only because they lay on top.
        """
        doomed = self._with_upper_layers(shims)
        left: dict[str, str] = {}
        functions = [one for one in self.entries if _is_function(one)]
        ours = {id(one.replacement): one.original for one in functions}
        natives = {id(one.original) for one in functions}
        for entry in reversed(list(self.entries)):
            if entry.shim not in doomed:
                continue
            beneath = {id(one.original) for one in self._stack(entry)}
            is_bound = isinstance(entry, Patch) and entry.rebound
            reason = entry.revert(beneath | natives, ours) if is_bound else entry.revert(beneath)
            if reason:
                left[entry.shim] = reason
            if not reason or isinstance(entry, Effect):
                self.entries.remove(entry)
        return left, doomed - (shims if shims is not None else doomed)

    def _stack(self, top: Entry) -> list[Patch]:
        """Return the layers of ours up to ``top`` in the same slot."""
        if not isinstance(top, Patch):
            return []
        upto = self.entries[: self.entries.index(top) + 1]
        return [one for one in upto if isinstance(one, Patch) and one.slot.same(top.slot)]

    def _with_upper_layers(self, shims: frozenset[str] | None) -> set[str]:
        doomed = {entry.shim for entry in self.entries if shims is None or entry.shim in shims}
        size = -1
        while size != len(doomed):
            size = len(doomed)
            slots: set[tuple[int, Any]] = set()
            for entry in self.entries:
                key = (id(entry.slot.owner), entry.slot.name) if entry.slot else None
                if entry.shim in doomed or key in slots:
                    doomed.add(entry.shim)
                    slots |= {key} if key else set()
        return doomed
