"""The harness of the kernels' benchmarks: little data, and no test looks at a duration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bench.kernels import __main__ as command
from tests.bench.kernels import areas, data, machine, report, rivals
from tests.bench.kernels.answers import first_difference
from tests.bench.kernels.areas import AREAS
from tests.bench.kernels.bars import AtLeast, AtMost, NearBest, judge
from tests.bench.kernels.harness import AnswersDiffer, Call, NotHere, Row, measure
from tests.bench.kernels.required import REQUIRED

ROOT = Path(__file__).parents[2]


def _not_here() -> Call:
    raise NotHere("not installed (no-such-rival)")


def _row(**calls) -> Row:
    return Row(id="row", title="A row", calls=calls, rounds=2)


def _timed(seconds: float) -> dict:
    return {"cpu": [seconds, 2 * seconds], "wall": [seconds], "note": "", "fact": ""}


@pytest.mark.parametrize(
    ("got", "told"),
    [
        ({"a": np.array([1, 2]), "b": [1, [2, 3]]}, ""),
        ({"a": np.array([1, 3]), "b": [1, [2, 3]]}, "['a']: at (1,): 2 != 3, 1 in all"),
        ({"a": np.array([1]), "b": [1, [2, 3]]}, "['a']: shape (2,) != (1,)"),
        ({"a": np.array([1, 2]), "b": [1, [2, 4]]}, "['b']: [1]: [1]: 3 != 4"),
        ({"a": np.array([1, 2]), "b": [1]}, "['b']: length 2 != 1"),
        ({"a": np.array([1, 2]), "b": 1}, "['b']: a list != a int"),
        ({"a": np.array([1, 2])}, "keys ['a', 'b'] != ['a']"),
    ],
)
def test_first_difference_is_found_and_placed(got, told):
    """Whatever the container, equal answers give nothing, and others the first place."""
    assert told == first_difference({"a": np.array([1, 2]), "b": [1, [2, 3]]}, got)


def test_tolerance_is_for_values_alone():
    """Floats may be apart by the tolerance, not by more; NaN equals NaN; shapes must agree."""
    expected = np.array([1.0, np.nan])
    assert "" == first_difference(expected, np.array([1.01, np.nan]), 0.02)
    assert first_difference(expected, np.array([1.1, np.nan]), 0.02)
    assert first_difference(expected, np.array([1.0]), 0.02)
    assert ["", "0.5 != 0.51"] == [first_difference(0.5, 0.51, one) for one in (0.02, 0.0)]


def test_lists_of_arrays_are_compared_one_by_one():
    """Where ``==`` of two lists has no truth, their items are looked at."""
    arrays = [np.array([1, 2]), np.array([3, 4])]
    assert "" == first_difference(arrays, [one.copy() for one in arrays])
    assert "[1]: at (1,)" in first_difference(arrays, [arrays[0], np.array([3, 5])])


def test_other_answers_end_the_run():
    """A call that answers otherwise than the first is named with it; nothing is timed."""
    timed = []
    row = _row(
        ours=lambda: Call(lambda: [1, 2]), rival=lambda: Call(lambda: timed.append(1) or [1])
    )
    with pytest.raises(AnswersDiffer, match="row: 'rival' answers otherwise than 'ours': length"):
        measure(row)
    assert [1] == timed


def test_answers_are_brought_into_one_form_first():
    """``answer`` makes answers comparable; None says that this one is another by design."""
    row = _row(
        ours=lambda: Call(lambda: np.array([1, 2])),
        rival=lambda: Call(lambda: [1, 2], answer=np.asarray),
        other=lambda: Call(lambda: "something else", answer=None, note="another answer"),
    )
    told = measure(row)
    assert [2, 2, 2] == [len(told[name]["cpu"]) for name in row.calls]
    assert "another answer" == told["other"]["note"]


def test_fresh_arguments_are_new_in_each_run():
    """A callee that empties what it is given finds it full in every run."""
    seen = []
    call = Call(lambda values: seen.append(len(values)) or values.clear(), fresh=lambda: ([1, 2],))
    measure(_row(ours=lambda: call))
    assert {2} == set(seen)


def test_missing_rival_is_told_in_its_row():
    """What is not installed is in the table as such; the others are measured."""
    calls = measure(_row(shimhub=lambda: Call(lambda: 1), rival=_not_here))
    assert {"missing": "not installed (no-such-rival)"} == calls["rival"]
    row = {"title": "A row", "amount": 1, "unit": "calls", "calls": calls}
    for page in (report.text(AREAS["abi"], {"row": row}), _page(row)):
        assert "not installed (no-such-rival)" in page
        assert "shimhub" in page


def _page(row) -> str:
    return report.markdown({"abi": {"row": row}}, [], {"rival": "not installed"})


def test_rival_that_is_not_installed_is_no_error():
    """Loading it says which distribution is missing; so does a kernel that does not exist."""
    with pytest.raises(NotHere, match=r"not installed \(no-dist: "):
        rivals.load("no_such_module", "no-dist")
    with pytest.raises(NotHere, match=r"no_such_kernel|no native library"):
        rivals.ours("no_such_kernel")


def test_axolotl_must_be_the_real_one(monkeypatch):
    """A module that another package put under axolotl's name is not measured as axolotl."""
    fake = type(sys)("axolotl.utils.collators")
    monkeypatch.setitem(sys.modules, "axolotl.utils.collators", fake)
    monkeypatch.setitem(sys.modules, "axolotl", type(sys)("axolotl"))
    monkeypatch.setitem(sys.modules, "axolotl.utils", type(sys)("axolotl.utils"))
    with pytest.raises(NotHere, match="is not axolotl's"):
        rivals.axolotl("utils.collators")


