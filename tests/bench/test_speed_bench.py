"""What is told of judges: figures here are made up, nothing is timed."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from shimhub.speed import Timing, Verdict
from tests.bench.speed import __main__ as command
from tests.bench.speed import falsepos, judges, report
from tests.bench.speed.falsepos import Row, wilson
from tests.bench.speed.power import Power


def timing(verdict: Verdict) -> Timing:
    """Return a Timing with this verdict, of 20 pairs."""
    return Timing(verdict, 1.29, 1.2, 1.4, 20, 0.99, 0.5)


def rows(wrong: int, times: int = 200) -> list[Row]:
    """Return a row that claimed ``wrong`` of ``times``, and one that is not installed."""
    row = Row("ours", "as it is")
    for turn in range(times):
        row.add((turn < wrong, 1.1, "FASTER" if turn < wrong else "UNDECIDED"), 0.5)
    return [row, Row("rival", "its way", missing="rival==1.0")]


def runs(found: int) -> Power:
    """Return 50 runs of which ``found`` found the gain."""
    said = [Verdict.FASTER if turn < found else Verdict.UNDECIDED for turn in range(50)]
    return Power([timing(one) for one in said])


@pytest.mark.parametrize(("wrong", "found", "missed"), [(2, 45, 0), (3, 45, 1), (2, 44, 1)])
def test_limits_are_two_of_200_and_45_of_50(wrong, found, missed):
    """What is promised is held at the limit, and missed one beyond it."""
    assert missed == len(command.missed_of(rows(wrong)[0], runs(found)))


def test_interval_of_a_share_holds_it():
    """Wilson's interval: of none in 200 it ends below 2 %, and of half it is around the half."""
    assert (0.0, pytest.approx(0.0188, abs=1e-4)) == wilson(0, 200)
    low, high = wilson(100, 200)
    assert 0.43 < low < 0.5 < high < 0.57


def test_page_tells_claims_and_who_was_left_out():
    """The page has each judge's claims, and what a judge that is not installed needs."""
    text = report.page(rows(2), runs(45), ([["noise", "no-op"], ["normal", "0 of 9"]], 0, 9))
    assert "| ours | 200 | **2** | 0.3% to 3.6% | 1.10 x | 0.50 s |" in text
    assert "198 UNDECIDED, 2 FASTER" in text
    assert "left out: needs rival==1.0" in text
    assert "| 50 | **45** | 20 (at most 20) | 1.290 x | 50 of 50 | 0.50 s |" in text
    assert "| normal | 0 of 9 |" in text


def test_rival_that_is_not_installed_is_left_out(monkeypatch):
    """A judge whose package is missing is told with the requirement, and not asked."""
    monkeypatch.setattr(judges.util, "find_spec", lambda name: None)
    ours, *_, last = judges.JUDGES
    assert ("", "slowai==0.10.0") == (ours.missing(), last.missing())
    assert "slowai==0.10.0" == falsepos._asked(last, 1).missing


def test_slow_judge_is_asked_once_and_no_more():
    """A judge whose time is up is asked no more, but once at least: the page tells how often."""
    slow = judges.Judge("slow", "its way", lambda turn: (False, 1.0, "same"), 200, limit_s=-1.0)
    assert 1 == falsepos._asked(slow, 200).times
