"""Apply the rows of one module: gates again, probes, then one transaction a group.

The engine changes targets and its journal; what it decided it writes into ``verdicts``. No lock
is held here: shims' code may import and start threads.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any

from shimhub import building, gates, lazy, placing
from shimhub.attach import content, find_slot
from shimhub.environment import Environment, file_of, is_module
from shimhub.errors import NotProvedError, ShimError
from shimhub.guard import Guards
from shimhub.model import UNTOLD, Context, Selection, Shim, Status, Verdict
from shimhub.patching import MISSING, Journal, Slot, Transaction
from shimhub.placing import Seeds
from shimhub.planning import make_plan, needs_verdict, units
from shimhub.probing import judge_check, probe, probe_elsewhere
from shimhub.registry import Registry
from shimhub.select import asked_by_id
from shimhub.watch import when_imported

logger = logging.getLogger("shimhub")


@dataclass
class Engine:
    """What applying reads (registry, selection, facts) and writes (journal, verdicts)."""

    registry: Registry
    selection: Selection
    facts: Environment
    journal: Journal
    planned: dict[str, Verdict]
    verdicts: dict[str, Verdict]
    guards: Guards
    strict: bool = False
    closed: bool = False

    def apply(self, name: str, seeds: Seeds | None = None, has_run: bool = False) -> None:
        """Patch module ``name`` as it stands in ``sys.modules``.

        ``has_run`` says that its body ran just now, ``seeds`` what was in place before. Raises
        ShimError in strict mode when a shim failed, with its group rolled back.
        """
        if name not in sys.modules:
            return
        module: Any = sys.modules[name]
        if not is_module(module):
            self._reject(name, module)
            return
        if seeds is not None:
            self.journal.forget_overwritten(seeds.before)
            self._settle(seeds)
        self.replan(name)
        rows = self.rows(name)
        for shim in rows:
            if has_run:
                self.retry(shim)
            if shim.is_module:
                self._step_aside(shim, module)
        for unit in units([shim for shim in rows if not shim.is_module]):
            self._apply_unit(unit, module)
        self.raise_if_strict(rows)

    def retry(self, shim: Shim) -> None:
        """Let a shim that failed alone wait again; a group stays failed until the next install."""
        if self.verdicts[shim.id].status is Status.FAILED and not shim.group:
            self.verdicts[shim.id] = self.planned[shim.id]

    def replan(self, name: str) -> None:
        """Plan again where a rule that kept a row of ``name`` out holds by now.

        A target may be found, or tell its version, only when it is imported.
        """
        gated = [one for one in self.rows(name) if self.planned[one.id].status is Status.GATED]
        if all(gates.judge(shim, self.facts).status is Status.GATED for shim in gated):
            return
        old = self.planned
        self.planned = {one.id: one for one in make_plan(self.registry, self.selection, self.facts)}
        for shim_id, verdict in self.planned.items():
            if self.verdicts.get(shim_id) == old[shim_id]:
                self.verdicts[shim_id] = verdict

    def seed(self, name: str, module: ModuleType) -> Seeds:
        """Put the rows of ``phase = "pre"`` into the namespace of a module about to run."""
        rows = [shim for shim in self.rows(name) if shim.phase == "pre"]
        seeds = Seeds(self.journal.contents(module), self._unseed)
        for shim in rows:
            try:
                self._seed_one(shim, module, seeds)
            except Exception as error:  # noqa: BLE001  # as in _apply_unit
                self.fail(shim, error)
        self.raise_if_strict(rows)
        return seeds

    def fail(self, shim: Shim, error: Exception, residue: Iterable[str] = ()) -> None:
        """Roll back the group of ``shim`` everywhere and write down why."""
        group = self._group(shim)
        left, above = self.journal.revert(frozenset(one.id for one in group))
        told = "; ".join([f"{type(error).__name__}: {error}", *residue])
        for one in group:
            reason = told if one is shim else f"rolled back with {shim.id}: {told}"
            reason += f"; {left[one.id]}" if one.id in left else ""
            is_live = self.verdicts[one.id].status in (Status.APPLIED, Status.PENDING)
            if one is shim or is_live:
                self.verdicts[one.id] = Verdict(one.id, Status.FAILED, reason)
        logger.warning("shim %s failed and was rolled back: %s", shim.id, told)
        for upper in sorted(above):
            self.verdicts[upper] = self.planned[upper]
            self.apply(self.registry.by_id[upper].module)

    def raise_if_strict(self, shims: Iterable[Shim]) -> None:
        """Raise ShimError in strict mode when one of ``shims`` failed."""
        failed = [shim for shim in shims if self.verdicts[shim.id].status is Status.FAILED]
        if self.strict and failed:
            told = "; ".join(f"{one.id}: {self.verdicts[one.id].reason}" for one in failed)
            raise ShimError(f"strict: {told}", name=failed[0].module)

    def rows(self, name: str) -> list[Shim]:
        """Return the rows of a module in plan order."""
        order = {shim_id: rank for rank, shim_id in enumerate(self.planned)}
        return sorted(self.registry.of_module(name), key=lambda shim: order[shim.id])

    def _group(self, shim: Shim) -> list[Shim]:
        rows = self.registry.shims if shim.group else (shim,)
        return [one for one in rows if one.group == shim.group]

    def _step_aside(self, shim: Shim, module: ModuleType) -> None:
        """A module that is there is the real one, unless the journal says that it is ours."""
        if self.planned[shim.id].status is Status.PENDING and not self.journal.of(shim.id):
            told, seen = f"native: {shim.module} is there", {"module": file_of(module)}
            self.verdicts[shim.id] = Verdict(shim.id, Status.NOT_NEEDED, told, seen)

    def _reject(self, name: str, found: object) -> None:
        for shim in self.rows(name):
            if not shim.is_module and self.verdicts[shim.id].status is Status.PENDING:
                told = f"sys.modules[{name!r}] is a {type(found).__name__}, no module"
                self.verdicts[shim.id] = Verdict(shim.id, Status.GATED, told)

    def _settle(self, seeds: Seeds) -> None:
        """Keep the seeds that the body left alone; where it defined the name, the body wins."""
        for entry in seeds.entries:
            if entry.in_place():
                self.journal.add([entry])
            else:
                told = f"native: the body of {entry.slot} defines it"
                self.verdicts[entry.shim] = Verdict(entry.shim, Status.NOT_NEEDED, told)

    def _apply_unit(self, unit: list[Shim], module: ModuleType) -> None:
        transaction = Transaction()
        current = unit[0]
        builders = []
        try:
            for current in unit:
                builders += [self._prepare(current, module)]
            with transaction:
                for current, builder in zip(unit, builders, strict=True):
                    if builder is not None:
                        self._apply_one(current, module, builder, transaction)
        except Exception as error:  # noqa: BLE001  # shims' code may raise anything; it is shown
            self.fail(current, error, transaction.residue)
        else:
            self._commit(transaction)

    def _commit(self, transaction: Transaction) -> None:
        """Keep what was patched, unless a shim's code has uninstalled us meanwhile."""
        if self.closed:
            transaction.rollback()
        else:
            self.journal.add(transaction.entries)

    def _prepare(self, shim: Shim, module: ModuleType) -> building.Builder | None:
        """Return the shim's builder where gates and needs let it through, else None."""
        if (refused := self.gate(shim)) is not None:
            self.verdicts[shim.id] = refused
            return None
        slot = find_slot(shim, module)
        if slot is not None and self._has(shim, slot):
            self._export_again(shim, slot)
            return None
        if (spec := building.unfinished_parent(shim)) is not None:
            when_imported(spec, partial(self._apply_later, shim.module))
            return None
        consumer = shim.probe.get("of", "").partition(":")[0]
        if consumer.partition(".")[0] == shim.module.partition(".")[0]:  # imported already
            with contextlib.suppress(ImportError):  # the probe will say that it is not there
                importlib.import_module(consumer)
        try:
            return building.prepare(shim, self.facts.version_of_module(shim.module))
        except building.NotYetError as error:
            when_imported(error.args[0], partial(self._apply_later, shim.module))
            return None

    def _apply_later(self, name: str) -> None:
        if not self.closed:
            self.apply(name)

    def _has(self, shim: Shim, slot: Slot) -> bool:
        """Whether the shim is in place, in the module itself or served by its lazy class."""
        return any(self.journal.has(shim.id, one) for one in (slot, *lazy.class_slots(slot)))

    def _export_again(self, shim: Shim, slot: Slot) -> None:
        """A reload leaves an added name in place but fills ``__all__`` anew."""
        transaction = Transaction()
        placing.export(shim, slot, transaction)
        self._commit(transaction)

    def gate(self, shim: Shim) -> Verdict | None:
        """Return the verdict that keeps ``shim`` out, or None where it may go on to its probe."""
        planned, known = self.planned[shim.id], self.verdicts[shim.id]
        if planned.status is not Status.PENDING:
            return planned
        if known.status is Status.FAILED:
            return known
        verdict = gates.judge(shim, self.facts)
        untold = [name for name, seen in verdict.evidence.items() if seen == UNTOLD.origin]
        if verdict.status is Status.PENDING and untold:
            told = f"the version of {' and '.join(untold)} cannot be told before its import"
            return Verdict(shim.id, Status.GATED, told, verdict.evidence)
        if verdict.status is not Status.PENDING:
            return verdict
        return needs_verdict(shim, self.verdicts)

    def _apply_one(
        self, shim: Shim, module: ModuleType, builder: building.Builder, transaction: Transaction
    ) -> None:
        started = time.perf_counter()
        verdict = self._probe_and_patch(shim, module, builder, transaction)
        self.verdicts[shim.id] = replace(verdict, seconds=time.perf_counter() - started)
        logger.debug("shim %s", verdict)

    def _probe_and_patch(
        self, shim: Shim, module: ModuleType, builder: building.Builder, transaction: Transaction
    ) -> Verdict:
        evidence = building.evidence_of(shim, module, self.facts)
        slot = find_slot(shim, module)
        if slot is None:
            told = f"{shim.attach.rpartition('.')[0]} does not exist here"
            return Verdict(shim.id, Status.GATED, told, evidence)
        ctx = building.context_of(shim, module, slot, self.facts, transaction)
        if refused := self._probe(shim, slot, ctx, evidence):
            return refused
        original = content(slot)
        try:
            made = building.build(shim, builder, original, ctx, self.guards, evidence)
        except NotProvedError as error:
            return Verdict(shim.id, Status.GATED, str(error), {**evidence, "proof": str(error)})
        if shim.rebind:
            transaction.effect(shim.id, partial(placing.give_back, made, original))
        placing.place(shim, slot, made, transaction)
        if shim.rebind:
            evidence["rebound"] = placing.rebind(shim, original, made, transaction)
        return Verdict(shim.id, Status.APPLIED, _told(shim), evidence)

    def _probe(
        self, shim: Shim, slot: Slot, ctx: Context, evidence: dict[str, Any]
    ) -> Verdict | None:
        for filler in self.journal.fillers(slot):
            evidence["filled by"] = filler
        verdict = probe(shim, slot, asked_by_id(self.selection, shim), evidence)
        if verdict is not None:
            if verdict.status is Status.CONFLICT:
                logger.warning("shim %s was not applied: %s", shim.id, verdict.reason)
            return verdict
        check = building.behavioural_probe(shim)
        return judge_check(shim, check(ctx), evidence) if check else None

    def _unseed(self, shims: set[str]) -> None:
        """The body raised: its seeds are gone, and their shims wait again."""
        self.verdicts |= {shim_id: self.planned[shim_id] for shim_id in shims}

    def _seed_one(self, shim: Shim, module: ModuleType, seeds: Transaction) -> None:
        slot = Slot(module, shim.qualname)
        if self.gate(shim) is not None or self.journal.has(shim.id, slot):
            return
        evidence = building.evidence_of(shim, module, self.facts)
        if refused := probe_elsewhere(shim, evidence):
            self.verdicts[shim.id] = refused
            return
        builder = building.prepare(shim, self.facts.version_of_module(shim.module))
        ctx = building.context_of(shim, module, slot, self.facts, seeds)
        made = building.build(shim, builder, MISSING, ctx, self.guards, evidence)
        seeds.patch(shim.id, slot, made)
        self.verdicts[shim.id] = Verdict(shim.id, Status.APPLIED, _told(shim), evidence)


def _told(shim: Shim) -> str:
    return f"{shim.action}{', ' if shim.fidelity else ''}{shim.fidelity}: {shim.why}"
