"""Apply the rows of one module: gates again, probes, then one transaction a group.

The engine changes targets and its journal; what it decided it writes into ``verdicts``. No lock
is held here: shims' code may import and start threads.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from shimhub import building, gates
from shimhub.attach import content, find_slot, lookup
from shimhub.environment import Environment, namespace
from shimhub.errors import ShimError
from shimhub.model import Context, Selection, Shim, Status, Verdict
from shimhub.patching import MISSING, Journal, Slot, Transaction
from shimhub.plan import needs_verdict
from shimhub.probing import judge_check, probe
from shimhub.rebind import bound_slots
from shimhub.registry import Registry
from shimhub.select import asked_by_id

logger = logging.getLogger("shimhub")

_ADDS = ("add", "alias", "placeholder")


@dataclass
class Engine:
    """What applying reads (registry, selection, facts) and writes (journal, verdicts)."""

    registry: Registry
    selection: Selection
    facts: Environment
    journal: Journal
    planned: dict[str, Verdict]
    verdicts: dict[str, Verdict]
    strict: bool = False

    def apply(self, name: str, seeds: Transaction | None = None) -> None:
        """Patch module ``name`` as it stands in ``sys.modules``.

        Raises ShimError in strict mode when a shim failed, after rolling its group back.
        """
        module = sys.modules.get(name)
        if not isinstance(module, ModuleType):
            self._reject(name, module)
            return
        self.journal.forget_overwritten(module)
        if seeds is not None:
            self._settle(seeds)
        rows = self.rows(name)
        for shim in rows:
            if shim.is_module:
                self._step_aside(shim, module)
        for unit in _units([shim for shim in rows if not shim.is_module]):
            self._apply_unit(unit, module)
        self.raise_if_strict(rows)

    def seed(self, name: str, module: ModuleType) -> Transaction | None:
        """Put the rows of ``phase = "pre"`` into the namespace of a module about to run."""
        rows = [shim for shim in self.rows(name) if shim.phase == "pre"]
        seeds = Transaction()
        for shim in rows:
            try:
                self._seed_one(shim, module, seeds)
            except Exception as error:  # noqa: BLE001  # as in _apply_unit
                self.fail(shim, error)
        self.raise_if_strict(rows)
        return seeds if seeds.entries else None

    def fail(self, shim: Shim, error: Exception) -> None:
        """Roll back the group of ``shim`` everywhere and write down why."""
        group = self._group(shim)
        left = self.journal.revert(frozenset(one.id for one in group))
        told = f"{type(error).__name__}: {error}"
        for one in group:
            reason = told if one is shim else f"rolled back with {shim.id}: {told}"
            reason += f"; {left[one.id]}" if one.id in left else ""
            is_live = self.verdicts[one.id].status in (Status.APPLIED, Status.PENDING)
            if one is shim or is_live:
                self.verdicts[one.id] = Verdict(one.id, Status.FAILED, reason)
        logger.warning("shim %s failed and was rolled back: %s", shim.id, told)

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
        if not shim.group:
            return [shim]
        return [one for one in self.registry.shims if one.group == shim.group]

    def _step_aside(self, shim: Shim, module: ModuleType) -> None:
        """A module that is there is the real one, unless the journal says that it is ours."""
        if self.planned[shim.id].status is Status.PENDING and not self.journal.of(shim.id):
            file = namespace(module).get("__file__") or repr(module)
            told = f"native: {shim.module} is there"
            self.verdicts[shim.id] = Verdict(shim.id, Status.NOT_NEEDED, told, {"module": file})

    def _reject(self, name: str, found: object) -> None:
        for shim in self.rows(name):
            if not shim.is_module and self.verdicts[shim.id].status is Status.PENDING:
                told = f"sys.modules[{name!r}] is {found!r}, which is no module"
                self.verdicts[shim.id] = Verdict(shim.id, Status.GATED, told)

    def _settle(self, seeds: Transaction) -> None:
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
            self.fail(current, error)
        else:
            self.journal.add(transaction.entries)

    def _prepare(self, shim: Shim, module: ModuleType) -> building.Builder | None:
        """Return the shim's builder where gates and needs let it through, else None."""
        refused = self.gate(shim)
        if refused is not None:
            self.verdicts[shim.id] = refused
            return None
        slot = find_slot(shim, module)
        if slot is not None and self.journal.has(shim.id, slot):
            return None
        return building.prepare(shim)

    def gate(self, shim: Shim) -> Verdict | None:
        """Return the verdict that keeps ``shim`` out, or None where it may go on to its probe.

        A group that failed stays failed until the next install; a lone shim gets another try
        when its module runs again.
        """
        planned, known = self.planned[shim.id], self.verdicts[shim.id]
        if planned.status is not Status.PENDING:
            return planned
        if known.status is Status.FAILED and shim.group:
            return known
        verdict = gates.judge(shim, self.facts)
        if verdict.status is not Status.PENDING:
            return verdict
        return needs_verdict(shim, self.verdicts)

    def _apply_one(
        self, shim: Shim, module: ModuleType, builder: building.Builder, transaction: Transaction
    ) -> None:
        started = time.perf_counter()
        verdict = self._probe_and_patch(shim, module, builder, transaction)
        self.verdicts[shim.id] = replace(verdict, seconds=time.perf_counter() - started)

    def _probe_and_patch(
        self, shim: Shim, module: ModuleType, builder: building.Builder, transaction: Transaction
    ) -> Verdict:
        evidence = self._evidence(shim, module)
        slot = find_slot(shim, module)
        if slot is None:
            told = f"{shim.attach.rpartition('.')[0]} does not exist here"
            return Verdict(shim.id, Status.GATED, told, evidence)
        ctx = self._context(shim, module, slot, transaction)
        if refused := self._probe(shim, slot, ctx, evidence):
            return refused
        original = content(slot)
        made = building.build(shim, builder, original, ctx)
        _place(shim, slot, made, transaction)
        if shim.rebind and original is not MISSING:
            evidence["rebound"] = _rebind(shim, original, made, transaction)
        return Verdict(shim.id, Status.APPLIED, _told(shim), evidence)

    def _probe(
        self, shim: Shim, slot: Slot, ctx: Context, evidence: dict[str, Any]
    ) -> Verdict | None:
        verdict = probe(shim, slot, asked_by_id(self.selection, shim), evidence)
        if verdict is not None:
            if verdict.status is Status.CONFLICT:
                logger.warning("shim %s was not applied: %s", shim.id, verdict.reason)
            return verdict
        check = building.behavioural_probe(shim)
        return judge_check(shim, check(ctx), evidence) if check else None

    def _evidence(self, shim: Shim, module: ModuleType) -> dict[str, Any]:
        evidence = dict(gates.judge(shim, self.facts).evidence)
        evidence["module"] = namespace(module).get("__file__") or repr(module)
        if told := gates.obsolete(shim, self.facts):
            evidence["retire"] = told
        if shim.overrides:
            evidence["overrides"] = shim.overrides
        return evidence

    def _context(
        self, shim: Shim, module: ModuleType, slot: Slot, transaction: Transaction
    ) -> Context:
        return Context(
            shim=shim.id,
            module=module,
            owner=slot.owner,
            name=slot.name,
            version=self.facts.version,
            on_revert=lambda undo: transaction.effect(shim.id, undo),
        )

    def _seed_one(self, shim: Shim, module: ModuleType, seeds: Transaction) -> None:
        if self.gate(shim) is not None:
            return
        builder = building.prepare(shim)
        slot = Slot(module, shim.qualname)
        ctx = self._context(shim, module, slot, seeds)
        seeds.patch(shim.id, slot, building.build(shim, builder, MISSING, ctx))
        evidence = self._evidence(shim, module)
        told = "seeded before the module's body runs"
        self.verdicts[shim.id] = Verdict(shim.id, Status.APPLIED, told, evidence)


