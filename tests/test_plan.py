from __future__ import annotations

import fnmatch
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shimhub.gates import Facts
from shimhub.model import Fact, Selection, Shim, Status
from shimhub.planning import make_plan, order_of
from shimhub.registry import Registry


class Nothing(Facts):
    """A machine where only `here` 1.0 is installed."""

    def fact(self, name):
        """Return its version."""
        return Fact("1.0", "told") if name == "here" else None

    def platform_fact(self, name):
        """Return nothing."""
        return ""


def shim(name, **keys):
    """Return a row whose attach point is its own."""
    base = {"attach": f"t:{name}", "action": "alias", "why": "w", "to": "m:f"}
    return Shim(id=name, **(base | keys))


def registry(*shims):
    """Return a registry of these rows."""
    return Registry(shims, {}, {})


def plan(*shims, **selection):
    """Return the verdicts by id, in order."""
    found = make_plan(registry(*shims), Selection(**selection), Nothing())
    return {verdict.id: verdict for verdict in found}


def test_rows_without_relations_keep_their_order():
    """The order of the registry is the order of the plan."""
    assert ["c", "a", "b"] == list(plan(shim("c"), shim("a"), shim("b")))


@pytest.mark.parametrize(
    "keys", [{"a": {"needs": ("b",)}}, {"a": {"after": ("b",)}}, {"b": {"before": ("a",)}}]
)
def test_needs_after_and_before_move_a_row(keys):
    """A row follows what it needs and what it is after, and what names it in `before`."""
    rows = [shim(name, **keys.get(name, {})) for name in ("a", "b", "c")]
    assert ["b", "a", "c"] == list(plan(*rows))


def test_relations_may_be_globs():
    """A glob stands for all ids that it matches but the row's own."""
    rows = [shim("g/last", after=("g/*",)), shim("g/a"), shim("x"), shim("g/b")]
    assert ["g/a", "x", "g/b", "g/last"] == list(plan(*rows))


def test_moving_one_row_moves_no_other():
    """A row that waits takes the first place it can have; the rest stays as declared."""
    rows = [shim("a"), shim("b", after=("d",)), shim("c"), shim("d"), shim("e")]
    assert ["a", "c", "d", "b", "e"] == list(plan(*rows))


def test_a_cycle_of_order_is_named_and_refused():
    """Rows whose order is a cycle are CONFLICT with the path; the others are planned."""
    rows = [shim("a", after=("b",)), shim("b", after=("c",)), shim("c", after=("a",)), shim("d")]
    found = plan(*rows)
    assert {"a", "b", "c", "d"} == set(found)
    for name in "abc":
        assert Status.CONFLICT is found[name].status
        assert "order is a cycle: " in found[name].reason
        path = found[name].reason.removeprefix("order is a cycle: ").split(" -> ")
        assert path[0] == path[-1]
        assert {"a", "b", "c"} == set(path)
    assert Status.PENDING is found["d"].status


def test_two_cycles_are_both_named():
    """Each cycle has its own path."""
    rows = [shim("a", after=("b",)), shim("b", after=("a",))]
    rows += [shim("c", after=("d",)), shim("d", after=("c",))]
    found = plan(*rows)
    assert {"a", "b"} == set(found["a"].reason.removeprefix("order is a cycle: ").split(" -> "))
    assert {"c", "d"} == set(found["d"].reason.removeprefix("order is a cycle: ").split(" -> "))


def test_the_arrows_of_a_cycle_are_all_of_one_kind():
    """An arrow x -> y in the path means that one of the two comes before the other, everywhere."""
    after = {"a": "b", "b": "c", "c": "a"}
    found = plan(*(shim(name, after=(other,)) for name, other in after.items()))
    path = found["a"].reason.removeprefix("order is a cycle: ").split(" -> ")
    pairs = list(itertools.pairwise(path))
    assert all(after[x] == y for x, y in pairs) or all(after[y] == x for x, y in pairs)


@pytest.mark.parametrize(
    ("keys", "selection", "status"),
    [
        ({"when": {"gone": ">=1"}}, {}, "GATED"),
        ({}, {"disable": ("low",)}, "DISABLED"),
        ({"when": {"here": ">=2"}}, {}, "GATED"),
        ({"conflicts": ("other",)}, {}, "CONFLICT"),
    ],
)
def test_a_need_that_cannot_be_there_refuses_the_row(keys, selection, status):
    """Needs are transitive, and the reason tells the need, its status and why."""
    rows = [
        shim("top", needs=("middle",)),
        shim("middle", needs=("low",)),
        shim("low", **keys),
        shim("other"),
    ]
    found = plan(*rows, **selection)
    assert status == found["low"].status
    for name, need, said in (("middle", "low", status), ("top", "middle", "CONFLICT")):
        assert Status.CONFLICT is found[name].status
        assert found[name].reason.startswith(f"needs {need}, which is {said}: ")
    assert found["low"].reason in found["middle"].reason


def test_a_need_that_is_retired_refuses_nothing():
    """A shim that is retired is native by now: what needs it may go on."""
    found = plan(shim("a", needs=("b",)), shim("b", retired="2026-11-21"))
    assert ["RETIRED", "PENDING"] == [found[name].status for name in "ba"]


