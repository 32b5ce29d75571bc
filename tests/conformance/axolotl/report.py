"""What came out, kept per version, and as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.conformance.axolotl.running import Outcome, Side

ABOUT = """\
# axolotl's own unit tests, with the pack and without it

Made by `make conformance-axolotl` (`python -m tests.conformance.axolotl --write`); do not edit.

The tests of each version, of its repository's tag of that version (0.19.0: of its newest revision),
run offline on CPU in that version's own environment: once as they are, once under
`python -m shimhub run --only axolotl`. Each test's outcome is compared: passed, failed or error
with the class of the error, skipped. What differs is run again on both sides, up to three times;
what then agrees is listed as unsteady. Fixtures that download are replaced by a plugin (tokenizers
and datasets that are made on the spot); tests that need real weights or the hub fail with the pack
as without it. "Served" counts the calls that a replacement answered in the test process, those that
it left to the original taken off; calls in child processes are not counted.
"""
_FAILED = ("failed", "error", "died", "xpassed")


@dataclass
class Version:
    """What one version came to."""

    version: str
    date: str
    commit: str
    libraries: str
    without: Side
    packed: Side
    differences: dict[str, tuple[str, str]] = field(default_factory=dict)
    unsteady: list[str] = field(default_factory=list)


def to_data(one: Version) -> dict[str, Any]:
    """Return plain data for JSON."""
    return asdict(one)


def of_data(told: dict[str, Any]) -> Version:
    """Return what ``to_data`` gave."""
    sides = {name: _side(told[name]) for name in ("without", "packed")}
    differences = {test: (pair[0], pair[1]) for test, pair in told["differences"].items()}
    return Version(**{**told, **sides, "differences": differences})


def _side(told: dict[str, Any]) -> Side:
    outcomes = {test: Outcome(**one) for test, one in told["outcomes"].items()}
    rows = {one: (row[0], row[1]) for one, row in told["rows"].items()}
    verdicts = {one: (row[0], row[1]) for one, row in told["verdicts"].items()}
    return Side(**{**told, "outcomes": outcomes, "rows": rows, "verdicts": verdicts})


def findings(one: Version) -> list[str]:
    """Return a line for each difference."""
    pairs = one.differences.items()
    return [
        f"axolotl {one.version}: {test}: {was}, with the pack {now}" for test, (was, now) in pairs
    ]


def markdown(versions: Iterable[Version]) -> str:
    """Return the page."""
    found = list(versions)
    parts = [ABOUT, _summary(found), *map(_of_version, found)]
    return "\n".join(parts)


def _summary(versions: list[Version]) -> str:
    lines = [
        "| axolotl | tests | passed | failed | skipped | with it: passed | failed | skipped |",
        "|---|" + "---:|" * 11,
    ]
    lines[0] += " differing | unsteady | rows in place | calls served |"
    for one in versions:
        before, after = _counts(one.without, ""), _counts(one.packed, "")
        applied = sum(status == "APPLIED" for status, _ in one.packed.verdicts.values())
        cells = [one.version, len(one.without.outcomes), *before, *after, len(one.differences)]
        cells += [len(one.unsteady), applied, sum(row[0] for row in one.packed.rows.values())]
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _counts(side: Side, file: str) -> list[int]:
    kinds = Counter(
        "failed" if one.outcome in _FAILED else one.outcome
        for test, one in side.outcomes.items()
        if not file or _file_of(test) == file
    )
    return [kinds["passed"] + kinds["xfailed"], kinds["failed"], kinds["skipped"]]


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def _of_version(one: Version) -> str:
    lines = [
        f"\n## axolotl {one.version}\n",
        f"{one.date}, shimhub {one.commit}, {one.libraries}.\n",
    ]
    lines += [*_files(one), *_rows(one)]
    if one.differences:
        told = [
            f"- `{test}`: {was}; with the pack {now}"
            for test, (was, now) in one.differences.items()
        ]
        lines += ["\nDiffering:\n", *told]
    if one.unsteady:
        lines += [
            "\nUnsteady, with the pack or without:\n",
            *(f"- `{one}`" for one in one.unsteady),
        ]
    return "\n".join(lines) + "\n"


def _files(one: Version) -> list[str]:
    """Return a table of the files whose tests reach a replacement; the others are one row."""
    served: Counter[str] = Counter()
    for test, outcome in one.packed.outcomes.items():
        served[_file_of(test)] += outcome.served
    names = list(dict.fromkeys(map(_file_of, one.without.outcomes)))
    shown = [name for name in names if served[name] or _differs(one, name)]
    lines = [
        "| file | passed | failed | skipped | with the pack: passed | failed | skipped | served |",
        "|---|" + "---:|" * 7,
    ]
    for name in shown:
        cells = [*_counts(one.without, name), *_counts(one.packed, name), served[name]]
        lines.append(_row([f"`{name.removeprefix('tests/')}`", *cells]))
    rest = [name for name in names if name not in shown]
    before = [
        sum(part) for part in zip(*(_counts(one.without, name) for name in rest), strict=True)
    ]
    after = [sum(part) for part in zip(*(_counts(one.packed, name) for name in rest), strict=True)]
    return [*lines, _row([f"{len(rest)} others", *before, *after, 0])] if rest else lines


def _differs(one: Version, file: str) -> bool:
    return any(_file_of(test) == file for test in (*one.differences, *one.unsteady))


def _rows(one: Version) -> list[str]:
    lines = ["\n| row | verdict | served | left to the original |", "|---|---|---:|---:|"]
    for shim, (status, reason) in one.packed.verdicts.items():
        served, calls = one.packed.rows.get(shim, (0, 0))
        why = status if status == "APPLIED" else f"{status}: {reason}"
        lines.append(_row([f"`{shim}`", why.replace("|", "/"), served, calls - served]))
    return lines
