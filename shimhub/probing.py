"""Probes: look at the imported target to see whether a shim is needed. Looking runs no code."""

from __future__ import annotations

from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType
from typing import Any

from shimhub.adapt import accepts_keyword, accepts_natively
from shimhub.attach import content, is_present, module_exists, resolve
from shimhub.fingerprint import fingerprint
from shimhub.model import Shim, Status, Verdict
from shimhub.patching import MISSING, Slot

_FILLS = ("add", "alias", "placeholder")
Finding = tuple[Status, str]


def probe(shim: Shim, slot: Slot, proved_by_user: bool, evidence: dict[str, Any]) -> Verdict | None:
    """Return why the shim is not to be applied to ``slot``, or None where it is needed.

    ``proved_by_user`` says that the user named this id, which outweighs an unknown fingerprint.
    What was seen goes into ``evidence``.
    """
    if verdict := probe_elsewhere(shim, evidence):
        return verdict
    for status, reason in _findings(shim, slot, proved_by_user, evidence):
        return Verdict(shim.id, status, reason, evidence)
    return None


def probe_elsewhere(shim: Shim, evidence: dict[str, Any]) -> Verdict | None:
    """Return why the shim is not needed, by what its row says of other modules; else None."""
    for status, reason in (*_provider(shim, evidence), *_consumer(shim, evidence)):
        return Verdict(shim.id, status, reason, evidence)
    return None


def judge_check(shim: Shim, answer: Any, evidence: dict[str, Any]) -> Verdict | None:
    """Return the verdict of a behavioural probe's answer, or None where the shim is needed."""
    needed, told = answer if isinstance(answer, tuple) else (answer, "")
    evidence["check"] = told or repr(needed)
    if needed is True:
        return None
    if needed is False:
        reason = f"the behavioural probe finds it right: {told or 'not needed'}"
        return Verdict(shim.id, Status.NOT_NEEDED, reason, evidence)
    reason = f"the behavioural probe cannot tell{': ' + told if told else ''}; left alone"
    return Verdict(shim.id, Status.GATED, reason, evidence)


def _findings(
    shim: Shim, slot: Slot, proved_by_user: bool, evidence: dict[str, Any]
) -> Iterator[Finding]:
    if shim.action in _FILLS:
        yield from _presence(shim, slot, evidence)
        return
    original = content(slot)
    if original is MISSING:
        yield Status.GATED, f"{shim.attach} does not exist here: nothing to {shim.action}"
        return
    evidence["original"] = describe(original)
    if shim.action == "adapt" and accepts_natively(shim, plain(original)):
        yield Status.NOT_NEEDED, f"native: {shim.attach} accepts it by itself"
    if not proved_by_user:
        yield from _proof(shim, original, evidence)


def _provider(shim: Shim, evidence: dict[str, Any]) -> Iterator[Finding]:
    name = shim.probe.get("provider")
    if name and module_exists(name):
        evidence["provider"] = name
        yield Status.NOT_NEEDED, f"native: {name} provides it"


def _consumer(shim: Shim, evidence: dict[str, Any]) -> Iterator[Finding]:
    point = shim.probe.get("of")
    if not point:
        return
    consumer, keyword = resolve(point), shim.probe["keyword"]
    if consumer is MISSING:
        yield Status.GATED, f"{point}, which consumes {keyword!r}, does not exist here"
    elif accepts_keyword(plain(consumer), keyword):
        evidence["consumer"] = point
        yield Status.NOT_NEEDED, f"native: {point} accepts {keyword!r} by itself"


def _presence(shim: Shim, slot: Slot, evidence: dict[str, Any]) -> Iterator[Finding]:
    if not is_present(slot, bool(shim.probe.get("dynamic"))):
        return
    told = f"native: {shim.attach} is there"
    if shim.phase == "pre":
        told += ", or the body has run already and it is too late to seed it"
    if "filled by" in evidence:
        told = f"{evidence['filled by']} fills {shim.attach} and comes first"
    yield Status.NOT_NEEDED, told


def _proof(shim: Shim, original: Any, evidence: dict[str, Any]) -> Iterator[Finding]:
    if not shim.fingerprints:
        return
    found = evidence["fingerprint"] = fingerprint(original)
    if found not in shim.fingerprints:
        yield (
            Status.CONFLICT,
            (
                f"{describe(original)} is none of the bodies it was proved against "
                f"(fingerprint {found or 'unknown: no source'}): another version or patcher; "
                f"--enable {shim.id} applies it all the same"
            ),
        )


def plain(original: Any) -> Any:
    """Return the function inside a staticmethod or classmethod; anything else as it is."""
    return original.__func__ if isinstance(original, (staticmethod, classmethod)) else original


def describe(found: Any) -> str:
    """Name an object by where it says it comes from, without asking proxies."""
    inner = plain(found)
    if isinstance(inner, (FunctionType, BuiltinFunctionType, type)):
        return f"{inner.__module__}.{inner.__qualname__}"
    return f"{type(inner).__name__} object"
