"""``compat``: each feature of a pack, really tested in this environment.

A pack's own checks are in the file that its ``compat`` names: ``checks()`` yields features and
functions (see ``checking.Check``), ``facts()`` lines about the environment, ``prepare()`` runs
before anything is imported, and ``ROWS`` is what the comparison of its replacements is called.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType

from shimhub import __version__, api, building
from shimhub.compat import checking, rows
from shimhub.compat.checking import Check, Outcome
from shimhub.config import config_of
from shimhub.engines import registry_of
from shimhub.errors import SelectionError, UntestedError, nearest
from shimhub.hub import Hub, current
from shimhub.model import Pack, Shim


@dataclass
class Report:
    """What ``compat`` saw: the environment, outcomes in order, and rows for other versions."""

    packs: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code: 1 where something failed, 4 where something was not tested."""
        found = checking.counts(self.outcomes)
        if found[checking.FAIL]:
            return 1
        return 0 if found[checking.PASS] and not found[checking.UNTESTED] else 4


def packs_of(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the packs to test: those asked for, else all that have checks.

    Raises SelectionError, with the nearest name, for a word that is no pack.
    """
    registry = registry_of(config_of(None, None, None, None, False, os.environ))
    for name in asked:
        if name not in registry.packs:
            hint = nearest(name, registry.packs)
            raise SelectionError(f"there is no pack {name!r}{hint}; `shimhub list` shows them")
    return tuple(asked) or tuple(name for name, one in registry.packs.items() if one.compat)


def examine(packs: Sequence[str]) -> Report:
    """Install the hub, and make the checks of ``packs``, with their output on stderr.

    What is installed stays so: call it in a process of its own. Raises what ``install`` raises.
    """
    report = Report(tuple(packs))
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        registry = registry_of(config_of(None, None, None, None, False, os.environ))
        files = {name: _load(registry.packs[name]) for name in packs}
        for module in files.values():
            checking.call(module, "prepare", None)
        api.install(enable=[name for name in packs if registry.matching(name)])
        report.environment = _environment(list(files.values()))
        for name, module in files.items():
            checks, others = _checks(name, module, current())
            report.outcomes += map(checking.run, checks)
            report.others += others
    return report


def _load(pack: Pack) -> ModuleType | None:
    """Execute the file of a pack's own checks; None where it has none."""
    if not pack.compat:
        return None
    beside = Shim(pack.name, "", "", pack.summary, pack.file)
    return building.load_code(beside, os.path.join(os.path.dirname(pack.file), pack.compat))


def _environment(files: Sequence[ModuleType | None]) -> dict[str, str]:
    told = {
        "Platform": f"{platform.system()} {platform.machine()}",
        "Python Version": platform.python_version(),
        "shimhub Version": __version__,
    }
    for module in files:
        told |= checking.call(module, "facts", {})
    return told


def _checks(pack: str, module: ModuleType | None, hub: Hub) -> tuple[list[Check], list[str]]:
    own: list[Check] = list(checking.call(module, "checks", ()))
    title = getattr(module, "ROWS", pack)
    found, others = rows.checks_of(pack, title, hub)
    if others and not found and not own:
        told = next(rows.untested_of(pack, hub), others[0])
        found = [(title, lambda: _untested(told))]
    return [*own, *found], others


def _untested(told: str) -> str:
    raise UntestedError(told)


def lines_of(report: Report, title: str) -> Iterator[str]:
    """Yield the report as text, in the form that the documentation of fast-axolotl shows."""
    yield from _headed(f"{title} Compatibility Test Suite", "=")
    yield from ("", "Gathering environment information...")
    yield from (f"  {name}: {told}" for name, told in report.environment.items())
    yield ""
    yield from _headed("Running compatibility tests...", "-")
    for one in report.outcomes:
        yield from ("", f"[{one.feature}]", f"  {_WORDS[one.status]}: {one.told}")
    yield ""
    yield from _headed(f"Compatibility test complete: {total(report)}", "=")


_WORDS = {
    checking.PASS: "Tested PASS",
    checking.FAIL: "Tested FAIL",
    checking.UNTESTED: "Not tested",
}


def _headed(text: str, rule: str) -> Iterator[str]:
    yield from (rule * 60, text, rule * 60)


def total(report: Report) -> str:
    """Return the last line: how many passed, failed and were not tested."""
    found = checking.counts(report.outcomes)
    told = f"{found[checking.PASS]}/{len(report.outcomes)} tests passed"
    told += f", {found[checking.FAIL]} failed" if found[checking.FAIL] else ""
    return told + (f", {found[checking.UNTESTED]} not tested" if found[checking.UNTESTED] else "")
