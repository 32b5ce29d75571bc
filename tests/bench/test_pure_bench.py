"""What is told of shimhub.pure beside torch: figures here are made up, nothing is timed."""

from __future__ import annotations

import math

from tests.bench.pure.__main__ import Row, Run, cells, missed_of, page


def row(ours_step: float, torch_step: float, torch_import: float = 2.0) -> Row:
    """Return a row of 450 steps, of which ours starts in 0.5 s and torch in 2.5 s."""
    ours = Run(0.5 + 450 * ours_step, 0.2, ours_step, 0.9)
    return Row(16, ours, Run(2.5 + 450 * torch_step, torch_import, torch_step, 0.91))


def test_the_crossover_is_where_both_lines_meet():
    """2 seconds of start at 1 ms a step are made up for in 2000 steps, and never by slower ones."""
    assert 2000 == round(row(2e-3, 1e-3).crossover)
    assert math.inf == row(1e-3, 1e-3).crossover
    assert "2,000 steps" == cells(row(2e-3, 1e-3))[-1]
    assert "never" == cells(row(1e-3, 2e-3))[-1]


def test_what_is_promised_is_checked():
    """A small model that torch trains sooner, and an import that takes long, are told."""
    assert [] == missed_of([row(1e-3, 1e-3)])
    assert ["a small model is not trained sooner than by torch"] == missed_of([row(1e-1, 1e-3)])
    assert ["importing takes 0.20 x torch's time"] == missed_of([row(1e-3, 1e-3, 1.0)])


def test_the_page_has_a_line_for_each_width():
    """Each line has as many cells as the header."""
    lines = [one for one in page([row(1e-3, 2e-3)] * 2, "digits", 5).splitlines() if "|" in one]
    assert [13] * 4 == [one.count("|") for one in lines]
