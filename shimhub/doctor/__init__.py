"""The doctor: facts about this environment, and findings with the command that mends each.

It imports no target: packages are found by their metadata.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from shimhub import __version__, paths
from shimhub.config import Config
from shimhub.doctor import files, patchers, process, registries, trusted
from shimhub.doctor.finding import Finding
from shimhub.environment import Environment
from shimhub.model import Selection
from shimhub.registry import Registry
from shimhub.select import check_selection


@dataclass(frozen=True)
class Examination:
    """What the doctor saw: facts by name, and findings in order of their rules."""

    facts: dict[str, str]
    findings: list[Finding]

    @property
    def is_healthy(self) -> bool:
        """Whether there is no finding but notes."""
        return not any(one.counts for one in self.findings)


def examine(config: Config, asked: Selection) -> Examination:
    """Look at everything; ``config`` has the registries and the user's word.

    Raises SelectionError where ``asked``, the word of this very command, names nothing; all else
    is a finding.
    """
    found = list(files.of_cache())  # before a refused table is written anew
    registry, told = registries.read(config.sources)
    if registry:
        check_selection(registry, asked)
    found += [*told, *_findings(config, registry)]
    return Examination(_facts(config, registry), sorted(found, key=lambda one: one.code))


def _findings(config: Config, registry: Registry | None) -> Iterator[Finding]:
    yield from process.of_flags()
    yield from process.of_variables(os.environ)
    yield from process.of_digest(config.sources, os.environ)
    yield from files.of_startup()
    yield from process.of_finder(os.environ)
    yield from files.of_native()
    yield from patchers.of_installed()
    yield from patchers.of_finders()
    yield from patchers.of_start_up_lines()
    yield from patchers.of_builtins()
    yield from trusted.of_trust(os.environ)
    if registry:
        yield from trusted.of_settings(registry, os.environ)
        yield from process.of_choice(registry, os.environ)
        yield from registries.of_rows(registry, config.selection, os.environ)
    yield from files.of_copies()
    yield from files.of_registry_copy()


def _facts(config: Config, registry: Registry | None) -> dict[str, str]:
    told = {
        "python": f"{platform.python_version()}, {sys.executable}",
        "platform": f"{sys.platform} {platform.machine()}",
        "shimhub": f"{__version__}, {paths.PACKAGE_DIR}",
        "registry": registries.state(config, registry),
        "native": files.native_state(),
        "cache": files.cache_state(),
        "environment": files.startup_state(),
        "process": process.state(os.environ),
    }
    if registry is None:
        return told
    obsolete = registries.obsolete_state(registry)
    return told | ({"obsolete": obsolete} if obsolete else {}) | _targets(registry)


def _targets(registry: Registry) -> dict[str, str]:
    facts = Environment(registry.targets)
    found = {name: facts.fact(name) for name in registry.targets}
    return {name: fact.version or fact.origin for name, fact in found.items() if fact}