@pytest.mark.parametrize(("ours", "holds"), [(0.1, True), (0.11, False)])
def test_ratio_is_of_least_times(ours, holds):
    """AtLeast holds if the rival's least time is the required multiple of ours."""
    results = {"a": {"r": {"o": _timed(ours), "b": _timed(1.0)}}}
    (verdict,) = judge(results, [AtLeast("a", "r", "o", "b", 10)])
    assert holds is verdict.holds
    assert str(verdict).startswith("holds " if holds else "MISSED")


@pytest.mark.parametrize(("ours", "holds"), [(0.1, True), (0.101, False)])
def test_absolute_time_is_cpu_time(ours, holds):
    """AtMost holds up to that many milliseconds."""
    (verdict,) = judge({"a": {"r": {"o": _timed(ours)}}}, [AtMost("a", "r", "o", 100)])
    assert holds is verdict.holds


@pytest.mark.parametrize(
    ("ours", "other", "holds"),
    [
        (1.1, 1.0, True),
        (1.2, 1.0, False),
        (9e-7, 8.01e-7, True),
        (9.1e-7, 8e-7, False),
        (1, 2, True),
    ],
)
def test_near_best_allows_a_tenth_or_100_ns(ours, other, holds):
    """NearBest compares with the fastest of all, our own call among them."""
    results = {"a": {"r": {"o": _timed(ours), "b": _timed(other), "c": _timed(9.0)}}}
    (verdict,) = judge(results, [NearBest("a", "r", "o", ("b", "c"))])
    assert holds is verdict.holds


def test_what_was_not_measured_is_missed():
    """A bar whose rival, kernel or row is missing is missed, and says why."""
    bars = [
        AtLeast("a", "r", "o", "b", 2),
        AtMost("a", "r", "b", 2),
        NearBest("a", "r", "o", ("b",)),
        AtLeast("a", "no row", "o", "b", 2),
    ]
    verdicts = judge({"a": {"r": {"o": _timed(1.0), "b": {"missing": "gone"}}}}, bars)
    assert [False] * 4 == [one.holds for one in verdicts]
    assert ["b: gone"] * 3 == [one.told for one in verdicts[:3]]


def test_bars_name_rows_and_calls_that_exist():
    """Each required ratio is of calls that its area measures, and each area has rows."""
    rows = {name: {row.id: row for row in areas.rows_of(name, small=False)} for name in AREAS}
    assert all(rows.values())
    for bar in REQUIRED:
        calls = rows[bar.area][bar.row].calls
        for name in (bar.ours, *getattr(bar, "others", ()), getattr(bar, "base", bar.ours)):
            assert name in calls, (bar, name)


def _main(monkeypatch, runs, *options) -> int:
    """Run the command with made-up measurements: one of ``runs`` for each time it measures."""
    waiting = iter(runs)

    def measured(_name, **_small):
        run = next(waiting)
        if isinstance(run, Exception):
            raise run
        return {"r": {"title": "t", "amount": 1, "unit": "u", "calls": run}}

    monkeypatch.setattr(command.areas, "measure_apart", measured)
    monkeypatch.setattr(command, "REQUIRED", [AtLeast("abi", "r", "shimhub", "rival", 2)])
    monkeypatch.setattr("sys.argv", ["bench", "--area", "abi", *options])
    return command.main()


_HELD = {"shimhub": _timed(1.0), "rival": _timed(2.0)}
_MISSED = {"shimhub": _timed(1.0), "rival": _timed(1.9)}
_ABSENT = {**_HELD, "other": {"missing": "not installed (other)"}}


@pytest.mark.parametrize(
    ("runs", "code", "said"),
    [
        ([_HELD], 0, "holds  abi"),
        ([_MISSED, _HELD], 0, "measuring once more"),
        ([_MISSED, _MISSED], 1, "MISSED abi"),
        ([_ABSENT], 1, "MISSING other: not installed (other)"),
        ([AnswersDiffer("abi: they differ")], 1, "FAILED abi: they differ"),
    ],
)
def test_check_tells_by_its_exit_status(monkeypatch, capsys, runs, code, said):
    """--check is 0 only if all ratios are held, all rivals are there, and all answers agree."""
    assert code == _main(monkeypatch, runs, "--check")
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(("run", "code"), [(_MISSED, 0), (AnswersDiffer("they differ"), 1)])
def test_without_check_only_other_answers_fail(monkeypatch, run, code):
    """Figures alone are told and judged, and not held; other answers are an error always."""
    assert code == _main(monkeypatch, [run])


