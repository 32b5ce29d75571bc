"""``pytest -p shimhub.pytest_plugin``: tests run with shims, in this process and its workers.

As ``addopts = "-p shimhub.pytest_plugin"`` in a project's pytest settings it is on for everybody.
It comes before the first conftest.py, so that what that imports has its shims.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

import shimhub
from shimhub.activation.here import activate_here, restore

_BEFORE = pytest.StashKey[Mapping[str, "str | None"]]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Activate before any conftest.py is imported; errors of a registry end pytest with usage."""
    try:
        early_config.stash[_BEFORE] = activate_here()
    except shimhub.RegistryError as error:
        raise pytest.UsageError(f"shimhub: {error}") from error


def pytest_report_header() -> str:
    """Say in the header whether shims are active, and with which registries."""
    found = shimhub.status()
    if not found.active:
        return "shimhub: off (SHIMHUB=0)"
    return f"shimhub: {len(found)} shims, registries {found.digest}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the shims that failed; they are rolled back, and a test may have passed without."""
    wrong = [one for one in shimhub.status() if one.status in ("FAILED", "CONFLICT")]
    if wrong:
        terminalreporter.section("shimhub", yellow=True)
    for verdict in wrong:
        terminalreporter.write_line(str(verdict))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo everything, for programs that call ``pytest.main`` and go on."""
    if _BEFORE in config.stash:
        shimhub.uninstall()
        restore(config.stash[_BEFORE])
        del config.stash[_BEFORE]
