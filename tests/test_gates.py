from __future__ import annotations

import pytest

from shimhub.environment import UNTOLD
from shimhub.gates import counted_version, judge, obsolete
from shimhub.model import Fact, Shim, Status


class Facts:
    """What a machine would answer."""

    def __init__(self, machine="x86_64", platform="linux", **versions):
        self.versions = versions
        self.platform_facts = {"machine": machine, "platform": platform}

    def fact(self, name):
        """Return the version of a target as its metadata tells it."""
        told = self.versions.get(name)
        return None if told is None else Fact(told, f"metadata of {name}")

    def platform_fact(self, name):
        """Return a fact of the platform."""
        return self.platform_facts[name]


def shim(**keys):
    """Return a row."""
    return Shim(id="t/f", attach="t:f", action="alias", why="w", **keys)


def status(version, rule, version_of="release"):
    """Return the status of a row with one version rule."""
    row = shim(when={"t": rule}, version_of=version_of)
    return judge(row, Facts(t=version)).status


def test_a_row_without_rules_is_pending():
    """No rule keeps nothing out; the verdict says what it waits for."""
    found = judge(shim(), Facts())
    assert (Status.PENDING, "waits for t to be imported") == (found.status, found.reason)


@pytest.mark.parametrize(
    ("version", "rule", "holds"),
    [
        ("2.9.0", ">=2.9", True),
        ("2.9", ">=2.9.0,<2.10", True),
        ("2.10.0", "<2.9", False),
        ("2.10.0", ">2.9", True),
        ("2.9.0", "!=2.9.0", False),
        ("2.9.1", "~=2.9.0", True),
        ("2.9.1", "==2.9.*", True),
        ("2.9.0", "", True),
        # pre, dev and local parts are stripped
        ("2.9.0a0+git1234567", ">=2.9", True),
        ("2.9.0a0+git1234567", "<2.9", False),
        ("2.9.0.dev20250101+cu128", ">=2.9,<2.10", True),
        ("2.9.0rc1", ">=2.9", True),
        ("2.9.0rc1", "<2.9", False),
        ("2.9.0+cu128", "==2.9.0", True),
        ("2.9.0+cpu", "<=2.9.0", True),
        # an epoch and a post release are neither
        ("1!2.0", ">=5", True),
        ("2.9.0.post1", ">=2.9.0.post1", True),
        ("2.9.0.post1", ">=2.9", True),
        ("2.9.0.post1.dev3+g1", ">=2.9.0.post1", True),
    ],
)
def test_versions_are_compared_by_their_release(version, rule, holds):
    """By default pre, dev and local parts do not count, and nothing else is lost."""
    assert (Status.PENDING if holds else Status.GATED) is status(version, rule)


@pytest.mark.parametrize(
    ("version", "rule", "holds"),
    [
        ("2.9.0a0+git", ">=2.9", False),
        ("2.9.0a0+git", ">=2.9.0a0", True),
        ("2.9.0.dev1", "<2.9", False),
        ("2.9.0.dev20250101", ">=2.9.0.dev20241231", True),
        ("2.9.0rc1", ">=2.9.0rc1,<2.9.0", False),
        ("2.9.0rc1", ">=2.9.0rc1", True),
        ("2.9.0+cu128", "==2.9.0+cu128", True),
        ("2.9.0", ">=2.9", True),
    ],
)
def test_pep440_compares_all_of_it(version, rule, holds):
    """With version_of = "pep440" the whole version counts, as PEP 440 says."""
    assert (Status.PENDING if holds else Status.GATED) is status(version, rule, "pep440")


def test_the_verdict_prints_both_versions():
    """What was there and what it counted as stand in reason and evidence."""
    row = shim(when={"t": "<2.9"})
    found = judge(row, Facts(t="2.9.0a0+git1"))
    assert "t 2.9.0a0+git1 (counts as 2.9.0) is not <2.9" == found.reason
    assert "2.9.0a0+git1 (counts as 2.9.0), from metadata of t" == found.evidence["t"]


def test_a_plain_version_is_printed_once():
    """Where both are the same, one is told."""
    assert (
        "2.9.0, from metadata of t"
        == judge(shim(when={"t": ">=2"}), Facts(t="2.9.0")).evidence["t"]
    )


