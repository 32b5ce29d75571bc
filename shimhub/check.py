"""Hygiene of registry and disk: what a packaged row owes its reader, and folders without rows."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from typing import Any

from shimhub.attach import module_exists
from shimhub.environment import installed_modules
from shimhub.errors import nearest
from shimhub.model import Problem, Shim
from shimhub.paths import shims_dir
from shimhub.planning import order_of
from shimhub.registry import Registry, folder_of

_CITE = "cite the change that makes it needed, as https://…"


def problems(table: Mapping[str, Any]) -> list[Problem]:
    """Return the findings about a valid registry table, in order of rows and then folders."""
    registry = Registry.from_table(table)
    found = [problem for shim in registry.shims for problem in (*_row(shim), *_typos(shim))]
    for shim_id, told in order_of(registry)[1].items():
        row = registry.by_id[shim_id]
        found.append(_problem(row, "to" if row.to else "after", told))
    return found + list(_orphans(registry))


def _row(shim: Shim) -> Iterator[Problem]:
    if shim.retired:
        if os.path.isdir(folder_of(shim)):
            yield _problem(shim, "retired", f"delete its folder {folder_of(shim)}")
        return
    if shim.named_by_user:
        return
    owed = [
        ("upstream", shim.upstream.startswith("https://"), _CITE),
        ("when", _is_gated(shim), "needs a gate (`when`) or a probe"),
        ("retire", shim.retire, "say when it can go: '<target><specifier>' or 'never: …'"),
        ("fidelity", shim.fidelity or not shim.replaces, "say 'exact' or 'lossy'"),
        ("id", _tests_of(shim), f"has no test; add {folder_of(shim)}/test_<name>.py"),
    ]
    yield from (_problem(shim, key, message) for key, is_paid, message in owed if not is_paid)


def _is_gated(shim: Shim) -> bool:
    return bool(shim.when or shim.probe or shim.check or shim.fingerprints)


def _tests_of(shim: Shim) -> list[str]:
    return glob.glob(os.path.join(glob.escape(folder_of(shim)), "test_*.py"))


def _typos(shim: Shim) -> Iterator[Problem]:
    """Yield a finding where the user's row waits for a module that only nearly exists."""
    top = shim.module.partition(".")[0]
    if shim.named_by_user and not shim.retired and not module_exists(top):
        hint = nearest(top, installed_modules())
        if hint:
            yield _problem(shim, "attach", f"there is no module {top!r} here{hint}")


def _orphans(registry: Registry) -> Iterator[Problem]:
    """Yield folders under ``shims/`` with code that no row of the registry beside them has."""
    for file in sorted({shim.file for shim in registry.shims}):
        owned = {folder_of(shim) for shim in registry.shims if shim.file == file}
        for folder, _, names in sorted(os.walk(shims_dir(file))):
            if {"shim.py", "module.py"} & set(names) and folder not in owned:
                yield Problem(folder, 0, "folder", "has code but no row; add one or delete it")


def _problem(shim: Shim, key: str, message: str) -> Problem:
    return Problem(shim.file, shim.line, f"{shim.id}: {key}", message)
