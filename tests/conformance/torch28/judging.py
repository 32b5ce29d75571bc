"""Whether facts are as expected: pure functions, from what steps found to what the table says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shimhub.errors import PlaceholderError
from tests.conformance.torch28.expected import (
    CURES,
    EQUAL,
    FALL,
    HF_TENSORS,
    NATIVE_SINCE,
    NORM_RATIO,
    REFERENCE,
    REFERENCE_NORM,
    STEPS,
    SUM_RATIO,
    SWEEPS,
)

Facts = Mapping[str, Any]
#: The error, and shimhub's own one that is a NotImplementedError.
REFUSALS = [one.__name__ for one in (NotImplementedError, PlaceholderError)]


@dataclass(frozen=True)
class Told:
    """One side of a line: what the table says, and whether that is as it must be."""

    text: str
    holds: bool


def ended(facts: Facts) -> str:
    """Return how a command ended, in a few words."""
    if facts["code"] == 0:
        return "ends well"
    if facts["code"] == 124:
        return "ran past its time"
    return f"`{facts['error'] or 'exit code ' + str(facts['code'])}`"


def stopped(*runs: Facts) -> Told:
    """The bare side of most lines: an error ends every run before any step."""
    ways = list(dict.fromkeys(ended(one) for one in runs))
    fails = all(one["code"] not in (0, 124) and one["error"] for one in runs)
    return Told("; ".join(ways), fails and not any(one.get("steps") for one in runs))


def swept(version: str, facts: Facts, bare: bool = False) -> Told:
    """All modules that need nothing but torch import; bare, as many as are known to."""
    if "failed" not in facts:
        return Told(ended(facts), False)
    expected = SWEEPS[version]
    good = facts["modules"] - facts["failed"]
    text = f"{good}/{facts['modules']}"
    if bare:
        reasons = Counter(facts["rest"]).most_common(3)
        text += "; " + "; ".join(f"{count} x `{what}`" for what, count in reasons)
        return Told(text, (facts["modules"], good) == (expected.modules, expected.bare))
    if facts["packages"]:
        absent = Counter(facts["packages"].values()).most_common()
        text += "; not installed: " + ", ".join(f"{name} ({count})" for name, count in absent)
    text += "".join(f"; **{what}**" for what in facts["rest"])
    holds = (facts["modules"], good) == (expected.modules, expected.importable)
    return Told(text, holds and not facts["rest"])


def losses(facts: Facts) -> list[float]:
    """Return the loss of each step."""
    return [loss for loss, _ in facts.get("steps", {}).values()]


def first_norm(facts: Facts) -> float:
    """Return the gradient norm of step 1; not a number where there is none."""
    return float(facts.get("steps", {}).get("1", (0, "nan"))[1])


def completed(facts: Facts, least: float = FALL) -> bool:
    """Whether all five steps were trained, to the end, with a loss that fell."""
    found = losses(facts)
    numbered = [int(step) for step in facts.get("steps", {})] == STEPS
    return facts["code"] == 0 and facts["completed"] and numbered and found[-1] < found[0] - least


def same(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two rows of losses are equal to the four decimals that are printed."""
    return len(one) == len(other) and all(
        abs(a - b) <= EQUAL for a, b in zip(one, other, strict=True)
    )


def trained(runs: Sequence[Facts]) -> Told:
    """Every run completes, and all have the losses of the first."""
    broken = [ended(one) for one in runs if not completed(one)]
    if broken:
        return Told("; ".join(dict.fromkeys(broken)), False)
    first = losses(runs[0])
    equal = all(same(first, losses(one)) for one in runs)
    told = "equal" if equal else "**not equal**"
    return Told(f"{_range(first)}, {told} in {len(runs)} versions", equal)


def _range(row: Sequence[float]) -> str:
    return f"{row[0]:.4f} → {row[-1]:.4f}"


def reference(ranks: int) -> str:
    """Return the figures that were measured once with other assets."""
    first, last = REFERENCE[ranks]
    return f"{first:.4f} → {last:.4f}"