def test_page_and_pictures_are_written(monkeypatch, tmp_path):
    """--write makes the page, with the command that makes it, and one PNG for each area."""
    pytest.importorskip("matplotlib")
    assert 0 == _main(monkeypatch, [_ABSENT], "--write", str(tmp_path))
    page = (tmp_path / "benchmarks-kernels.md").read_text(encoding="utf-8")
    assert "make bench-kernels" in page
    assert "| **shimhub** | 1 s | 1.5 s | 1 |" in page
    assert "| abi: r: shimhub against rival | 2.00 x | 2 x | holds |" in page
    assert (tmp_path / "kernels-abi.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("times", [1, 3, 30])
def test_picture_has_room_for_what_is_required(monkeypatch, tmp_path, times):
    """A mark far beyond the bars fits in; where one does not, matplotlib warns: an error here."""
    plots = pytest.importorskip("tests.bench.kernels.plots", exc_type=ImportError)
    monkeypatch.setattr(plots, "REQUIRED", [AtLeast("abi", "r", "shimhub", "rival", times)])
    row = {"title": "t", "amount": 1, "unit": "u", "calls": _HELD}
    plots.draw("abi", {"r": row}, tmp_path / "a.png")
    assert (tmp_path / "a.png").exists()


def test_process_of_an_area_measures_it():
    """One area is measured from the command line, in processes of its own, with little data."""
    line = [sys.executable, "-m", "tests.bench.kernels", "--small", "--area", "abi"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    assert "one build for each Python" in done.stdout


def test_answers_that_differ_fail_in_the_process_too(monkeypatch, capsys):
    """The measuring process says what differs on stderr, and ends with 1."""

    def differ(_name, **_small):
        raise AnswersDiffer("row: they differ")

    monkeypatch.setattr(command.areas, "measure_here", differ)
    monkeypatch.setattr("sys.argv", ["bench", "--measure", "abi"])
    assert 1 == command.main()
    assert "FAILED row: they differ\n" == capsys.readouterr().err


def test_all_threads_are_measured_apart(monkeypatch):
    """Calls that use threads get the wall time of a second process; others do not."""
    row = Row("r", "t", {"a": lambda: Call(int), "b": lambda: Call(int)}, threaded=frozenset("a"))
    monkeypatch.setattr(areas, "rows_of", lambda name, small: [row])
    monkeypatch.setattr(areas, "_process", _measured_in_turn(monkeypatch))
    calls = areas.measure_apart("abi", small=True)["r"]["calls"]
    assert ["a"] == [name for name, told in calls.items() if "wall, all threads" in told]


def _measured_in_turn(monkeypatch):
    def process(name, *, small, one_thread):
        for variable, value in machine.environment(one_thread=one_thread).items():
            monkeypatch.setenv(variable, value)
        if not one_thread:
            monkeypatch.delenv("SHIMHUB_BENCH_THREADS")
        return areas.measure_here(name, small=small)

    return process


def test_one_thread_is_told_to_all():
    """The measuring process is held to one thread; the other one is as the user's would be."""
    one, free = (machine.environment(one_thread=told) for told in (True, False))
    assert {"1"} == {one[name] for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS")}
    assert not {"OMP_NUM_THREADS", "POLARS_MAX_THREADS", "SHIMHUB_BENCH_THREADS"} & set(free)


def test_texts_are_the_same_in_every_run():
    """Rows are valid UTF-8 of about that size, 15 % of them copies, half of them not ASCII."""
    pytest.importorskip("pyarrow")
    texts = data.texts(2000, 100, non_ascii=True)
    texts.validate(full=True)
    rows = texts.to_pylist()
    assert 1700 == len(set(rows))
    assert 700 < sum(not one.isascii() for one in rows) < 1100
    assert {50, 150} >= {min(map(_bytes, rows)) // 50 * 50, max(map(_bytes, rows)) // 50 * 50}
    assert rows == data.texts(2000, 100, non_ascii=True).to_pylist()


def _bytes(text: str) -> int:
    return len(text.encode())


def test_lengths_are_within_their_bounds():
    """Lengths are of 1 to the longest, with about the mean that was asked."""
    lengths = data.lengths(20_000, 300, 2048)
    assert (np.int32, True) == (lengths.dtype, 270 < lengths.mean() < 320)
    assert lengths.min() >= 1
    assert lengths.max() == 2048


def test_pins_are_those_of_the_extra():
    """`make bench-rivals` installs what the page compares: pyproject.toml and the table agree."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    extra = text.partition("bench-kernels = [")[2].partition("\n]")[0]
    for name, pin in rivals.PINS.items():
        assert f"{name}=={pin}" in extra + makefile + constraints, name