def test_a_version_that_is_none_is_told():
    """A version that PEP 440 does not know compares with nothing: gated, and why."""
    found = judge(shim(when={"t": ">=1"}), Facts(t="main-branch"))
    assert Status.GATED is found.status
    assert "main-branch is no PEP 440 version" in found.reason
    assert "main-branch, from metadata of t" == found.evidence["t"]
    assert "" == counted_version("main-branch", "release") == counted_version("x", "pep440")


def test_a_target_that_is_not_installed_is_told():
    """Without the target the row is gated, not pending for ever."""
    found = judge(shim(when={"t": ">=1"}), Facts())
    assert (Status.GATED, "t is not installed; needs t >=1") == (found.status, found.reason)
    assert {"t": "not installed"} == found.evidence


def test_a_version_that_is_not_known_yet_waits():
    """A target without metadata that is not imported yet is judged when it is."""
    facts = Facts()
    facts.fact = lambda name: UNTOLD
    found = judge(shim(when={"t": ">=1"}), facts)
    assert (Status.PENDING, UNTOLD.origin) == (found.status, found.evidence["t"])


def test_a_version_that_nobody_tells_holds_nothing():
    """A target that is imported and tells no version satisfies no rule, and the reason says so."""
    found = judge(shim(when={"t": ">=1"}), Facts(t=""))
    assert Status.GATED is found.status
    assert "the version of t cannot be told (metadata of t); needs t >=1" == found.reason


@pytest.mark.parametrize(
    ("rule", "holds"),
    [("linux", True), (["darwin", "linux"], True), ("darwin", False), ([], False), ("lin", False)],
)
def test_platforms_are_words_or_lists_of_words(rule, holds):
    """Rules of platform and machine hold where the fact is one of the words."""
    found = judge(shim(when={"platform": rule}), Facts())
    assert (Status.PENDING if holds else Status.GATED) is found.status
    assert "linux" == found.evidence["platform"]


def test_the_machine_is_a_fact_too():
    """The machine is the CPU architecture."""
    found = judge(shim(when={"machine": ["x86_64"]}), Facts(machine="aarch64"))
    assert "machine aarch64 is not in ['x86_64']" == found.reason


def test_all_rules_must_hold_and_the_first_that_fails_is_told():
    """Rules are joined by `and`; evidence has what was looked at."""
    row = shim(when={"t": ">=1", "u": ">=2", "v": ">=3"})
    found = judge(row, Facts(t="1", u="1", v="1"))
    assert (Status.GATED, "u 1") == (found.status, found.reason[:3])
    assert ["t", "u"] == list(found.evidence)
    assert Status.PENDING is judge(row, Facts(t="1", u="2", v="3")).status


def test_a_tombstone_is_retired():
    """A retired row has its date and reason, whatever its rules."""
    found = judge(shim(retired="2026-11-21", when={"t": ">=1"}), Facts())
    assert (Status.RETIRED, "retired on 2026-11-21: w") == (found.status, found.reason)


@pytest.mark.parametrize(
    ("version", "told"),
    [("2.14.0", True), ("2.13.9", False), ("2.14.0a0+git", True), ("main", False), ("", False)],
)
def test_retirement_is_told_where_it_holds(version, told):
    """From the version of `retire` on, the row is called obsolete."""
    found = obsolete(shim(retire="t>=2.14"), Facts(t=version))
    expected = f"obsolete since t>=2.14 (t is {version})"
    assert (expected if told else "") == found


def test_retirement_of_a_pep440_row_counts_pre_releases():
    """With version_of = "pep440" a release candidate is compared as what it is."""
    row = shim(retire="t>=2.14.0rc1", version_of="pep440")
    assert "" == obsolete(row, Facts(t="2.14.0a1"))
    assert obsolete(row, Facts(t="2.14.0rc2"))


@pytest.mark.parametrize("retire", ["", "never: it is for ever", "t >= 2.14"])
def test_retirement_needs_a_rule_and_a_target(retire):
    """Rows that never retire, and targets that are not there, are not obsolete."""
    assert "" == obsolete(shim(retire=retire), Facts())
