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
from dataclasses import dataclass
from typing import Any, Final

from shimhub.speed.errors import KnobError
from shimhub.speed.model import Knob, State, Targets

_Key = tuple[str, int]
_MISSING: Final = object()
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


def _snapshot(knob: Knob, targets: Targets) -> State:
    """Return what is to be brought back exactly, which some knobs know better than ``read``."""
    return dict(getattr(knob, "snapshot", knob.read)(targets))


def _write(knob: Knob, saved: State, targets: Targets) -> None:
    """Bring back what ``_snapshot`` told."""
    getattr(knob, "rewrite", knob.restore)(saved, targets)


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


def _unwound(before: State, after: State, now: State) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what to write to undo a change, and the names that others have changed since."""
    changed = {
        name for name in before if name in now and not _same(now[name], after.get(name, _MISSING))
    }
    wanted = {name: now[name] if name in changed else value for name, value in before.items()}
    return wanted, tuple(sorted(name for name in changed if not _same(now[name], before[name])))


def push(knob: Knob, value: Any, targets: Targets) -> Layer:
    """Apply a value and return its layer; when anything raises, all is as it was before."""
    with _LOCK, ExitStack() as undo:
        layers = layers_of(knob, targets)
        before, saved = dict(knob.read(targets)), _snapshot(knob, targets)
        undo.callback(_write, knob, saved, targets)
        knob.apply(value, targets)
        after, written = dict(knob.read(targets)), _snapshot(knob, targets)
        target = _target(knob, targets)
        reference = None if target is None else weakref.ref(target)
        layer = Layer(knob, value, reference, before, after, saved, written)
        _keep([*layers, layer], knob, targets)
        undo.pop_all()
        return layer


def drop(layer: Layer, targets: Targets) -> Dropped:
    """Take a layer off, wherever it is on its stack; one that is off already is left alone.

    Where restoring raises, the layer stays on and can be dropped again.
    """
    knob = layer.knob
    with _LOCK:
        layers = layers_of(knob, targets)
        if layer not in layers:
            return Dropped(dict(knob.read(targets)))
        above = layers[layers.index(layer) + 1 :]
        dropped = _handed(layer, above[0], targets) if above else _restored(layer, targets)
        _keep([one for one in layers if one is not layer], knob, targets)
        return dropped


def _handed(layer: Layer, above: Layer, targets: Targets) -> Dropped:
    """Hand what was before a layer to the one above, which stays in force."""
    above.saved, _ = _unwound(layer.saved, layer.written, above.saved)
    note = f"{layer.knob.id}: {above.value!r} was applied later and stays"
    return Dropped(dict(layer.knob.read(targets)), note=note)


def _restored(layer: Layer, targets: Targets) -> Dropped:
    """Write what was before a layer, but for what the user wrote on top of it."""
    knob = layer.knob
    wanted, kept = _unwound(layer.saved, layer.written, _snapshot(knob, targets))
    _write(knob, wanted, targets)
    note = f"{knob.id}: {', '.join(kept)} was changed since, and is kept" if kept else ""
    return Dropped(dict(knob.read(targets)), kept, note)
