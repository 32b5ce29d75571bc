"""Gates: pure rules over facts. They never import a target and never look at one."""

from __future__ import annotations

import re
from typing import Any, Protocol

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from shimhub.model import UNTOLD, Fact, Shim, Status, Verdict

_RETIRE = re.compile(r"([A-Za-z0-9_-]+)\s*([<>=!~].*)")


class Facts(Protocol):
    """What gates ask; ``environment.Environment`` answers for this machine."""

    def fact(self, name: str) -> Fact | None:
        """Return the version of a target, or None where it is not installed."""

    def platform_fact(self, name: str) -> str:
        """Return the value of ``platform`` or ``machine``."""


def judge(shim: Shim, facts: Facts) -> Verdict:
    """Return PENDING where every rule of ``when`` holds (or cannot be told yet), else GATED."""
    if shim.retired:
        return Verdict(shim.id, Status.RETIRED, f"retired on {shim.retired}: {shim.why}")
    evidence: dict[str, Any] = {}
    for name, rule in shim.when.items():
        failed = _judge_rule(name, rule, shim.version_of, facts, evidence)
        if failed:
            return Verdict(shim.id, Status.GATED, failed, evidence)
    return Verdict(shim.id, Status.PENDING, f"waits for {shim.module} to be imported", evidence)


def parameters_of(shim: Shim, facts: Facts) -> dict[str, Any]:
    """Return what the row's ``parameters`` say here: each table whose ``when`` holds, in order."""
    found: dict[str, Any] = {}
    for table in shim.parameters:
        rules = table.get("when", {}).items()
        if not any(_judge_rule(name, rule, shim.version_of, facts, {}) for name, rule in rules):
            found |= {name: value for name, value in table.items() if name != "when"}
    return found


def obsolete(shim: Shim, facts: Facts) -> str:
    """Return why the row's retirement rule holds here, or an empty string."""
    found = _RETIRE.fullmatch(shim.retire)
    if not found:
        return ""
    fact = facts.fact(found[1])
    if not fact or not fact.version:
        return ""
    counted = counted_version(fact.version, shim.version_of)
    holds = counted and SpecifierSet(found[2]).contains(counted, prereleases=True)
    return f"obsolete since {shim.retire} ({found[1]} is {fact.version})" if holds else ""


def counted_version(version: str, version_of: str) -> str:
    """Return the version that gates compare: the release part, or all of it for ``pep440``.

    ``2.9.0a0+git`` is neither ``<2.9`` nor ``>=2.9`` under PEP 440, so pre, dev and local parts
    are stripped by default. Returns an empty string for what is no version.
    """
    try:
        parsed = Version(version)
    except InvalidVersion:
        return ""
    if version_of == "pep440":
        return str(parsed)
    epoch = f"{parsed.epoch}!" if parsed.epoch else ""
    post = "" if parsed.post is None else f".post{parsed.post}"
    return epoch + ".".join(map(str, parsed.release)) + post


def _judge_rule(
    name: str, rule: Any, version_of: str, facts: Facts, evidence: dict[str, Any]
) -> str:
    """Return why the rule fails, or an empty string; what was seen goes into ``evidence``."""
    if name in ("platform", "machine"):
        allowed = [rule] if isinstance(rule, str) else rule
        evidence[name] = facts.platform_fact(name)
        return "" if evidence[name] in allowed else f"{name} {evidence[name]} is not in {allowed}"
    fact = facts.fact(name)
    if fact is None:
        evidence[name] = "not installed"
        return f"{name} is not installed; needs {name} {rule}"
    if not fact.version:
        evidence[name] = fact.origin
        told = f"the version of {name} cannot be told ({fact.origin}); needs {name} {rule}"
        return "" if fact is UNTOLD else told
    return _judge_version(name, rule, version_of, fact, evidence)


def _judge_version(
    name: str, rule: str, version_of: str, fact: Fact, evidence: dict[str, Any]
) -> str:
    counted = counted_version(fact.version, version_of)
    shown = fact.version if counted == fact.version else f"{fact.version} (counts as {counted})"
    evidence[name] = f"{shown}, from {fact.origin}"
    if not counted:
        evidence[name] = f"{fact.version}, from {fact.origin}"
        return f"{name} {fact.version} is no PEP 440 version; cannot compare it with {rule}"
    if SpecifierSet(rule).contains(counted, prereleases=True):
        return ""
    return f"{name} {shown} is not {rule}"
