"""What is told of shimhub.pure beside torch: figures here are made up, nothing is timed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.bench.pure import samples
from tests.bench.pure.figures import Row, Run, cells, crossing, middle, missed_of, page, share_of


def row(ours_step: float, torch_step: float, torch_import: float = 2.0, *, hidden: int = 16) -> Row:
    """Return a row of 450 steps, of which ours starts in 0.5 s and torch in 2.5 s."""
    ours = Run(0.5 + 450 * ours_step, 0.2, ours_step, 0.9)
    torch = Run(2.5 + 450 * torch_step, torch_import, torch_step, 0.91)
    return Row(hidden, 450, {"ours": ours, "torch": torch})


def test_the_crossover_is_where_both_lines_meet():
    """2 seconds of start at 1 ms a step are made up for in 2000 steps, and never by slower ones."""
    assert 2000 == round(row(2e-3, 1e-3).crossover)
    assert math.inf == row(1e-3, 1e-3).crossover
    assert "2,000 steps" == cells(row(2e-3, 1e-3))[-1]
    assert "never" == cells(row(1e-3, 2e-3))[-1]


def test_what_is_promised_is_checked():
    """A small model that torch trains sooner, and so on, are told; a wide one may be slower."""
    good, wide = row(1e-3, 1e-3), row(2e-3, 1e-3, hidden=1024)
    assert [] == missed_of([good, wide], [wide])
    assert ["importing takes 0.20 x torch's time"] == missed_of([row(1e-3, 1e-3, 1.0)], [])
    assert [
        "a small model is not trained sooner than by torch",
        "a step of the digits' model of 16 takes longer than torch's",
    ] == missed_of([row(1e-1, 1e-3)], [])
    dull = Row(8, 9, good.runs | {"auto": Run(1, 1, 1, 0.5)})
    assert ["width 8: accuracies are 50.0% of auto and 91.0% of torch"] == missed_of([good], [dull])


def test_importing_is_compared_by_the_least():
    """Noise only adds to it; all else is told by the median."""
    runs = [Run(*one) for one in ((1, 5, 1, 1), (2, 3, 2, 1), (9, 4, 9, 1))]
    assert Run(2, 3, 2, 1) == middle(runs)
    assert 0.1 == share_of([row(1, 1), row(1, 1, 4.0)])


@pytest.mark.parametrize(
    ("ours", "told"),
    [
        ((1, 1, 1), "up to 3 hidden units ours is the faster one"),
        ((1, 3, 3), "up to 1 hidden units ours is the faster one, and from 2 on torch's"),
        ((3, 1, 3), "from 1 hidden units, the least measured, torch's is the faster one"),
    ],
)
def test_where_torchs_step_is_faster_is_told(ours, told):
    """By the widths that were measured."""
    rows = [row(step, 2, hidden=width) for width, step in enumerate(ours, 1)]
    assert told == crossing(rows)


def test_the_page_has_a_line_for_each_width():
    """Each line has as many cells as the header of its table."""
    rows = [row(1e-3, 2e-3)] * 2
    three = [Row(16, 450, {"ours": one.ours, "auto": one.ours, "torch": one.torch}) for one in rows]
    lines = [one for one in page("ours", rows, three, 5).splitlines() if one.startswith("|")]
    assert [13] * 4 + [18] * 4 == [one.count("|") for one in lines]


def test_digits_of_both_sizes_are_what_the_processes_read(tmp_path):
    """Rows of float32 and classes of int64, as many as asked, ten of them; weights by shape."""
    for (x, y), pixels in ((samples.small()[1], 64), (samples.large(300), 784)):
        assert (np.float32, np.int64, pixels) == (x.dtype, y.dtype, x.shape[1])
        assert set(range(10)) == set(y.tolist())
        assert len(x) == len(y)
    samples.save(tmp_path, (x, y), 250)
    samples.save_weights(tmp_path, 784, 4)
    assert (4, 784) == np.load(tmp_path / "weights.npz")["0.weight"].shape
    assert x.tolist() == np.load(tmp_path / "x.npy").tolist()
