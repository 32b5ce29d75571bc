"""What came out, as rows that are kept per Python version, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from tests.conformance.cpython_results import Difference, Listed, unlisted
from tests.conformance.cpython_run import MODES, Compared

_ABOUT = """\
# CPython's own tests, with the hub and without it

Made by `make conformance-cpython` (`python -m tests.conformance.cpython --write`); do not edit.

Each test module runs by the interpreter's own regrtest in an environment where shimhub is installed
and activated by `shimhub activate`: once with `SHIMHUB=0`, once in each of the modes below. Every
result of every test and subtest is compared by id: passed, failed (with the class of the
exception), skipped (with the reason), and the exit status, which tells of what a test leaves
behind. What differs is run again on both sides, up to three times; what then agrees is listed as
unsteady. A run counts only where its process says that it was as active as the mode wants: our
finder at its first and at its last moment, the canary at the end, and nothing of these with
`SHIMHUB=0`. "Under the finder" counts the tests that begin with our finder on `sys.meta_path`;
"rows applied" are those of the test process in the mode **targets**.
"""

_UNREACHED = """\
## Processes that no activation reaches

Of all Python processes that these tests start, those of the following never come to the start-up
files of the environment; all others are as active as the process that runs the tests
(`python -m tests.conformance.cpython --children` finds that out: a witness in each process says
what it starts, and what came).

"""


@dataclass
class Row:
    """A test module of one version: figures without the hub, and differences by mode."""

    test: str
    tests: int = 0
    passed: int = 0
    skipped: int = 0
    failed: int = 0
    hooked: str = ""
    applied: int = 0
    differences: dict[str, list[Difference]] = field(default_factory=dict)
    unsteady: dict[str, list[Difference]] = field(default_factory=dict)
    is_missing: bool = False

    def take(self, mode: str, found: Compared) -> None:
        """Add what a mode brought."""
        run = found.without
        self.tests, self.skipped = run.tests, run.count("skip")
        self.passed = run.count("pass", "expected failure")
        self.failed = run.count("fail", "error", "unexpected success")
        self.differences[mode], self.unsteady[mode] = found.differences, found.unsteady
        if mode == "light":
            self.hooked = f"{found.active.end['hooked']}/{found.active.end['started']}"
        if mode == "targets":
            self.applied = int(str(found.active.end["applied"]))


@dataclass
class Version:
    """All rows of one Python version, with what they were measured on."""

    version: str
    python: str
    commit: str
    tree: str
    date: str
    rows: list[Row] = field(default_factory=list)


def to_data(version: Version) -> dict[str, object]:
    """Return plain data for JSON."""
    return asdict(version)


def of_data(data: Mapping[str, object]) -> Version:
    """Return what ``to_data`` was given."""
    rows = [Row(**row) for row in data["rows"]]  # type: ignore[attr-defined]
    for row in rows:
        for kept in (row.differences, row.unsteady):
            for mode, found in kept.items():
                kept[mode] = [_difference(**one) for one in found]  # type: ignore[arg-type]
    return Version(**{**data, "rows": rows})  # type: ignore[arg-type]


def findings(version: Version, listed: Iterable[Listed]) -> list[str]:
    """Return what must not be: differences without a reason, and reasons without a difference."""
    rules = list(listed)
    found = [
        f"Python {version.version}, {row.test}, {mode}: {one}"
        for row in version.rows
        for mode, differences in row.differences.items()
        for one in unlisted(version.version, mode, differences, rules)
    ]
    modes = {mode for row in version.rows for mode in row.differences}
    for rule in rules:
        told = [mode for mode in sorted(modes) if rule.speaks_of(version.version, mode)]
        needed = any(
            rule.covers(version.version, mode, one)
            for mode in told
            for row in version.rows
            for one in row.differences.get(mode, [])
        )
        if told and not needed:
            found.append(f"Python {version.version}: listed, and not so any more: {rule.test}")
    return found


def markdown(
    versions: list[Version], listed: list[Listed], unreached: str, missing: list[str]
) -> str:
    """Return the whole page; ``unreached`` is the text of that data file."""
    modes = "\n".join(f"- **{name}**: {what}" for name, what in MODES.items())
    parts = [_ABOUT, modes, *(_section(one, listed) for one in versions)]
    parts += [f"## Python {one}\n\nNot on this machine: not run." for one in missing]
    parts += [_reasons(listed), _unreached(unreached)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _section(version: Version, listed: list[Listed]) -> str:
    modes = [mode for mode in MODES if any(mode in row.differences for row in version.rows)]
    head = ["test module", "results", "passed", "skipped", "failed", "under the finder"]
    head += ["rows applied", *modes]
    lines = [
        f"## Python {version.python}",
        f"{version.date}, commit {version.commit} (tree {version.tree}).",
        "| " + " | ".join(head) + " |\n|---|" + "--:|" * (len(head) - 1),
    ]
    rows = "\n".join(_row(row, version.version, modes, listed) for row in version.rows)
    lines[-1] += "\n" + rows
    unsteady = [
        f"- {row.test}, {mode}: {one}"
        for row in version.rows
        for mode, found in row.unsteady.items()
        for one in found
    ]
    return "\n\n".join([*lines, *(["Unsteady:\n\n" + "\n".join(unsteady)] if unsteady else [])])


def _row(row: Row, version: str, modes: list[str], listed: list[Listed]) -> str:
    if row.is_missing:
        return f"| {row.test} | not in this interpreter |" + " |" * (len(modes) + 5)
    figures = [row.tests, row.passed, row.skipped, row.failed, row.hooked, row.applied]
    counted = [_count(row.differences.get(mode), version, mode, listed) for mode in modes]
    return "| " + " | ".join([row.test, *map(str, figures), *counted]) + " |"


def _count(found: list[Difference] | None, version: str, mode: str, listed: list[Listed]) -> str:
    if found is None:
        return "-"
    left = len(unlisted(version, mode, found, listed))
    explained = len(found) - left
    return f"{left}" + (f" (+ {explained} listed)" if explained else "")


def _reasons(listed: list[Listed]) -> str:
    lines = [
        f"- `{rule.test}` (Python {rule.versions.replace('|', ', ')}; "
        f"{rule.modes.replace('|', ', ')}): {rule.reason}"
        for rule in listed
    ]
    text = "From `tests/conformance/cpython_exceptions.txt`; each is needed, or the run fails.\n\n"
    return "## Listed differences\n\n" + (text + "\n".join(lines) if lines else "None.")


def _unreached(text: str) -> str:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = [line.split(" ", 1) for line in lines]
    told = [f"- Python {versions.replace('|', ', ')}: {rest}" for versions, rest in pairs]
    return _UNREACHED + ("\n".join(told) if told else "None.")


def _difference(test: str, without: Iterable[str], active: Iterable[str]) -> Difference:
    return Difference(test, tuple(without), tuple(active))
