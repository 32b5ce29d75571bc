"""The judge of the budgets: figures here are made up, nothing is timed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench import __main__ as command
from tests.bench.budgets import BUDGETS, Budget, judge
from tests.bench.groups import GROUPS
from tests.bench.report import markdown
from tests.bench.timing import in_turns

PLAIN = Budget("g", "ours", "base", limit=1.0, slack=0.1, why="w")
ADDED = Budget("g", "ours", "base", limit=0.5, slack=0.0, why="w", over="floor")


def test_gate_compares_the_least_samples():
    """A budget holds up to limit plus slack of the ratio of minima, whatever the rest is."""
    fits = {"g": {"ours": [99.0, 11.0], "base": [10.0, 10.0]}}
    breaks = {"g": {"ours": [11.2], "base": [10.0]}}
    assert [True] == [one.holds for one in judge(fits, [PLAIN])]
    assert [False] == [one.holds for one in judge(breaks, [PLAIN])]


def test_gate_of_processes_compares_the_lower_quartiles():
    """One lucky start of many neither breaks a budget nor hides that it is broken."""
    by_quartile = replace(PLAIN, at="quartile")
    lucky_base = {"g": {"ours": [10.0] * 8, "base": [8.0] + [10.0] * 7}}
    lucky_ours = {"g": {"ours": [8.0] + [12.0] * 7, "base": [10.0] * 8}}
    assert [1.0, 1.2] == [judge(one, [by_quartile])[0].ratio for one in (lucky_base, lucky_ours)]


def test_gate_over_a_floor_compares_what_is_added():
    """With ``over``, the floor is taken off both sides."""
    (judged,) = judge({"g": {"ours": [14.0], "base": [20.0], "floor": [10.0]}}, [ADDED])
    assert pytest.approx(0.4) == judged.ratio


def test_broken_budget_says_what_where_and_how_far():
    """The line of a broken budget has group, both cases, the ratio and what is allowed."""
    (judged,) = judge({"g": {"ours": [15.0], "base": [10.0]}}, [PLAIN])
    assert "BROKEN g: ours / base = 1.500, allowed 1.00 + 0.10 slack (w)" == str(judged)


def test_turns_keep_every_round_but_the_first():
    """Each case is sampled once a round, in whatever order, and the warm-up is dropped."""
    calls: list[str] = []
    cases = {name: lambda name=name: float(len(calls.append(name) or calls)) for name in "ab"}
    samples = in_turns(cases, rounds=2)
    assert [2, 2] == [len(values) for values in samples.values()]
    assert [{"a", "b"}] * 3 == [set(calls[at : at + 2]) for at in (0, 2, 4)]


@pytest.mark.parametrize(("second", "code"), [(10.0, 0), (20.0, 1)])
def test_check_measures_a_broken_group_once_more(monkeypatch, capsys, second, code):
    """--check fails only if a budget is broken twice, and then exits 1."""
    ours, runs = BUDGETS[1], iter([20.0, second])
    monkeypatch.setattr(command, "measure", lambda name: {ours.ours: [next(runs)], ours.base: [10]})
    monkeypatch.setattr("sys.argv", ["bench", "--check", "--only", ours.group])
    monkeypatch.setattr(command.rivals, "versions", dict)
    assert code == command.main()
    assert ("BROKEN" in capsys.readouterr().out) is bool(code)


def test_missing_rival_is_told_with_its_cure(monkeypatch):
    """A rival that is not installed ends the run with the pip command that installs all."""
    monkeypatch.setitem(command.rivals.REQUIRED, "no-such-rival", "1.0")
    with pytest.raises(SystemExit, match=r"-m pip install .*no-such-rival==1\.0"):
        command.rivals.versions()


def test_page_has_all_cases_and_budgets():
    """The Markdown has a row for each case and each budget."""
    cases = {name: {one.ours: [1.0], one.base: [2.0]} for name, one in _first_budgets().items()}
    results = {name: {GROUPS[name].base: [2.0], **samples} for name, samples in cases.items()}
    judged = judge(results, _first_budgets().values())
    page = markdown(results, judged, {"wrapt": "2.5.2"})
    assert all(f"| {one.budget.ours} |" in page and one.budget.why in page for one in judged)


def _first_budgets() -> dict[str, Budget]:
    return {one.group: one for one in reversed(BUDGETS) if one.over is None}
