"""Applying one setting many times, and taking any of them back in any order.

There is a stack of layers per knob and target. Taking off the top one restores what was before
it; taking off a lower one leaves the setting as it is and hands what was before it to the layer
above. What the user wrote on top of a layer is kept, and told. A write of the very value that is
there already cannot be seen.
"""

from __future__ import annotations

import threading
import weakref
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from shimhub.speed.errors import KnobError
from shimhub.speed.model import Knob, State, Targets

_Key = tuple[str, int]
#: Where a layer's value was, and the user's on top of it came to light.
_USERS: Final = object()
#: Not held while code of the user runs; knobs run under it.
_LOCK: Final = threading.RLock()


@dataclass(eq=False)
class Layer:
    """One value of a knob, in force until it is dropped; for good if nobody keeps the layer.

    ``before`` and ``after`` are what the knob read. ``saved`` and ``written`` are the same for
    restoring, which is more where a knob has a ``snapshot``.
    """

    knob: Knob
    value: Any
    target: weakref.ref[Any] | None
    before: State
    after: State
    saved: State
    written: State
    #: What a restore that failed half-way was about to write.
    tried: State = field(default_factory=dict)


@dataclass(frozen=True)
class Dropped:
    """What became of a layer: the settings now, those that were kept, and a word on it."""

    state: State
    kept: tuple[str, ...] = ()
    note: str = ""


#: The layers of each knob and target, lowest first. Neither layers nor targets are kept alive.
_STACKS: Final[dict[_Key, list[weakref.ref[Layer]]]] = {}


def _target(knob: Knob, targets: Targets) -> Any:
    """Return the object that a knob acts on; None is the process."""
    if knob.scope == "process":
        return None
    target = getattr(targets, knob.scope)
    if target is None:
        raise KnobError(f"{knob.id} acts on the {knob.scope}, and none was given")
    return target


def layers_of(knob: Knob, targets: Targets) -> list[Layer]:
    """Return the layers of a knob on its target, lowest first."""
    target = _target(knob, targets)
    found = (reference() for reference in _STACKS.get((knob.id, id(target)), ()))
    return [layer for layer in found if layer and _is_on(layer, target)]


def _is_on(layer: Layer, target: Any) -> bool:
    """Whether a layer is on this very object: an ``id`` comes again when an object has died."""
    return layer.target is None or layer.target() is target


def _keep(layers: list[Layer], knob: Knob, targets: Targets) -> None:
    """Set the stack of a knob and target, and forget the stacks whose layers are gone."""
    _STACKS[knob.id, id(_target(knob, targets))] = [weakref.ref(layer) for layer in layers]
    for key in [key for key, stack in _STACKS.items() if not any(one() for one in stack)]:
        del _STACKS[key]


def snapshot(knob: Knob, targets: Targets) -> State:
    """Return what is to be brought back exactly, which some knobs know better than ``read``."""
    return dict(getattr(knob, "snapshot", knob.read)(targets))


def rewrite(knob: Knob, saved: State, targets: Targets) -> None:
    """Bring back what ``snapshot`` told."""
    getattr(knob, "rewrite", knob.restore)(saved, targets)


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


def _changed(now: State, layer: Layer) -> frozenset[str]:
    """Return the names that hold what others wrote since a layer did."""
    names = (name for name in layer.written if name in now)
    return frozenset(name for name in names if not _is_ours(name, now[name], layer))


def _is_ours(name: str, value: Any, layer: Layer) -> bool:
    """Whether a value is what a layer wrote, or brought back before its restore failed."""
    return any(_same(value, one[name]) for one in (layer.written, layer.tried) if name in one)


def _mark(layer: Layer, names: frozenset[str]) -> None:
    """Note that a user wrote these on top of a layer; their values alone may not tell."""
    layer.written = {**layer.written, **dict.fromkeys(names, _USERS)}


def _undone(before: State, now: State, kept: frozenset[str]) -> dict[str, Any]:
    """Return what to write to bring back ``before``, but for the names that are kept."""
    return {name: now[name] if name in kept else value for name, value in before.items()}


def push(knob: Knob, value: Any, targets: Targets) -> Layer:
    """Apply a value and return its layer; when anything raises, all is as it was before."""
    with _LOCK, ExitStack() as undo:
        layers = layers_of(knob, targets)
        before, saved = dict(knob.read(targets)), snapshot(knob, targets)
        undo.callback(rewrite, knob, saved, targets)
        knob.apply(value, targets)
        after, written = dict(knob.read(targets)), snapshot(knob, targets)
        target = _target(knob, targets)
        reference = None if target is None else weakref.ref(target)
        layer = Layer(knob, value, reference, before, after, saved, written)
        for below in layers[-1:]:
            _mark(below, _changed(saved, below))
        _keep([*layers, layer], knob, targets)
        undo.pop_all()
        return layer


def drop(layer: Layer, targets: Targets) -> Dropped:
    """Take a layer off, wherever it is on its stack; one that is off already is left alone.

    Where restoring raises, the layer stays on and can be dropped again.
    """
    with _LOCK:
        layers = layers_of(layer.knob, targets)
        if layer not in layers:
            return Dropped(dict(layer.knob.read(targets)))
        dropped = _taken_off(layer, layers, targets)
        _keep([one for one in layers if one is not layer], layer.knob, targets)
        return dropped


def _taken_off(layer: Layer, layers: list[Layer], targets: Targets) -> Dropped:
    """Write what was before a layer, or hand it to the layer above; the user's values stay."""
    knob, place = layer.knob, layers.index(layer)
    above = layers[place + 1] if layer is not layers[-1] else None
    now = above.saved if above else snapshot(knob, targets)
    kept = _changed(now, layer)
    wanted = _undone(layer.saved, now, kept)
    if above:
        above.saved = wanted
    else:
        layer.tried = {name: one for name, one in wanted.items() if name not in kept}
        rewrite(knob, wanted, targets)
    if place:
        _mark(layers[place - 1], kept)
    told = sorted(name for name in kept if not _same(now[name], layer.saved.get(name)))
    return Dropped(dict(knob.read(targets)), tuple(told), _note(layer, told, above))


def _note(layer: Layer, kept: list[str], above: Layer | None) -> str:
    """Return what a user should know of a layer that was taken off."""
    notes = [f"{above.value!r} was applied later and stays"] if above else []
    if kept:
        notes.append(f"{', '.join(kept)} was changed since, and is kept")
    return f"{layer.knob.id}: {'; '.join(notes)}" if notes else ""