def test_after_a_row_that_is_off_is_no_need():
    """Words of after and before order rows, and refuse none."""
    rows = [shim("a", after=("b",)), shim("b", before=("a",))]
    assert Status.PENDING is plan(*rows, disable=("b",))["a"].status


def test_conflicts_refuse_both_and_name_each_other():
    """Of two rows that conflict neither is applied until the user disables one."""
    rows = [shim("a", conflicts=("b",)), shim("b"), shim("c")]
    found = plan(*rows)
    assert "conflicts with b; disable one of them" == found["a"].reason
    assert "conflicts with a; disable one of them" == found["b"].reason
    assert ["CONFLICT", "CONFLICT", "PENDING"] == [found[name].status for name in "abc"]
    found = plan(*rows, disable=("b",))
    assert ["PENDING", "DISABLED"] == [found[name].status for name in "ab"]


def test_a_glob_of_conflicts_does_not_mean_the_row_itself():
    """`conflicts = ["g/*"]` on g/a means its neighbours."""
    assert Status.PENDING is plan(shim("g/a", conflicts=("g/*",)))["g/a"].status


def test_two_rows_that_replace_one_original_are_rivals():
    """Both are refused, whatever their order; wrappers stack."""
    keys = {"attach": "t:f", "fidelity": "exact", "fingerprints": ("sha256:0",)}
    rows = [shim(name, action="replace", **keys) for name in "abc"]
    found = plan(*rows, shim("w", action="wrap", **keys))
    assert ["CONFLICT"] * 3 + ["PENDING"] == [found[name].status for name in "abcw"]
    assert "replaces t:f too; disable one of them" in found["a"].reason
    found = plan(*rows, disable=("a", "c"))
    assert Status.PENDING is found["b"].status


def test_a_plan_is_pure():
    """Asked twice, the same; and a plan tells every row."""
    rows = [shim("a", needs=("b",)), shim("b"), shim("c", retired="2026-11-21")]
    assert plan(*rows) == plan(*rows)
    assert 3 == len(plan(*rows))


def test_a_disabled_row_tells_what_was_seen():
    """The evidence of the gates stays with a row that the user switched off."""
    found = plan(shim("a", when={"here": ">=1"}), disable=("a",))["a"]
    assert (Status.DISABLED, "1.0, from told") == (found.status, found.evidence["here"])


IDS = [f"s{index}" for index in range(7)]
WORDS = st.lists(st.sampled_from([*IDS, "s*", "s[0-2]"]), max_size=2).map(tuple)


@st.composite
def registries(draw):
    """Draw rows with any relations, in any order."""
    ids = draw(st.permutations(IDS))
    size = draw(st.integers(0, len(ids)))
    rows = [shim(one, needs=draw(WORDS), before=draw(WORDS), after=draw(WORDS)) for one in ids]
    return registry(*rows[:size])


def edges(found):
    """Yield (first, then) of every relation."""
    for one in found.shims:
        for pattern in (*one.needs, *one.after):
            yield from ((other, one.id) for other in fnmatch.filter(found.by_id, pattern))
        for pattern in one.before:
            yield from ((one.id, other) for other in fnmatch.filter(found.by_id, pattern))


def reachable(found):
    """Return id -> the ids that must come after it."""
    after = {shim_id: set() for shim_id in found.by_id}
    for first, then in edges(found):
        if first != then:
            after[first].add(then)
    for _ in IDS:
        for known in after.values():
            known |= {far for near in known for far in after[near]}
    return after


@given(found=registries())
def test_any_graph_is_ordered(found):
    """Each row is there once; relations hold outside of cycles; members of cycles are named."""
    order, cycles = order_of(found)
    assert sorted(found.by_id) == sorted(order)
    after = reachable(found)
    in_cycle = {one for one, known in after.items() if one in known}
    assert set(cycles) <= in_cycle
    assert bool(in_cycle) is bool(cycles)
    rank = {one: index for index, one in enumerate(order)}
    for first, then in edges(found):
        if not {first, then} & in_cycle and first != then:
            assert rank[first] < rank[then]


@given(found=registries())
def test_any_graph_is_planned(found):
    """A plan of any graph tells each row once, and no row with a refused need waits."""
    verdicts = {one.id: one for one in make_plan(found, Selection(), Nothing())}
    assert set(verdicts) == set(found.by_id)
    for one in found.shims:
        needs = {other for word in one.needs for other in fnmatch.filter(found.by_id, word)}
        refused = [other for other in needs - {one.id} if verdicts[other].status == "CONFLICT"]
        if refused:
            assert "CONFLICT" == verdicts[one.id].status


@given(found=registries())
def test_rows_without_relations_never_change_places(found):
    """Rows that no relation reaches keep the order in which they were declared."""
    order, _ = order_of(found)
    related = {one for pair in edges(found) for one in pair if pair[0] != pair[1]}
    free = [one for one in found.by_id if one not in related]
    assert free == [one for one in order if one in free]