def _units(rows: list[Shim]) -> Iterator[list[Shim]]:
    """Yield the rows that stand or fall together, in the order of their first members."""
    done: set[str] = set()
    for shim in rows:
        if not shim.group:
            yield [shim]
        elif shim.group not in done:
            done.add(shim.group)
            yield [one for one in rows if one.group == shim.group]


def _place(shim: Shim, slot: Slot, made: Any, transaction: Transaction) -> None:
    transaction.patch(shim.id, slot, made)
    if not isinstance(slot.owner, ModuleType):
        return
    if shim.export and "__all__" in namespace(slot.owner):
        exported = Slot(slot.owner, "__all__")
        transaction.patch(shim.id, exported, [*exported.get(), slot.name])
    if shim.action in _ADDS:
        _serve_lazily(shim, slot, made, transaction)


def _serve_lazily(shim: Shim, slot: Slot, made: Any, transaction: Transaction) -> None:
    """Let a lazy module's class know the name too.

    transformers 5 executes its ``__init__`` again outside ``sys.meta_path`` and puts a new lazy
    module into ``sys.modules``; what was added to the first instance would be lost
    (``transformers.utils.import_utils.direct_transformers_import``).
    """
    kind = type(slot.owner)
    inner = lookup(kind, "__getattr__")
    if kind is ModuleType or inner is MISSING:
        return
    if not hasattr(inner, "shimhub_names"):
        inner = _lazy_getattr(inner, {})
        transaction.patch(shim.id, Slot(kind, "__getattr__"), inner)
    key = (namespace(slot.owner)["__name__"], slot.name)
    transaction.patch(shim.id, Slot(inner.shimhub_names, key), made)


def _lazy_getattr(original: Any, names: dict[Any, Any]) -> Any:
    def __getattr__(self: Any, name: str) -> Any:  # noqa: N807  # it becomes the class's
        try:
            return original(self, name)
        except AttributeError:
            key = (namespace(self).get("__name__"), name)
            if key not in names:
                raise
            return names[key]

    __getattr__.shimhub_names = names  # type: ignore[attr-defined]
    return __getattr__


def _rebind(shim: Shim, original: Any, made: Any, transaction: Transaction) -> list[str]:
    slots = list(bound_slots(original))
    for slot in slots:
        transaction.patch(shim.id, slot, made)
    return [str(slot) for slot in slots]


def _told(shim: Shim) -> str:
    proof = {"exact": ", exact", "lossy": ", lossy"}.get(shim.fidelity, "")
    return f"{shim.action}{proof}: {shim.why}"
