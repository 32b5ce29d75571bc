"""The hub: the only state of this process. Everything else is data or a function."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from shimhub import generated, paths, records
from shimhub.apply import logger
from shimhub.config import Config
from shimhub.engines import changed_between, empty_engine, engine_of, left_in_place, registry_of
from shimhub.environment import file_of, namespace
from shimhub.errors import ShimError
from shimhub.finder import CANARY, Finder, real_spec
from shimhub.guard import Guards
from shimhub.lazy import is_unrun
from shimhub.loader import hook_exec
from shimhub.model import Shim, Status, Verdict, Verdicts
from shimhub.patching import HOUSE, MISSING, Journal, Patch, Slot
from shimhub.placing import Seeds
from shimhub.probing import probe_elsewhere
from shimhub.watch import fire_if_ended, is_initializing, wait_for_others, when_imported


class Hub:
    """Finder, journal and verdicts of this process, and what is done with them."""

    def __init__(self) -> None:
        self.finder = Finder({}, self)
        self.children = generated.AliasChildren(self._serve)
        self.config: Config | None = None
        self.guards = Guards()
        self.guards.on_event = self.tell_event
        self.engine = empty_engine(Journal(), self.guards)
        self.record: records.Record | None = None
        self._running: dict[str, object] = {}
        self._again: set[str] = set()
        self._ending = 0

    # -- installing -----------------------------------------------------------------------------

    def configure(self, config: Config) -> None:
        """Make the process what ``config`` says, and revert what only an earlier one wanted.

        Raises RegistryError and SelectionError before any change.
        """
        self.prepare(config)
        self.apply_loaded()

    def prepare(self, config: Config) -> None:
        """Take over ``config`` and revert what it does not want; no code of a shim runs here."""
        registry = registry_of(config)
        old = self.engine
        engine = engine_of(config, old.journal, registry, self.guards)
        left = self._revert(changed_between(old, engine))
        applied = {entry.shim for entry in old.journal.entries} - {HOUSE}
        engine.verdicts |= {one: old.verdicts[one] for one in applied} | left_in_place(left)
        old.closed = True
        self.engine, self.config, self.guards.strict = engine, config, config.strict
        self.record = self.record or records.begin(os.environ, registry.digest)
        self._insert_finder()

    def remove(self) -> dict[str, str]:
        """Revert everything and leave ``sys.meta_path``; returns what could not be reverted."""
        left = self._revert(None)
        self.finder.leave()
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self.children)
        self.config = None
        old, old.closed = self.engine, True
        self.engine = empty_engine(old.journal, self.guards)
        self.engine.verdicts = left_in_place(left)
        return left

    def _revert(self, shims: frozenset[str] | None) -> dict[str, str]:
        left, _ = self.engine.journal.revert(shims)
        for shim_id, reason in left.items():
            logger.warning("shim %s was not reverted: %s", shim_id, reason)
        still = {entry.shim for entry in self.engine.journal.entries}
        packages = self.children.packages
        for old in [old for old, shim in packages.items() if shim.id not in still]:
            del packages[old]
        return left

    def _insert_finder(self) -> None:
        live = [shim for shim in self.engine.registry.shims if not shim.retired]
        early = {shim.module for shim in live if shim.phase == "pre"}
        self.finder.names = {shim.module: shim.module in early for shim in live} | {CANARY: False}
        self.finder.enter()

    def apply_loaded(self) -> None:
        """Patch what is imported already; raises ShimError in strict mode, with all undone."""
        by_id = self.engine.registry.by_id
        names = dict.fromkeys(by_id[shim_id].module for shim_id in self.engine.planned)
        try:
            for name in names:
                wait_for_others(name)
                module = sys.modules.get(name)
                spec: Any = namespace(module).get("__spec__")
                if is_unrun(module):
                    hook_exec(spec, self, self.finder.names[name])
                elif is_initializing(spec):
                    when_imported(spec, partial(self._after_watch, name))
                    fire_if_ended(spec)
                elif module is not None:
                    self.apply(name)
        except ShimError:
            self.remove()
            raise

    # -- what the finder asks -------------------------------------------------------------------

    def give_up(self, error: Exception) -> None:
        """Say that a target comes unpatched, as a part of shimhub cannot be imported any more.

        Raises ``error`` in strict mode.
        """
        if self.config is not None and self.config.strict:
            raise error
        logger.warning("a module was imported without its shims: %s", error)

    def generate(self, fullname: str) -> ModuleSpec | None:
        """Return the spec of the module that a row serves under ``fullname``, or None."""
        if fullname == CANARY:
            return ModuleSpec(CANARY, None, origin=__file__)
        if self.config is None:
            return None
        self.engine.replan(fullname)
        rows = [shim for shim in self.engine.rows(fullname) if shim.is_module]
        return next((self._serve(shim) for shim in rows if self._may_generate(shim)), None)

    def before_exec(self, fullname: str, module: ModuleType) -> Seeds | None:
        """Seed a module whose body is about to run."""
        return self.engine.seed(fullname, module) if self.config else None

    def after_exec(self, fullname: str, module: ModuleType, seeds: Any) -> None:
        """Patch what now stands in ``sys.modules``, which need not be ``module``."""
        self.apply(fullname, seeds, has_run=True)

    def apply(self, name: str, seeds: Seeds | None = None, has_run: bool = False) -> None:
        """Apply the rows of a loaded module, once at a time a module.

        A call that comes while another one runs (a second thread, a reload from a shim's own
        code) makes that one run again: nothing is lost, nobody waits.
        """
        token = object()
        self._again.add(name)
        while name in self._again and self._running.setdefault(name, token) is token:
            try:
                self._again.discard(name)
                if self.config is not None:
                    self.engine.apply(name, seeds, has_run)
            finally:
                self._tell()
                seeds, has_run = None, False
                self._running.pop(name, None)

    def _tell(self) -> None:
        if self.record is not None:
            self.record.tell_shims(self.engine.verdicts, self.engine.registry.digest)

    def tell_event(self, shim_id: str, kind: str, reason: str) -> None:
        """Write into the record of this process what a shim did."""
        if self.record is not None:
            self.record.tell_event(kind, shim_id, reason)
            if self._ending != os.getpid():
                self._ending = os.getpid()
                records.at_end(self._tell_totals)

    def _tell_totals(self) -> None:
        if self.record is not None:
            self.record.tell_totals(self.guards.stats())

    def forget_threads(self) -> None:
        """After a fork: nobody applies here what other threads did; calls are counted anew."""
        self._running.clear()
        self._again.clear()
        self.guards.forget()

    def _after_watch(self, name: str) -> None:
        try:
            if name in sys.modules:
                self.apply(name)
        except ShimError:
            sys.modules.pop(name, None)
            raise

    def _may_generate(self, shim: Shim) -> bool:
        self.engine.retry(shim)
        refused = self.engine.gate(shim) or probe_elsewhere(shim, {})
        if refused is not None:
            self.engine.verdicts[shim.id] = refused
        return refused is None

    def _serve(self, shim: Shim) -> ModuleSpec:
        prefix = shim.module + "."
        is_package = any(name.startswith(prefix) for name in self.engine.registry.modules)
        version = self.engine.facts.version_of_module(shim.module)
        spec = generated.make_spec(shim, is_package, version)
        generated.guard_exec(spec, shim, partial(self._served, shim), self.engine.fail)
        return spec

    def _served(self, shim: Shim, module: ModuleType) -> None:
        final = sys.modules.get(shim.module, module)
        entries = [Patch(shim.id, Slot(sys.modules, shim.module), MISSING, final)]
        parent, _, child = shim.module.rpartition(".")
        if parent in sys.modules:
            # importlib binds the child in its parent right after this.
            place = Slot(sys.modules[parent], child)
            entries.append(Patch(shim.id, place, place.get(), final))
        if shim.action == "alias":
            self._serve_children(shim, final)
        self.engine.journal.add([*entries])
        told, seen = f"{shim.action}: {shim.why}", {"module": file_of(final)}
        self.engine.verdicts[shim.id] = Verdict(shim.id, Status.APPLIED, told, seen)
        self.apply(shim.module)

    def _serve_children(self, shim: Shim, final: ModuleType) -> None:
        if "__path__" in namespace(final):
            self.children.packages[shim.module] = shim
            if self.children not in sys.meta_path:
                sys.meta_path.insert(0, self.children)

    # -- answering ------------------------------------------------------------------------------

    def is_active(self) -> bool:
        """Whether imports come by our finder: proved by whose canary is found."""
        try:
            spec = real_spec(None, CANARY, [paths.PACKAGE_DIR], None)
        except Exception:  # noqa: BLE001  # a foreign finder before us may raise anything
            return False
        return self.config is not None and spec is not None and spec.origin == __file__

    def verdicts(self) -> Verdicts:
        """Return the verdicts as they stand."""
        items = tuple(map(self.guards.told, self.engine.verdicts.values()))
        return Verdicts(items, self.is_active(), self.engine.registry.digest)


_HUB = Hub()
_ADOPTING = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_HUB.forget_threads)


def current() -> Hub:
    """Return this process's hub, with what start-up installed taken over."""
    for finder in list(sys.meta_path):
        if isinstance(finder, Finder) and finder is not _HUB.finder:
            finder.handler.adopt()  # type: ignore[attr-defined]
    return _HUB


def adopt(
    booted: Finder, config: Config, seen: Sequence[str], record: records.Record | None
) -> Hub:
    """Take over from the finder that start-up inserted; ``seen`` ran before the hub was there.

    Threads that come at once take over once; no shim's code runs under the lock.
    """
    with _ADOPTING:
        is_first = booted.handler is not _HUB
        if is_first:
            # The very same finder: whoever walks sys.meta_path now would skip an entry, were
            # one removed before it.
            _HUB.finder, booted.handler = booted, _HUB
            _HUB.record = _HUB.record or record
            _HUB.prepare(config)
    if is_first:
        _HUB.apply_loaded()
    for name in seen:
        if name in sys.modules:
            _HUB.apply(name)
    return _HUB