def norms(one_rank: Sequence[Facts], two_ranks: Sequence[Facts]) -> Told:
    """The 2-rank norm is near the 1-rank one, and the same in every version."""
    low, high = NORM_RATIO
    pairs = [(first_norm(a), first_norm(b)) for a, b in zip(one_rank, two_ranks, strict=True)]
    if not all(a > 0 and b > 0 for a, b in pairs):
        return Told("; ".join(dict.fromkeys(map(ended, [*one_rank, *two_ranks]))), False)
    texts = dict.fromkeys(f"{b:.4f} on 2 ranks, {a:.4f} on 1" for a, b in pairs)
    near = all(low < b / a < high for a, b in pairs)
    return Told("; ".join(texts), near and len(texts) == 1)


def doubled(right: Sequence[Facts], wrong: Sequence[Facts]) -> Told:
    """Without the shims for AVG the norm of step 1 is twice what it is, where AVG is asked for."""
    rows = zip(SUM_RATIO.items(), right, wrong, strict=True)
    ratios = [(v, ratio, first_norm(b), first_norm(b) / first_norm(a)) for (v, ratio), a, b in rows]
    texts = [f"{version}: {norm:.4f}, {found:.3f} times" for version, _, norm, found in ratios]
    return Told("; ".join(texts), all(abs(found - ratio) < 0.002 for _, ratio, _, found in ratios))


def traces(facts: Facts, native: Facts) -> Told:
    """The traces are those of a torch that has the keyword."""
    if facts["code"] != 0:
        return Told(ended(facts), False)
    of = "recorded ones" if native["torch"] == "recorded" else f"torch {native['torch']}'s"
    equal = facts["traces"] == native["traces"]
    return Told(f"{len(facts['traces'])} traces, {'' if equal else '**not** '}{of}", equal)


def refused(name: str, runs: Sequence[Facts]) -> Told:
    """Every run ends with a NotImplementedError that names the version and a cure."""
    texts = list(dict.fromkeys(ended(one) for one in runs))
    told = "; ".join(texts).replace(
        "`PlaceholderError:", "a NotImplementedError, `PlaceholderError:"
    )
    return Told(told, all(_refuses(name, one) for one in runs))


def _refuses(name: str, facts: Facts) -> bool:
    error = facts["error"] or ""
    named = NATIVE_SINCE in error and any(cure in error for cure in CURES[name])
    return facts["code"] != 0 and error.partition(":")[0] in REFUSALS and named


def printed(runs: Sequence[Facts]) -> Told:
    """Every line ran without an error."""
    texts = dict.fromkeys(one["printed"] if one["code"] == 0 else ended(one) for one in runs)
    shown = "; ".join(f"`{text}`" if text and "`" not in text else text for text in texts)
    return Told(shown or "ends well", all(one["code"] == 0 for one in runs))


def feature(runs: Sequence[Facts]) -> Told:
    """Every run completes with a loss that fell."""
    texts = dict.fromkeys(_range(losses(one)) if completed(one) else ended(one) for one in runs)
    return Told("; ".join(texts), all(completed(one) for one in runs))


def feature_as(runs: Sequence[Facts], plain: Sequence[Facts]) -> Told:
    """Every run completes, with the losses that it has without the feature."""
    told = feature(runs)
    equal = all(same(losses(a), losses(b)) for a, b in zip(runs, plain, strict=True))
    return Told(f"{told.text}, {'as' if equal else '**not** as'} without it", told.holds and equal)


def resumed(saved: Sequence[Facts], loaded: Sequence[Facts]) -> Told:
    """Steps 4 and 5, trained again from the checkpoint of step 3, have the same figures."""
    texts, holds = [], []
    for before, after in zip(saved, loaded, strict=True):
        expected = {step: before.get("steps", {}).get(step) for step in ("4", "5")}
        equal = after["code"] == 0 and None not in expected.values()
        equal = equal and after.get("steps") == expected
        texts.append("steps 4 and 5 digit for digit" if equal else f"**not** so: {ended(after)}")
        holds.append(equal and completed(before))
    return Told("; ".join(dict.fromkeys(texts)), all(holds))


def exported(runs: Sequence[Facts]) -> Told:
    """Every run leaves all tensors, finite, in one consolidated file."""
    texts = dict.fromkeys(
        f"{one['tensors']} tensors in {one['files']} file" if one.get("tensors") else ended(one)
        for one in runs
    )
    good = [completed(one) and one["tensors"] == HF_TENSORS and one["files"] == 1 for one in runs]
    return Told("; ".join(texts), all(good) and not any(one["not finite"] for one in runs))


def reference_norm() -> str:
    """Return the 2-rank gradient norm that was measured once with other assets."""
    return f"{REFERENCE_NORM:.3f}"
