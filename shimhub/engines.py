"""Make the engine of a configuration, and compare it with the one before."""

from __future__ import annotations

from collections.abc import Mapping

from shimhub import compiled
from shimhub.apply import Engine
from shimhub.config import Config
from shimhub.environment import Environment
from shimhub.guard import Guards
from shimhub.model import Selection, Status, Verdict
from shimhub.patching import HOUSE, Journal
from shimhub.planning import make_plan
from shimhub.registry import Registry
from shimhub.select import check_selection

_NOTHING = Config((), Selection())


def registry_of(config: Config) -> Registry:
    """Load the registry of ``config``; raises RegistryError and SelectionError."""
    registry = Registry.from_table(compiled.load(config.sources))
    check_selection(registry, config.selection)
    return registry


def engine_of(config: Config, journal: Journal, registry: Registry, guards: Guards) -> Engine:
    """Return an engine with everything planned and nothing applied."""
    chosen, facts = config.selection, Environment(registry.targets)
    planned = {one.id: one for one in make_plan(registry, chosen, facts)}
    verdicts = dict(planned)
    return Engine(registry, chosen, facts, journal, planned, verdicts, guards, config.strict)


def empty_engine(journal: Journal, guards: Guards) -> Engine:
    """Return the engine of a process where nothing is installed."""
    return engine_of(_NOTHING, journal, Registry((), {}, {}), guards)


def changed_between(old: Engine, new: Engine) -> frozenset[str]:
    """Return applied shims that the new engine does not want, or wants otherwise."""
    changed = {
        entry.shim
        for entry in old.journal.entries
        if entry.shim is not HOUSE
        if old.registry.by_id.get(entry.shim) != new.registry.by_id.get(entry.shim)
        or _status(new.planned, entry.shim) is not Status.PENDING
    }
    return frozenset(changed | _above_newcomers(new, old.journal))


def _above_newcomers(engine: Engine, journal: Journal) -> set[str]:
    """Return applied shims whose attach point also gets a shim that comes before them."""
    applied = {entry.shim for entry in journal.entries}
    newcomers: set[str] = set()
    found: set[str] = set()
    for shim_id, verdict in engine.planned.items():
        attach = engine.registry.by_id[shim_id].attach
        if shim_id in applied and attach in newcomers:
            found.add(shim_id)
        elif shim_id not in applied and verdict.status is Status.PENDING:
            newcomers.add(attach)
    return found


def _status(verdicts: Mapping[str, Verdict], shim_id: str) -> Status | None:
    return verdicts[shim_id].status if shim_id in verdicts else None


def left_in_place(left: Mapping[str, str]) -> dict[str, Verdict]:
    """Return the verdicts of shims that could not be reverted, by the reasons why not."""
    return {
        shim_id: Verdict(shim_id, Status.APPLIED, f"left in place: {reason}")
        for shim_id, reason in left.items()
        if shim_id is not HOUSE
    }
