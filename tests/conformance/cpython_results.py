"""What the driver wrote, as data; and the comparison of two runs. No side effects."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

#: Parts of ids and reasons that are different in every process.
_VOLATILE = (
    (re.compile(r"\b0x[0-9a-fA-F]{6,}\b"), "0x…"),
    (re.compile(r"@test_\d+_tmp"), "@test_tmp"),
    (re.compile(r"\btest_python_(worker_)?\d+æ?"), "test_python_…"),
    (re.compile(r"(/[^\s'\",:)]*)?/tmp\w{6,}\b"), "/tmp…"),
)


class RunError(Exception):
    """A run of the target's tests did not come to its end."""


@dataclass(frozen=True)
class Run:
    """The results of one test module in one mode: outcomes by test id, and what was active.

    The exit status of regrtest is one of the outcomes, under ``whole``: 3 says that a test left
    something behind.
    """

    whole: str
    outcomes: dict[str, tuple[str, ...]]
    begin: dict[str, bool]
    end: dict[str, object] = field(default_factory=dict)

    def count(self, *kinds: str) -> int:
        """Count outcomes of these kinds, over all tests and subtests."""
        return sum(one.partition(":")[0] in kinds for one in self._told())

    @property
    def tests(self) -> int:
        """How many tests and subtests there are results of."""
        return len(self._told())

    def _told(self) -> list[str]:
        pairs = self.outcomes.items()
        return [one for test, found in pairs if test != self.whole for one in found]


@dataclass(frozen=True, order=True)
class Difference:
    """A test whose results differ: what it does without the hub, and with it."""

    test: str
    without: tuple[str, ...]
    active: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.test}: {_told(self.without)} without the hub, {_told(self.active)} with it"


@dataclass(frozen=True)
class Listed:
    """A difference that has its reason. ``versions``, ``modes`` and ``test`` are globs.

    ``kind`` is ``extra`` for a test that runs with the hub only, and passes; ``any`` for others.
    """

    versions: str
    modes: str
    kind: str
    test: str
    reason: str

    def speaks_of(self, version: str, mode: str) -> bool:
        """Whether it is for this version and this mode."""
        asked = ((version, self.versions), (mode, self.modes))
        return all(any(fnmatchcase(it, one) for one in told.split("|")) for it, told in asked)

    def covers(self, version: str, mode: str, found: Difference) -> bool:
        """Whether it is the reason of that difference."""
        is_extra = not found.without and set(found.active) == {"pass"}
        return (
            self.speaks_of(version, mode)
            and (self.kind == "any" or is_extra)
            and fnmatchcase(found.test, self.test.replace("[", "[[]"))
        )


def plain(text: str, places: Mapping[str, str] | None = None) -> str:
    """Return ``text`` without what is different in every process; ``places`` maps folders."""
    for folder, name in (places or {}).items():
        text = text.replace(folder, name)
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return text


def parse(name: str, lines: Iterable[str], places: Mapping[str, str] | None = None) -> Run:
    """Return what the driver wrote. Raises RunError where it did not come to its end."""
    whole = f"{name} (exit status)"
    begin: dict[str, bool] | None = None
    found: dict[str, list[str]] = {}
    for line in lines:
        event = json.loads(line)
        if "begin" in event:
            begin = event["begin"]
        elif "end" in event:
            end = {**event.pop("end"), **event}
            found[whole] = [str(end["status"])]
            sorted_ = {test: tuple(sorted(outcomes)) for test, outcomes in found.items()}
            return Run(whole, sorted_, begin or {}, end)
        else:
            outcome, detail = event["outcome"], event["detail"]
            told = outcome + (f": {detail}" if detail else "")
            found.setdefault(plain(event["id"], places), []).append(plain(told, places))
    raise RunError("the test process ended before it could say so")


def compare(without: Run, active: Run) -> list[Difference]:
    """Return the tests whose results differ, those that run in one of the two only as well."""
    tests = sorted({*without.outcomes, *active.outcomes})
    pairs = [(one, without.outcomes.get(one, ()), active.outcomes.get(one, ())) for one in tests]
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


def lasting(attempts: Iterable[Iterable[Difference]]) -> tuple[list[Difference], list[Difference]]:
    """Split what attempts found into differences that each had, and those that came and went."""
    rounds = [{one.test: one for one in attempt} for attempt in attempts]
    seen = {test: one for attempt in rounds for test, one in attempt.items()}
    stay = [test for test in seen if all(test in attempt for attempt in rounds)]
    passing = [one for test, one in seen.items() if test not in stay]
    return sorted(seen[test] for test in stay), sorted(passing)


def listed_in(text: str) -> list[Listed]:
    """Parse lines ``versions modes kind test-id -- reason``; a ``#`` begins a comment.

    Raises ValueError for a line that is none of these.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        head, dashes, reason = line.partition(" -- ")
        words = head.split(maxsplit=3)
        if len(words) != 4 or words[2] not in ("extra", "any") or not dashes or not reason.strip():
            raise ValueError(f"line {number} should be: versions modes extra|any test -- reason")
        found.append(Listed(*words[:3], words[3].strip(), reason.strip()))
    return found


def unlisted(
    version: str, mode: str, found: Iterable[Difference], listed: Iterable[Listed]
) -> list[Difference]:
    """Return the differences that have no reason."""
    rules = list(listed)
    return [one for one in found if not any(rule.covers(version, mode, one) for rule in rules)]


def _told(outcomes: tuple[str, ...]) -> str:
    if not outcomes:
        return "not run"
    counted = Counter(outcomes).items()
    return ", ".join(one if times == 1 else f"{times} x {one}" for one, times in counted)
