"""Checks of a pack's rows: each function that is replaced is called, beside its original.

The row's own ``cases`` are the input. What counts is what a caller gets: the guarded function that
stands in the module, and the original that the journal keeps.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from shimhub import building
from shimhub.attach import content, find_slot, module_exists
from shimhub.compat.checking import Check
from shimhub.errors import UntestedError
from shimhub.hub import Hub
from shimhub.model import Shim, Status, Verdict
from shimhub.patching import Patch, Transaction
from shimhub.probing import plain
from shimhub.proving import run_cases


def checks_of(pack: str, title: str, hub: Hub) -> tuple[list[Check], list[str]]:
    """Return a check for each row of a pack that replaces something, and what is for others.

    The rows' modules are imported on the way. Rows for versions that are not here are no checks.
    """
    checks: list[Check] = []
    others: list[str] = []
    for shim in hub.engine.registry.shims:
        if pack not in shim.packs or not shim.replaces or shim.retired:
            continue
        told = _other(shim, hub) or _import(shim)
        verdict = hub.verdicts()[shim.id]
        if told or _is_elsewhere(verdict):
            others.append(f"{shim.id}: {told or verdict.reason}")
        else:
            checks.append((f"{title}: {shim.attach}", partial(_check, shim, hub)))
    return checks, others


def _other(shim: Shim, hub: Hub) -> str:
    """Return why the row is for other versions than those that are here; empty if it is not."""
    planned = hub.engine.planned[shim.id]
    return planned.reason if planned.status is Status.GATED else ""


def _import(shim: Shim) -> str:
    """Import the row's module; returns why it is for others, where there is no such module.

    A module that is there and cannot be imported is a matter for the check.
    """
    if not module_exists(shim.module.partition(".")[0]):
        return f"{shim.module.partition('.')[0]} is not installed"
    try:
        importlib.import_module(shim.module)
    except ModuleNotFoundError as error:
        if error.name and f"{shim.module}.".startswith(f"{error.name}."):
            return f"there is no {error.name} here"
    except Exception:  # noqa: BLE001, S110  # as any import may; the check imports again and tells
        pass
    return ""


def _is_elsewhere(verdict: Verdict) -> bool:
    """Whether the module has no such name: another version's."""
    return verdict.status is Status.GATED and " does not exist here" in verdict.reason


def _check(shim: Shim, hub: Hub) -> str:
    importlib.import_module(shim.module)
    verdict = hub.verdicts()[shim.id]
    assert verdict.status not in (Status.FAILED, Status.CONFLICT), verdict.reason
    assert verdict.status is Status.APPLIED or "proof" not in verdict.evidence, verdict.reason
    if verdict.status is not Status.APPLIED:
        raise UntestedError(f"not replaced: {verdict.reason}")
    if not shim.proof:
        raise UntestedError("replaced, and there are no cases to compare it on")
    return _compared(shim, hub)


def _compared(shim: Shim, hub: Hub) -> str:
    module = importlib.import_module(shim.module)
    slot = find_slot(shim, module)
    assert slot is not None, f"{shim.attach} is gone"
    patches = [one for one in hub.engine.journal.of(shim.id) if isinstance(one, Patch)]
    original = next(one.original for one in patches if one.slot.same(slot))
    ctx = building.context_of(shim, module, slot, hub.engine.facts, Transaction())
    cases = list(building.cases_of(shim)(ctx))
    before = _declined(shim, hub)
    differs, told = run_cases(plain(original), plain(content(slot)), cases)
    assert not differs, told
    declined = _declined(shim, hub) - before
    if declined >= len(cases):
        raise UntestedError("replaced, and it left every case to the original")
    left = f", {declined} of them by the original itself" if declined else ""
    return f"replaced, and {told}{left}"


def _declined(shim: Shim, hub: Hub) -> int:
    stats: Any = hub.guards.stats().get(shim.id)
    return sum(stats.fallbacks.values()) if stats else 0


def untested_of(pack: str, hub: Hub) -> Iterator[str]:
    """Yield why nothing of a pack could be tested: the packages that it replaces parts of."""
    modules = {
        one.module.partition(".")[0]
        for one in hub.engine.registry.shims
        if pack in one.packs and one.replaces
    }
    yield from (f"{name} is not installed" for name in sorted(modules) if not module_exists(name))
