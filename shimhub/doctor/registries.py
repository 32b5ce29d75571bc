"""Registries: errors, untidiness, rows that are obsolete, hidden or in each other's way."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping

from shimhub import check, compiled, gates
from shimhub.config import Config
from shimhub.doctor.finding import Finding, edit, export, finding
from shimhub.environment import Environment
from shimhub.errors import RegistryError
from shimhub.model import Problem, Selection, Shim, Status, tuple_of
from shimhub.paths import packaged_registry, shims_dir
from shimhub.planning import make_plan
from shimhub.registry import Registry, Source


def read(sources: tuple[Source, ...]) -> tuple[Registry | None, list[Finding]]:
    """Return the registry with the findings about its files; None where it cannot be used.

    Whether the packaged registry is tidy is no matter of its users: `check` tells that.
    """
    try:
        table = compiled.load(sources)
    except RegistryError as error:
        return None, [_error(problem, sources) for problem in error.problems]
    packaged = (packaged_registry(), shims_dir(packaged_registry()) + os.sep)
    mine = [one for one in check.problems(table) if not one.file.startswith(packaged)]
    return Registry.from_table(table), [_untidy(one) for one in mine]


def _error(problem: Problem, sources: tuple[Source, ...]) -> Finding:
    told = [path for path, origin in sources if origin == "SHIMHUB_REGISTRY"]
    if problem.key == "file" and problem.file in map(os.path.abspath, told):
        left = [path for path in told if os.path.abspath(path) != problem.file]
        command = export("SHIMHUB_REGISTRY", left, os.pathsep)
    else:
        command = edit(problem.file, problem.line)
    return finding("SH401", f"{problem.key}: {problem.message}", _place(problem), command)


def _untidy(problem: Problem) -> Finding:
    told = f"{problem.key}: {problem.message}"
    folder, inside, _ = problem.file.rpartition(f"{os.sep}shims{os.sep}")
    command = edit(problem.file, problem.line)
    if inside and os.path.isdir(problem.file):
        aside = os.path.join(folder, os.path.basename(problem.file) + ".aside")
        command = shlex.join(["mv", problem.file, aside])
    return finding("SH402", told, _place(problem), command)


def _place(problem: Problem) -> str:
    return f"{problem.file}:{problem.line}" if problem.line else problem.file


def of_rows(registry: Registry, chosen: Selection, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield findings about rows that are obsolete, hidden, or in each other's way."""
    facts = Environment(registry.targets)
    plan = {verdict.id: verdict for verdict in make_plan(registry, chosen, facts)}
    for shim in registry.shims:
        place = f"{shim.file}:{shim.line}"
        told = "" if shim.retired else gates.obsolete(shim, facts)
        # A packaged row that is gated steps aside by itself: the facts count those.
        is_gated = not shim.named_by_user and plan[shim.id].status is Status.GATED
        if told and not is_gated and plan[shim.id].status is not Status.DISABLED:
            yield finding("SH403", f"{shim.id}: {told}", place, _drop(shim, environ))
        if shim.overrides:
            what = f"{shim.id} hides the row of {shim.overrides}"
            yield finding("SH404", what, place, edit(shim.file, shim.line))
        if plan[shim.id].status is Status.CONFLICT:
            what = f"{shim.id}: {plan[shim.id].reason}"
            yield finding("SH405", what, place, _disable(shim, environ))


def obsolete_state(registry: Registry) -> str:
    """Return how many packaged shims this environment has outgrown; empty where none."""
    facts = Environment(registry.targets)
    rows = [one for one in registry.shims if not (one.retired or one.named_by_user)]
    rules = [one.retire for one in rows if gates.obsolete(one, facts)]
    told = ", ".join(dict.fromkeys(rules))
    return f"{len(rules)} packaged shims, natively there ({told})" if rules else ""


def _drop(shim: Shim, environ: Mapping[str, str]) -> str:
    """Return how to be rid of a row: delete one's own, switch off another's."""
    own = shim.named_by_user and os.access(shim.file, os.W_OK)
    return edit(shim.file, shim.line) if own else _disable(shim, environ)


def _disable(shim: Shim, environ: Mapping[str, str]) -> str:
    return export("SHIMHUB_DISABLE", [*tuple_of(environ.get("SHIMHUB_DISABLE")), shim.id], ",")


def state(config: Config, registry: Registry | None) -> str:
    """Return in words which registries there are, by digest."""
    count = len(config.sources)
    files = f"{count} file{'s' if count > 1 else ''}"
    if registry is None:
        return f"{files}, cannot be used"
    live = [shim for shim in registry.shims if not shim.retired]
    shims = f"{len(live)} shim{'' if len(live) == 1 else 's'}"
    return f"{registry.digest} ({shims} in {files})"
