"""Layers of one setting, on a knob made of plain values: no torch is needed."""

import gc
import itertools
import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shimhub.speed import KnobError
from shimhub.speed.knobs import _layers
from shimhub.speed.knobs._layers import drop, layers_of, push
from shimhub.speed.model import Numerics, Targets

EXAMPLES = 4 * int(os.environ.get("SHIMHUB_EXAMPLES", "50"))
#: The layers of one test are none of another's.
NUMBERS = itertools.count()


class Values:
    """A knob on a dictionary; its value is the names to write, and it can be made to fail."""

    numerics = Numerics.BIT_EXACT

    def __init__(self, scope="process", **values):
        self.id = f"values {next(NUMBERS)}"
        self.scope = scope
        self.values = values
        self.failing = None

    def why_not(self, value, hardware, targets):
        return ""

    def read(self, targets):
        return dict(self.values)

    def apply(self, value, targets):
        for name, one in value.items():
            self.values[name] = one
            if self.failing:
                raise self.failing

    def restore(self, before, targets):
        if self.failing:
            raise self.failing
        self.values.update(before)


class Thing:
    """Something that a knob acts on."""


def test_dropping_the_top_layer_restores_what_was_before_it():
    """Two layers come off in turn, each with the value that was there before it."""
    knob, here = Values(a=1), Targets()
    first = push(knob, {"a": 2}, here)
    second = push(knob, {"a": 3}, here)
    assert [first, second] == layers_of(knob, here)
    assert {"a": 2} == drop(second, here).state
    assert {"a": 1} == drop(first, here).state


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
def test_layers_come_off_in_any_order(order):
    """What is in force is the topmost layer that is left; after the last, what was there first."""
    knob, here = Values(a=0), Targets()
    layers = [push(knob, {"a": number + 1}, here) for number in range(4)]
    left = [1, 2, 3, 4]
    for index in order:
        drop(layers[index], here)
        left.remove(index + 1)
        assert (left or [0])[-1] == knob.values["a"]


def test_a_lower_layer_that_goes_is_told():
    """Dropping a lower layer names the value that stays."""
    knob, here = Values(a=0), Targets()
    low, high = push(knob, {"a": 1}, here), push(knob, {"a": 2}, here)
    assert f"{knob.id}: {{'a': 2}} was applied later and stays" == drop(low, here).note
    assert "" == drop(high, here).note


def test_a_layer_that_is_off_is_left_alone():
    """Dropping twice changes nothing the second time, whatever was written in between."""
    knob, here = Values(a=0), Targets()
    layer = push(knob, {"a": 1}, here)
    drop(layer, here)
    knob.values["a"] = 7
    assert ({"a": 7}, "") == (drop(layer, here).state, drop(layer, here).note)


def test_what_the_user_wrote_on_top_is_kept_and_told():
    """Of two settings the one that the user changed stays, by name; the other is restored."""
    knob, here = Values(a=0, b=0), Targets()
    layer = push(knob, {"a": 1, "b": 1}, here)
    knob.values["b"] = 5
    dropped = drop(layer, here)
    assert {"a": 0, "b": 5} == knob.values
    assert ("b",) == dropped.kept
    assert f"{knob.id}: b was changed since, and is kept" == dropped.note


def test_what_the_user_wrote_between_two_layers_is_kept():
    """Whichever of two layers goes first, the user's value in between outlives both."""
    for order in ((0, 1), (1, 0)):
        knob, here = Values(a=0), Targets()
        low = push(knob, {"a": 1}, here)
        knob.values["a"] = 5
        high = push(knob, {"a": 2}, here)
        for index in order:
            drop((low, high)[index], here)
        assert 5 == knob.values["a"]


def test_a_value_of_the_user_that_equals_a_lower_layers_is_not_taken_for_it():
    """The user wrote it over a higher layer, so it stays when both are gone."""
    knob, here = Values(a=0), Targets()
    low, high = push(knob, {"a": 1}, here), push(knob, {"a": 2}, here)
    knob.values["a"] = 1
    drop(high, here)
    drop(low, here)
    assert 1 == knob.values["a"]


def test_a_value_of_the_user_that_was_seen_once_is_known_later():
    """It lay between two layers; the user then sets what the lower one had set, and it stays."""
    knob, here = Values(a=0), Targets()
    low = push(knob, {"a": 1}, here)
    knob.values["a"] = 0
    drop(push(knob, {}, here), here)
    knob.values["a"] = 1
    assert {"a": 1} == drop(low, here).state


@pytest.mark.parametrize("error", [KnobError("no"), ZeroDivisionError(), KeyboardInterrupt()])
def test_an_apply_that_fails_half_way_leaves_nothing(error):
    """One of two values is written when it fails; both are as before, and no layer is on."""
    knob, here = Values(a=0, b=0), Targets()
    push(knob, {"a": 1, "b": 1}, here)
    below = push(knob, {"a": 2, "b": 2}, here)

    knob.failing, knob.restore = error, lambda before, targets: knob.values.update(before)
    with pytest.raises(type(error)):
        push(knob, {"a": 3, "b": 3}, here)
    assert {"a": 2, "b": 2} == knob.values
    assert [below] == layers_of(knob, here)


def test_a_restore_that_fails_can_be_tried_again():
    """The layer stays on until what was before it could be written."""
    knob, here = Values(a=0), Targets()
    layer = push(knob, {"a": 1}, here)
    knob.failing = OSError("not now")
    with pytest.raises(OSError, match="not now"):
        drop(layer, here)
    assert [layer] == layers_of(knob, here)
    knob.failing = None
    assert {"a": 0} == drop(layer, here).state


