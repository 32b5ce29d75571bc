"""What attackers tried on jobs and the commands: each test is the best attempt of one finding."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from shimhub import data  # noqa: E402
from shimhub.cli import main  # noqa: E402
from shimhub.data.measuring._summaries import Summary  # noqa: E402


def test_every_public_name_can_be_had():
    """Each name of ``__all__`` is where ``_MODULES`` says."""
    assert [] == [name for name in data.__all__ if getattr(data, name, None) is None]
    with pytest.raises(AttributeError, match="no attribute 'dedupe'"):
        _ = data.dedupe


# ---- stats

floats = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)  # the first example imports the kernels
@given(st.lists(floats, min_size=1), st.integers(0, 50))
def test_means_of_floats_are_rounded_once(values, cut):
    """Whatever the split: no overflow, no order, subnormals too."""
    whole, left = Summary(pa.float64()), Summary(pa.float64())
    whole.add(pa.array(values[cut:], pa.float64()))
    left.add(pa.array(values[:cut], pa.float64()))
    whole.merge(Summary.read(left.told(), pa.float64()))
    assert float(sum(map(Fraction, values)) / len(values)) == whole.mean


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([1e308] * 3, 1e308),
        ([math.inf, 1.0], math.inf),
        ([-math.inf, None], -math.inf),
        ([math.inf, -math.inf], math.nan),
        ([math.nan], None),
        ([5e-324, 5e-324], 5e-324),
    ],
)
def test_means_with_infinities_are_floats_and_told(values, mean, tmp_path, capsys):
    """Sums over the greatest float, infinities and NaN: in Python, and as text."""
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": pa.array(values, pa.float64())}), file)
    (found,) = data.stats(file, workers=1).columns
    assert repr(mean) == repr(found.mean)
    assert 0 == main(["data", "stats", str(file), "--workers", "1"])
    assert (mean is not None) == ("mean" in capsys.readouterr().out)


def test_means_of_integers_do_not_overflow(tmp_path):
    """Nor do they of dictionaries of integers, whose lengths have no unit of lists."""
    file = tmp_path / "a.arrow"
    big = [2**63 - 1] * 3
    words = pa.array(["a", "bcd", None]).dictionary_encode()
    table = pa.table({"n": big, "d": pa.array(big).dictionary_encode(), "w": words})
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    one, two, three = data.stats(file, workers=1).columns
    assert (float(2**63 - 1), one.mean) == (one.mean, two.mean)
    assert ("letters", 3) == (three.unit, three.lengths["most"])
