"""One check of ``compat``: what it is about, what it came to, and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from shimhub.errors import UntestedError

PASS, FAIL, UNTESTED = "PASS", "FAIL", "UNTESTED"

#: A check returns what it saw, raises UntestedError where it cannot be made, and fails by any
#: other exception.
Check = tuple[str, Callable[[], str]]


@dataclass(frozen=True)
class Outcome:
    """What one check came to: its feature, PASS, FAIL or UNTESTED, and what was seen."""

    feature: str
    status: str
    told: str


def run(check: Check) -> Outcome:
    """Make one check."""
    feature, work = check
    try:
        return Outcome(feature, PASS, work())
    except UntestedError as error:
        return Outcome(feature, UNTESTED, str(error))
    except Exception as error:  # noqa: BLE001  # a check fails by whatever it raises: it is told
        return Outcome(feature, FAIL, _told(error))


def _told(error: Exception) -> str:
    text = str(error) or "no more is told"
    return text if isinstance(error, AssertionError) else f"{type(error).__name__}: {text}"


def counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return how many checks came to what."""
    found = [one.status for one in outcomes]
    return {status: found.count(status) for status in (PASS, FAIL, UNTESTED)}


def call(module: Any, name: str, default: Any) -> Any:
    """Return what the function ``name`` of a pack's own file returns; without one, ``default``."""
    function = getattr(module, name, None)
    return default if function is None else function()
