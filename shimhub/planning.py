"""The plan: every shim's place in the order and its verdict before any target is imported."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from shimhub import gates
from shimhub.model import REFUSING, Selection, Shim, Status, Verdict
from shimhub.registry import Registry
from shimhub.select import disabled_reason


def make_plan(registry: Registry, selection: Selection, facts: gates.Facts) -> tuple[Verdict, ...]:
    """Return one verdict a shim in the order of application; a pure function of its arguments."""
    shims = registry.shims
    verdicts = {shim.id: _first_verdict(registry, selection, shim, facts) for shim in shims}
    order, cycles = order_of(registry)
    live = [shim for shim in shims if verdicts[shim.id].status is Status.PENDING]
    for shim_id, reason in {**_conflicts(live), **_rivals(live, order), **cycles}.items():
        if verdicts[shim_id].status is Status.PENDING:
            verdicts[shim_id] = Verdict(shim_id, Status.CONFLICT, reason)
    for shim_id in order:
        verdicts[shim_id] = _refused_by_needs(registry.by_id[shim_id], verdicts)
    return tuple(verdicts[shim_id] for shim_id in order)


def order_of(registry: Registry) -> tuple[list[str], dict[str, str]]:
    """Return ids in order of application, and the ids that stand in a cycle with its path.

    A shim follows what it ``needs``, what it is ``after`` and what fills the place that it is an
    alias of; otherwise registry order holds.
    """
    edges = _edges(registry)
    cycles: dict[str, str] = {}
    while True:
        try:
            return _stable_order(edges, list(registry.by_id)), cycles
        except CycleError as error:
            members = error.args[1]
            told = "order is a cycle: " + " -> ".join(members)
            cycles |= dict.fromkeys(members, told)
            for member in members:
                edges[member] -= set(members)


def _stable_order(edges: Mapping[str, set[str]], ids: list[str]) -> list[str]:
    sorter = TopologicalSorter(edges)
    sorter.prepare()
    rank = {shim_id: index for index, shim_id in enumerate(ids)}
    ready: list[str] = []
    order: list[str] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=rank.__getitem__)
        order.append(ready.pop(0))
        sorter.done(order[-1])
    return order


def _edges(registry: Registry) -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {shim_id: set() for shim_id in registry.by_id}
    attached: dict[str, list[str]] = {}
    for shim in registry.shims:
        attached.setdefault(shim.attach, []).append(shim.id)
    for shim in registry.shims:
        edges[shim.id] |= matching(edges, (*shim.needs, *shim.after)) - {shim.id}
        edges[shim.id] |= {one for point in _origins(shim) for one in attached.get(point, ())}
        for later in matching(edges, shim.before) - {shim.id}:
            edges[later].add(shim.id)
    return edges


def _origins(shim: Shim) -> list[str]:
    """Return the points that the row's aliases lead to: who fills these comes first."""
    entries = (shim.names or {}).values()
    return [point for point in (shim.to, *(one.get("alias", "") for one in entries)) if point]


def matching(ids: Iterable[str], patterns: Iterable[str]) -> set[str]:
    """Return the ids that any of ``patterns`` (ids or globs) names."""
    ids = list(ids)
    return {shim_id for pattern in patterns for shim_id in fnmatch.filter(ids, pattern)}


def _first_verdict(
    registry: Registry, selection: Selection, shim: Shim, facts: gates.Facts
) -> Verdict:
    verdict = gates.judge(shim, facts)
    reason = disabled_reason(registry, selection, shim)
    if verdict.status is Status.PENDING and reason:
        return Verdict(shim.id, Status.DISABLED, reason, verdict.evidence)
    return verdict


def _conflicts(live: list[Shim]) -> dict[str, str]:
    reasons: dict[str, str] = {}
    ids = [shim.id for shim in live]
    for shim in live:
        for other in sorted(matching(ids, shim.conflicts) - {shim.id}):
            reasons.setdefault(shim.id, f"conflicts with {other}; disable one of them")
            reasons.setdefault(other, f"conflicts with {shim.id}; disable one of them")
    return reasons


def _rivals(live: list[Shim], order: list[str]) -> dict[str, str]:
    """Two rows that replace the same original contradict each other, whatever their order."""
    seen: dict[str, str] = {}
    reasons: dict[str, str] = {}
    by_id = {shim.id: shim for shim in live}
    for shim in (by_id[shim_id] for shim_id in order if shim_id in by_id):
        if shim.action != "replace":
            continue
        first = seen.setdefault(shim.attach, shim.id)
        if first != shim.id:
            reasons[first] = f"{shim.id} replaces {shim.attach} too; disable one of them"
            reasons[shim.id] = f"{first} replaces {shim.attach} too; disable one of them"
    return reasons


def _refused_by_needs(shim: Shim, verdicts: Mapping[str, Verdict]) -> Verdict:
    verdict = verdicts[shim.id]
    if verdict.status is not Status.PENDING:
        return verdict
    return needs_verdict(shim, verdicts) or verdict


def needs_verdict(shim: Shim, verdicts: Mapping[str, Verdict]) -> Verdict | None:
    """Return CONFLICT where a shim that ``shim`` needs cannot be there, else None."""
    for needed in sorted(matching(verdicts, shim.needs) - {shim.id}):
        status = verdicts[needed].status
        if status in REFUSING:
            told = f"needs {needed}, which is {status}: {verdicts[needed].reason}"
            return Verdict(shim.id, Status.CONFLICT, told)
    return None


def units(rows: list[Shim]) -> Iterator[list[Shim]]:
    """Yield the rows that stand or fall together, in the order of their first members."""
    done: set[str] = set()
    for shim in rows:
        if not shim.group:
            yield [shim]
        elif shim.group not in done:
            done.add(shim.group)
            yield [one for one in rows if one.group == shim.group]