def test_a_restore_that_fails_half_way_is_not_taken_for_the_user():
    """Tried again it brings back the rest, and the layer below brings back what was before it."""
    knob, here = Values(a=0, b=0), Targets()
    low, high = push(knob, {"a": 1, "b": 1}, here), push(knob, {"a": 2, "b": 2}, here)
    real, knob.restore = knob.restore, lambda before, targets: knob.values.update(a=1) or 1 / 0
    with pytest.raises(ZeroDivisionError):
        drop(high, here)
    knob.restore = real
    assert {"a": 1, "b": 1} == drop(high, here).state
    assert {"a": 0, "b": 0} == drop(low, here).state


def test_what_the_user_wrote_is_kept_by_a_restore_that_is_tried_again():
    """The first try had kept it, and so does the second."""
    knob, here = Values(a=0, b=0), Targets()
    layer = push(knob, {"a": 1, "b": 1}, here)
    knob.values["b"] = 5
    knob.failing = OSError("not now")
    with pytest.raises(OSError, match="not now"):
        drop(layer, here)
    knob.failing = None
    assert {"a": 0, "b": 5} == drop(layer, here).state


def test_layers_of_two_targets_are_apart():
    """A layer on one model says nothing of another's."""
    knob = Values("model", a=0)
    one, other = Targets(model=Thing()), Targets(model=Thing())
    low, high = push(knob, {"a": 1}, one), push(knob, {"a": 2}, other)
    assert ([low], [high]) == (layers_of(knob, one), layers_of(knob, other))
    drop(high, other)
    drop(low, one)


def test_a_layer_on_nothing_is_an_error():
    """The error names the knob and what it acts on."""
    with pytest.raises(KnobError, match="acts on the optimizer, and none was given"):
        push(Values("optimizer"), {}, Targets(model=Thing()))


def test_a_layer_that_nobody_keeps_is_for_good():
    """It is no layer any more: the one above goes back to its value, the one below gives way."""
    knob, here = Values(a=0), Targets()
    low = push(knob, {"a": 1}, here)
    push(knob, {"a": 2}, here)
    high = push(knob, {"a": 3}, here)
    gc.collect()
    assert [low, high] == layers_of(knob, here)
    assert {"a": 2} == drop(high, here).state
    assert {"a": 2} == drop(low, here).state


def test_targets_are_not_kept_alive():
    """A model goes when its owner lets go, and a layer that outlives it is on nothing else."""
    knob, model = Values("model", a=0), Thing()
    layer = push(knob, {"a": 1}, Targets(model=model))
    number = id(model)
    del model
    gc.collect()
    assert layer.target() is None
    others = [Thing() for _ in range(100)]
    again = [one for one in others if id(one) == number] or others[:1]
    _layers._STACKS[knob.id, id(again[0])] = list(_layers._STACKS[knob.id, number])
    assert [] == layers_of(knob, Targets(model=again[0]))


class Machine(RuleBasedStateMachine):
    """Users and layers write a setting in any order; the oracle is a list of who wrote what.

    A user's value right on top of a layer that has the very same one cannot be seen; it can where
    a higher layer was in between when it was written.
    """

    def __init__(self):
        super().__init__()
        self.knob, self.here = Values(a=0, b=0), Targets()
        self.layers = []
        #: by name: [owner, value]; the owner is a layer, None for what cannot be told from what
        #: was below, or True for a user's value that is known for one
        self.told = {name: [[True, 0]] for name in "ab"}

    values = st.integers(0, 2)

    @rule(name=st.sampled_from("ab"), value=values)
    def user(self, name, value):
        """Write as a user."""
        self.knob.values[name] = value
        told = self.told[name]
        if told[-1][0] is True:
            told[-1][1] = value
            return
        if told[-1][0] is None:
            told.pop()
        if told[-1][1] != value:
            told.append([None, value])

    @rule(value=st.dictionaries(st.sampled_from("ab"), values))
    def on(self, value):
        """Put a layer on."""
        layer = push(self.knob, value, self.here)
        self.layers.append(layer)
        for name, told in self.told.items():
            if told[-1][0] is None:
                told[-1][0] = True
            told.append([layer, value.get(name, told[-1][1])])

    @precondition(lambda self: self.layers)
    @rule(data=st.data())
    def off(self, data):
        """Take any layer off."""
        layer = data.draw(st.sampled_from(self.layers))
        self.layers.remove(layer)
        drop(layer, self.here)
        for told in self.told.values():
            place = next(i for i, (owner, _) in enumerate(told) if owner is layer)
            del told[place]
            if place < len(told) and told[place][0] in (None, True):
                told[place][0] = True
                if told[place - 1][0] is True:
                    del told[place - 1]

    @rule(value=st.dictionaries(st.sampled_from("ab"), values, min_size=1))
    def fail(self, value):
        """Fail in the middle of putting one on; nothing has changed."""
        self.knob.apply = lambda value, targets: self.knob.values.update(value) or 1 / 0
        with pytest.raises(ZeroDivisionError):
            push(self.knob, value, self.here)
        del self.knob.apply

    @invariant()
    def what_is_in_force_was_written_last(self):
        """The value is that of the last one who wrote it and has not gone."""
        assert {name: told[-1][1] for name, told in self.told.items()} == self.knob.values


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=EXAMPLES, stateful_step_count=25, deadline=None)
