"""The benchmark of accel: equal answers, what the promise means, and what the page says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from shimhub import accel
from shimhub.accel.model import OPS
from tests.bench.accel import measure, report
from tests.bench.accel.calls import AUTO, calls_of
from tests.bench.accel.measure import FORMS, Row

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("kind", "dtype"), FORMS)
@pytest.mark.parametrize("op", OPS)
def test_all_calls_of_a_row_have_one_answer(op, kind, dtype):
    """What is timed beside AUTO does the same work."""
    calls = calls_of(op, kind, dtype, 9)
    assert AUTO == next(iter(calls))
    expected = np.asarray(calls.pop(AUTO)())
    for call in calls.values():
        np.testing.assert_allclose(expected, np.asarray(call()), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("took", "holds"), [(110.0, True), (111.0, False), (100.0, True), (99.0, True)]
)
def test_the_promise_is_a_ratio(took, holds):
    """Of 100 us, 10 % more."""
    assert holds == Row("add", "list", "float64", 2, {AUTO: took, "numpy": 100.0}).holds


@pytest.mark.parametrize(("took", "holds"), [(0.59, True), (0.61, False)])
def test_short_calls_have_a_slack(took, holds):
    """Of 500 ns, 100 ns more."""
    row = Row("add", "list", "float64", 2, {AUTO: took, "numpy": 0.5, "torch": 3.0})
    assert ("numpy", holds) == (row.best, row.holds)


def test_the_page_tells_what_is_missed(monkeypatch):
    """With the best backend, and how many times its time."""
    rows = [Row(op, *form, 2, {AUTO: 1.0, "numpy": 1.0}) for op in OPS for form in FORMS]
    rows[0] = Row("matmul", *FORMS[0], 2, {AUTO: 4.0, "numpy": 2.0, "torch": 9.0})
    monkeypatch.setattr(measure, "_SECONDS", 0.0)
    text = report.page(rows, {("matmul", 50): {"PureSimple": 7.0, "PyTorchFFI": 2500.0}})
    assert "Not held by 1 of 70:" in text
    assert "| matmul | ndarray float32 | 2 | 4 us | numpy 2 us | 2.00 |" in text
    assert "| matmul 50 x 50 | ~5 ms | 7 us | ~1 ms | 2.5 ms |" in text


def test_the_guides_calls_are_timed_in_both_modes(monkeypatch):
    """And the mode is AUTO again."""
    monkeypatch.setattr(measure, "_SECONDS", 0.0)
    before = accel.get_current_mode()
    try:
        found = measure.seeds({("add", 4): None})
        assert accel.AccelMode.AUTO is accel.get_current_mode()
    finally:
        accel.set_acceleration(before)
    assert {"PureSimple", "PyTorchFFI"} == set(found["add", 4])
