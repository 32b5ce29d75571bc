"""A pytest plugin that writes each test's outcome, and how often each replacement was called.

Outcomes go to the file AXOLOTL_OUTCOMES names, a JSON object a line: at once, so that what a
process did before it died is known. Calls are counted in the guard's place for the replacement;
those that it declined are taken off.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from typing import Any

import pytest

_FILE = os.environ["AXOLOTL_OUTCOMES"]
_LIMIT = int(os.environ.get("AXOLOTL_TEST_SECONDS", "300"))
_CALLS: Counter[str] = Counter()
_SEEN: dict[str, Any] = {}
#: The worst that a part of a test came to is what the test came to.
_ORDER = ("passed", "skipped", "xfailed", "xpassed", "failed", "error")
_worst: dict[str, tuple[str, str]] = {}
_before: dict[str, int] = {}


def _tell(**told: Any) -> None:
    with open(_FILE, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(told) + "\n")


def pytest_collectreport(report: Any) -> None:
    """Write what could not be collected."""
    if report.failed or report.skipped:
        outcome = "error" if report.failed else "skipped"
        _tell(test=report.nodeid, outcome=outcome, why=_last_line(report))


def pytest_runtest_logreport(report: Any) -> None:
    """Keep the worst of set-up, call and tear-down; write it at the end of the test."""
    outcome = _outcome(report)
    known = _worst.get(report.nodeid, ("passed", ""))
    if _ORDER.index(outcome) > _ORDER.index(known[0]):
        known = outcome, _last_line(report)
    _worst[report.nodeid] = known
    if report.when == "teardown":
        outcome, why = _worst.pop(report.nodeid)
        served = _served() - _before.pop(report.nodeid, 0)
        _tell(test=report.nodeid, outcome=outcome, why=why, served=served)


def _outcome(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when != "call":
        return "error"
    return str(report.outcome)


def _last_line(report: Any) -> str:
    """Return the error in one line, without addresses that differ from run to run."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr or "")
    return next((line for line in text.splitlines() if line.strip()), "")[:200]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Any:
    """Count the calls of what is replaced by now, and end a test that hangs."""
    _count()
    _tell(begins=item.nodeid)
    _before[item.nodeid] = _served()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_LIMIT)
    try:
        return (yield)
    finally:
        signal.alarm(0)


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"the test took longer than {_LIMIT} s")


def _count() -> None:
    """Put a counter in front of each replacement that is guarded and has none yet."""
    if not os.environ.get("SHIMHUB"):
        return
    from shimhub.hub import current

    for shim, guard in current().guards._guards.items():
        if _SEEN.get(shim) is not guard and not guard.broken:
            _SEEN[shim] = guard
            guard.serve.cell_contents = _counting(shim, guard.serve.cell_contents)


def _counting(shim: str, replacement: Any) -> Any:
    def counted(*args: Any, **kwargs: Any) -> Any:
        _CALLS[shim] += 1
        return replacement(*args, **kwargs)

    return counted


def _served() -> int:
    return sum(_CALLS.values()) - sum(_declined().values()) if _SEEN else 0


def _declined() -> dict[str, int]:
    import shimhub

    return {one: sum(told.fallbacks.values()) for one, told in shimhub.stats().items()}


def pytest_sessionfinish() -> None:
    """Write the totals, and the verdicts about the pack."""
    if not os.environ.get("SHIMHUB"):
        _tell(ended=True)
        return
    import shimhub
    from shimhub.hub import current

    stats = {one: str(told) for one, told in shimhub.stats().items() if str(told) != "no fallback"}
    rows = current().engine.registry.by_id
    found = [one for one in shimhub.status() if "axolotl" in rows[one.id].packs]
    verdicts = {one.id: [str(one.status), one.reason] for one in found}
    declined = _declined()
    counts = {one: [count - declined.get(one, 0), count] for one, count in _CALLS.items()}
    _tell(ended=True, rows=counts, stats=stats, verdicts=verdicts)
