"""Crossovers: from times to sizes, measured on this machine, kept, used, forgotten."""

from __future__ import annotations

import json
import math
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from shimhub import accel, kernels
from shimhub.accel import (
    _machine,
    _plots,
    _timing,
    _workloads,
    calibration,
    crossovers,
    table,
    thresholds,
)
from shimhub.accel._fitting import (
    TIE,
    TIE_OF_LISTS,
    TIE_OF_TENSORS,
    Line,
    Point,
    crossover_of,
    line_of,
    range_of,
    time_at,
    worst_of,
)
from shimhub.accel.model import BY_ROWS, OPS
from shimhub.accel.table import Entry, Table

needs_native = pytest.mark.skipif(not kernels.available(), reason="needs the native library")
KEY = ("relu", "ndarray", "float32")
MACHINE = {"cpu": "one", "threads": {"OMP_NUM_THREADS": "1"}}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and no calibration in use before or after."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    crossovers.forget()
    yield tmp_path
    crossovers.forget()


@pytest.fixture
def measured(monkeypatch):
    """Times that are made up: torch takes 10 us, and half of ours from there on."""
    pytest.importorskip("torch")

    def pair_us(one, _other, _budget):
        work = one.__self__.work
        return 1 + work / 1000, 10 + work / 2000

    def arms(*asked):
        work = float(math.prod(asked[-1]))
        call = _Timed(work)
        return _workloads.Arms(work, call, call)

    monkeypatch.setattr(calibration, "pair_us", pair_us)
    monkeypatch.setattr(calibration._workloads, "arms", arms)


class _Timed:
    def __init__(self, work):
        self.work = work

    def sample_ns(self, _count):
        return self.work


def points_of(pure, torch, works=(4, 16, 64, 256, 1024, 4096)):
    """Return points by two cost lines."""
    return [Point(work, pure.at(work), torch.at(work)) for work in works]


# ---- from times to sizes


def test_a_line_is_found_again():
    """Times on a line give its two parts back."""
    line = Line(3.5, 0.25)
    found = line_of([(work, line.at(work)) for work in (1, 10, 100, 1000)])
    assert pytest.approx(line) == found


@pytest.mark.parametrize("times", [[(5, 2.0)], [(1, 9.0), (100, 3.0)], [(1, 0.01), (10, 40.0)]])
def test_no_part_of_a_line_is_below_zero(times):
    """Falling times have no slope; those that begin below zero no overhead."""
    assert all(part >= 0 for part in line_of(times))


def test_a_crossover_is_where_two_lines_meet():
    """Ours 1 + w/100, torch 5 + w/200: equal at 800; found between sizes within 20 %."""
    found = crossover_of(points_of(Line(1, 0.01), Line(5, 0.005)))
    assert pytest.approx(800, rel=0.2) == found


def test_never_and_always():
    """The better one everywhere is taken everywhere; a tie is ours, and so is what is unknown."""
    cheap, dear = Line(1, 0.01), Line(5, 0.05)
    assert math.inf == crossover_of(points_of(cheap, dear))
    assert 0 == crossover_of(points_of(dear, cheap))
    assert math.inf == crossover_of(points_of(cheap, Line(0.97, 0.0097)))
    assert math.inf == crossover_of([])


def test_the_worst_loss_decides():
    """Where torch is better at both ends, the cut is at the greater of its gains."""
    points = [Point(1, 1.1, 1.0), Point(10, 1.0, 3.0), Point(100, 4.0, 1.0)]
    found = crossover_of(points)
    assert 10 < found < 100
    assert pytest.approx(1.1) == worst_of(points, 2)


@pytest.mark.parametrize(("before", "kept"), [(800, True), (960, True), (1100, False)])
def test_a_size_in_use_stays_if_it_is_near(before, kept):
    """Within 15 % of what is measured nothing changes."""
    points = points_of(Line(1, 0.01), Line(5, 0.005), works=(4, 400, 1600, 99999))
    assert kept == (before == crossover_of(points, before))


def test_never_stays_never_only_if_measured():
    """A crossover that is found replaces never, and never replaces one."""
    points = points_of(Line(1, 0.01), Line(5, 0.005))
    assert 4096 > crossover_of(points, math.inf)
    assert math.inf == crossover_of(points_of(Line(1, 1), Line(9, 9)), 800.0)


OURS, EVEN, THEIRS = (1.0, 2.0), (1.0, 1.0), (2.0, 1.0)


def ranged(*times, works=(10, 100, 1000, 10_000)):
    """Return points of (ours, torch's) microseconds at works that are tenfold each."""
    return [Point(work, *each) for work, each in zip(works, times, strict=True)]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((THEIRS, THEIRS, THEIRS, THEIRS), (0, math.inf)),
        ((OURS, OURS, OURS, OURS), (math.inf, math.inf)),
        ((EVEN, EVEN, EVEN, EVEN), (0, math.inf)),
        ((THEIRS, THEIRS, OURS, OURS), (0, 317)),  # the middle of 100 and 1000, in logarithms
        ((OURS, THEIRS, THEIRS, OURS), (33, 3163)),
        ((OURS, OURS, THEIRS, THEIRS), (317, math.inf)),
        ((THEIRS, EVEN, OURS, OURS), (0, 1000)),  # a tie is torch's, and all up to the next
        ((OURS, EVEN, THEIRS, THEIRS), (11, math.inf)),
    ],
)
def test_tensors_stay_in_torch_in_a_range(times, expected):
    """Ours are those below it and from its end on; where both take the same time it is torch's."""
    assert expected == range_of(ranged(*times))


def test_no_range_has_a_hole():
    """Where torch is better at both ends and worse between, the lesser loss is taken."""
    assert (0, math.inf) == range_of(ranged((3, 1), (1, 1.2), (1, 1.2), (3, 1)))
    assert (0, 317) == range_of(ranged((3, 1), (2, 1), (1, 2), (1.1, 1)))
    assert (0, math.inf) == range_of([])


def test_lists_leave_ours_for_more():
    """Where torch gains 8 % arrays are its, and lists stay: a size sends all of them to Python."""
    points = ranged(OURS, OURS, (1.08, 1.0), (1.08, 1.0))
    assert 794 == crossover_of(points)
    assert math.inf == crossover_of(points, tie=TIE_OF_LISTS)


@pytest.mark.parametrize("points", [3, 4, 5])
def test_a_range_loses_the_least_that_one_can(points):
    """Of all ranges of some hundred draws of times, none has a worst call that is better.

    But always, where that loses little: no size is asked for then.
    """
    drawn = np.random.default_rng(points)
    for _ in range(150):
        works = [10.0**power for power in range(1, points + 1)]
        found = [Point(work, *drawn.uniform(1, 3, 2)) for work in works]
        low, high = range_of(found)
        least = min(
            worst_in(found, one, other)
            for one in [0.0, *works, math.inf]
            for other in [*works, math.inf]
        )
        always = worst_in(found, 0.0, math.inf) <= TIE_OF_TENSORS
        assert not always or (low, high) == (0.0, math.inf)
        assert always or worst_in(found, low, high) <= max(1.02 * least, 1.05) + 1e-9


def worst_in(points, low, high):
    """Return the worst loss where torch computes what is in a range."""
    return max(
        (one.torch if low <= one.work < high else one.pure) / min(one.pure, one.torch)
        for one in points
    )


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ((30.0, 3000.0), (30, 3000)),
        ((30.0, 2000.0), (30, 3163)),
        ((99.0, 3100.0), (33, 3100)),
        ((0.0, math.inf), (33, 3163)),
    ],
)
def test_each_end_of_a_range_stays_if_it_is_near(before, expected):
    """Within 15 %, each by itself."""
    assert expected == range_of(ranged(OURS, THEIRS, THEIRS, OURS), before)


def test_times_between_and_beyond():
    """Between measured sizes by them, beyond them by the line."""
    times = [(10.0, 1.0), (1000.0, 100.0)]
    assert pytest.approx(10) == time_at(times, Line(0, 1), 100)
    assert 5000 == time_at(times, Line(0, 1), 5000)


# ---- tables


def table_of(*entries, machine=None):
    """Return a table of a machine."""
    return Table(machine or _machine.validators(), {one.key: one for one in entries})


def entry(threshold=500.0):
    """Return the entry of KEY."""
    return Entry(*KEY, threshold, (Point(4, 1.0, 10.0), Point(1024, 20.0, 10.0)))


@pytest.mark.parametrize("threshold", [0.0, 12.0, math.inf])
@pytest.mark.parametrize("until", [12.0, 50.0, math.inf])
def test_a_table_is_read_as_it_was_written(threshold, until):
    """Also "never"; JSON has no infinity."""
    until = max(threshold, until)
    rows, short = (Point(16, 1.0, 3.0),), (until, math.inf)
    made = table_of(
        entry(threshold), Entry("softmax", "tensor", "float32", threshold, (), until, rows, short)
    )
    assert made == table.read(table.text_of(made).encode())


def test_what_is_kept_is_used():
    """A calibration of this machine goes before the shipped table, and is told."""
    assert "" == table.store(table_of(entry()))
    crossovers.forget()
    assert (500.0, "calibrated") == (crossovers.crossover(*KEY), crossovers.source(*KEY))
    assert "" == crossovers.why_not_calibrated()
    found = accel.get_threshold("relu")
    assert (500.0, "calibrated") == (float(found), found.source)
    assert pytest.approx(20) == crossovers.predicted_us(*KEY, "native", 1024)
    assert pytest.approx(10) == crossovers.predicted_us(*KEY, "torch", 1024)


def test_a_range_is_told():
    """By get_threshold, which has its end, and by explain, which has its reason."""
    torch = pytest.importorskip("torch")
    crossovers.use(table_of(Entry("relu", "tensor", "float32", 10.0, (), 100.0)))
    thresholds.changed()
    found = accel.get_threshold("relu", "tensor")
    assert (10, 100, "calibrated", "10 until 100") == (found, found.until, found.source, f"{found}")
    assert (10, 100) == (pickle.loads(pickle.dumps(found)), pickle.loads(pickle.dumps(found)).until)
    with accel.using("auto"):
        told = [accel.explain("relu", torch.ones(size)) for size in (9, 10, 99, 100)]
    assert [False, True, True, False] == [one.backend == "torch" for one in told]
    reasons = ["below the threshold", "stays in torch", "stays in torch", "not below the range's"]
    assert [True] * 4 == [
        one.reason.startswith(why) for one, why in zip(told, reasons, strict=True)
    ]
    assert {(10.0, 100.0, "calibrated")} == {(one.threshold, one.until, one.source) for one in told}


@needs_native
def test_calls_on_tensors_obey_a_range():
    """Ours compute below it and from its end on, whoever dispatches."""
    torch = pytest.importorskip("torch")
    crossovers.use(table_of(Entry("tanh", "tensor", "float64", 10.0, (), 100.0)))
    thresholds.changed()
    accel.reset_stats()
    with accel.using("auto"):
        for size in (9, 10, 99, 100):
            x = torch.linspace(-1, 1, size, dtype=torch.float64)
            torch.testing.assert_close(torch.tanh(x), accel.tanh(x))
    found = accel.get_stats()
    assert (2, 2, 0) == (found.pure_count, found.ffi_count, found.fallback_count)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("pure", (0, math.inf)), ("torch", (0, math.inf)), ("native", (math.inf, math.inf))],
)
def test_other_modes_have_their_own_range(mode, expected):
    """Whatever was measured: tensors are torch's, or ours in mode NATIVE."""
    with accel.using(mode) as settings:
        assert expected == thresholds.tensor_range("gelu", "float64", settings)


def test_a_threshold_of_nothing_that_is_measured_is_refused():
    """By the kind of input and the dtype, with what there is."""
    with pytest.raises(
        accel.ThresholdError, match=r"'tensors' of 'float32'.*list, ndarray, tensor"
    ):
        accel.get_threshold("relu", "tensors")
    with pytest.raises(accel.ThresholdError, match=r"'ndarray' of 'float16'.*float64"):
        accel.get_threshold("relu", dtype="float16")
    assert accel.get_threshold("cross_entropy", "list") == accel.get_threshold(
        "cross_entropy", "list", "float64"
    )


def test_a_word_of_the_user_goes_before():
    """A set threshold overrides a calibration."""
    crossovers.use(table_of(entry()))
    accel.set_threshold("relu", 7)
    try:
        assert (7, "set_threshold") == (
            accel.get_threshold("relu"),
            accel.get_threshold("relu").source,
        )
    finally:
        accel.set_threshold("relu", None)


@pytest.mark.parametrize(
    "name", ["numpy", "torch", "cpu", "features", "quota", "threads", "kernels"]
)
def test_what_is_another_machines_is_not_used(name):
    """One thing that differs is enough; what it is is told."""
    ours = _machine.validators()
    theirs = {**ours, name: {} if name == "threads" else "other"}
    assert "" == table.store(table_of(entry(), machine=theirs))
    assert (None, table.NEW) == table.load(ours)
    told = [
        line for one in table.others().values() for line in _machine.differing(one.machine, ours)
    ]
    assert [name] == [line.partition(":")[0] for line in told]


def test_no_file_is_read_where_there_is_no_folder(monkeypatch):
    """Without any calibration nothing of the machine is looked up."""
    monkeypatch.setattr(table, "validators", lambda: pytest.fail("looked up"))
    assert (None, table.NEW) == table.load()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is not shimhub.accel.table/2"),
        ('{"schema": "shimhub.accel.table/2"}', "has no machine or no entries"),
        (
            '{"schema": "shimhub.accel.table/1"}',
            "is shimhub.accel.table/1, which is not shimhub.accel.table/2",
        ),
        ("[1]", "has an entry that is none"),
        ('[{"op": "rm"}]', "has an entry of 'rm', None, None"),
        ('[{"op": ["add"], "kind": "list", "dtype": "float64"}]', "has an entry of ['add'],"),
        ("[{%s}]", "has an entry of relu without a threshold or points"),
        ('[{%s, "threshold": -1, "points": []}]', "has an entry of relu without a threshold"),
        ('[{%s, "threshold": true, "points": []}]', "has an entry of relu without a threshold"),
        ('[{%s, "threshold": NaN, "points": []}]', "has an entry of relu without a threshold"),
        ('[{%s, "threshold": 1, "until": 0, "points": []}]', "has an entry of relu with a range"),
        ('[{%s, "threshold": 1, "until": 9, "points": []}]', "has an entry of relu with a range"),
        ('[{%s, "threshold": 1, "until": {}, "points": []}]', "has an entry of relu without a"),
        ('[{%s, "threshold": 1, "points": [[1, 2]]}]', "has a point of relu that cannot be"),
        ('[{%s, "threshold": 1, "points": [], "rows": 1}]', "has an entry of relu without a"),
        (
            '[{%s, "threshold": 1, "points": [], "rows": [[1, 1, 1]]}]',
            "has an entry of relu with a range",
        ),
        ('[{%s, "threshold": 1, "points": [], "short": 1}]', "has an entry of relu without a"),
        ('[{%s, "threshold": 1, "points": [], "short": [3, 2]}]', "has an entry of relu with a"),
        ('[{%s, "threshold": 1, "points": [], "rows": [1]}]', "has a point of relu that cannot"),
        ('[{%s, "threshold": 1, "points": [[1, 0, 2]]}]', "has a point of relu that cannot be"),
        ('[{%s, "threshold": 1, "points": [[1, 1, Infinity]]}]', "has a point of relu that cannot"),
    ],
)
def test_a_file_that_is_no_table_is_left_aside(text, told):
    """With a reason; the shipped table serves."""
    text = text.replace("%s", '"op": "relu", "kind": "ndarray", "dtype": "float32"')
    if text.startswith("[") and text != "[]" and not text.startswith("[["):
        text = f'{{"schema": "{table.SCHEMA}", "machine": {{}}, "entries": {text}}}'
    os.makedirs(table.folder())
    file = table.path_of(MACHINE)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
        stream.write(text)
    found, why = table.load(MACHINE)
    assert found is None
    assert why.startswith(f"its file {told}")
    assert {} == table.others()


def test_a_file_of_another_question_is_left_aside():
    """A name is no proof: the machine in the file is compared."""
    table.store(table_of(entry(), machine=MACHINE))
    other = {**MACHINE, "cpu": "two"}
    os.rename(table.path_of(MACHINE), table.path_of(other))
    assert (None, "its file is another machine's") == table.load(other)


def test_a_file_that_others_may_write_is_not_trusted():
    """Nor one that cannot be read."""
    table.store(table_of(entry(), machine=MACHINE))
    file = table.path_of(MACHINE)
    os.chmod(file, 0o666)
    assert (None, "others may write its file, so it is not trusted") == table.load(MACHINE)
    os.unlink(file)
    os.mkdir(file)
    assert (None, "its file cannot be read: Is a directory") == table.load(MACHINE)


def test_what_cannot_be_kept_is_told(cache):
    """The reason names the file; nothing is left behind."""
    (cache / "shimhub").write_text("")
    assert "Not a directory" in table.store(table_of(entry(), machine=MACHINE))


def test_a_missing_shipped_table_is_no_table(monkeypatch, tmp_path):
    """Defaults serve: tensors stay in torch, all else is ours."""
    monkeypatch.setattr(table, "SHIPPED", tmp_path / "none.json")
    table.shipped.cache_clear()
    try:
        crossovers.use(None)
        assert (math.inf, "default") == (crossovers.crossover(*KEY), crossovers.source(*KEY))
        assert 0 == crossovers.crossover("relu", "tensor", "float32")
        assert crossovers.predicted_us(*KEY, "torch", 4) is None
    finally:
        table.shipped.cache_clear()


def test_the_shipped_table_is_whole():
    """It has every operation for every kind of input, with the times it was made from."""
    expected = {(op, *form) for op in OPS for form in calibration._FORMS}
    found = table.shipped().entries
    assert expected == set(found)
    assert all(one.points for one in found.values())
    assert "shipped" == crossovers.source(*KEY)
    assert "1" == table.shipped().machine["threads"]["OMP_NUM_THREADS"]


@pytest.mark.parametrize("key", sorted(table.shipped().entries), ids="-".join)
def test_a_shipped_size_follows_from_its_times(key):
    """No size was written by hand."""
    one = table.shipped().entries[key]
    if one.kind == "tensor":
        assert (one.threshold, one.until) == range_of(one.points)
        assert one.short == range_of(one.rows)
        assert bool(one.rows) <= (one.op in BY_ROWS)
    else:
        tie = TIE_OF_LISTS if one.kind == "list" else TIE
        assert (one.threshold, one.until) == (crossover_of(one.points, tie=tie), math.inf)


# ---- measuring


@pytest.mark.usefixtures("measured")
def test_calibrating_measures_keeps_and_uses():
    """Our 1 + w/1000 and torch's 10 + w/2000 meet at 18,000; a new process finds it."""
    told = []
    made = calibration.calibrate(["relu", "losses"], budget_s=5, told=told.append)
    assert made.measured == tuple(told)
    assert {"relu", "mse_loss", "cross_entropy"} == {one.op for one in told}
    assert pytest.approx(18_000, rel=0.2) == crossovers.crossover(*KEY)
    assert ("", "calibrated") == (made.not_kept, crossovers.source(*KEY))
    assert "shipped" == crossovers.source("add", "ndarray", "float32")
    crossovers.forget()
    assert made.table.entries[KEY].threshold == crossovers.crossover(*KEY)


@pytest.mark.usefixtures("measured")
def test_what_is_not_asked_for_stays():
    """A second calibration of another operation adds to the first."""
    calibration.calibrate("relu", budget_s=5)
    made = calibration.calibrate("add", budget_s=5)
    assert {"relu", "add"} == {one.op for one in made.table.entries.values()}


@pytest.mark.usefixtures("measured")
def test_dispatch_hears_of_it():
    """The way of calls is asked again after a calibration, and after it is forgotten."""
    x = np.ones((200, 200), np.float32)
    with accel.using("auto"):
        calibration.calibrate("relu", budget_s=5, keep=False)
        assert ("torch", "calibrated") == of(accel.explain("relu", x))
        calibration.forget()
        assert "shipped" == accel.explain("relu", x).source


def of(decision):
    """Return who computes, and who says so."""
    return decision.backend, decision.source


@pytest.mark.usefixtures("measured")
def test_forgetting_removes_all():
    """Those of other versions, too, and what one has left that was killed."""
    table.store(table_of(entry(), machine=MACHINE))
    made = calibration.calibrate("relu", budget_s=5)
    Path(f"{made.file}.k2hf_9").touch()
    assert sorted([made.file, table.path_of(MACHINE)]) == calibration.forget()
    assert [] == os.listdir(table.folder())
    assert [] == calibration.forget()


def test_what_cannot_be_forgotten_is_told():
    """By its file and the system's reason."""
    os.makedirs(table.path_of(MACHINE))
    with pytest.raises(calibration.CalibrationError, match=r"accel/\w+\.json: Is a directory"):
        calibration.forget()


@pytest.mark.usefixtures("measured")
def test_an_interrupted_calibration_leaves_the_last_one():
    """In its file and in use; and the user's calls are counted again."""
    made = calibration.calibrate("relu", budget_s=5)
    before = Path(made.file).read_bytes()

    def stop(_entry):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibration.calibrate("relu", budget_s=5, told=stop)
    assert [os.path.basename(made.file)] == os.listdir(table.folder())
    assert before == Path(made.file).read_bytes()
    assert "calibrated" == crossovers.source(*KEY)
    accel.reset_stats()
    accel.relu([1.0])
    assert 1 == accel.get_stats().pure_count


def test_calibrations_at_once_leave_one_whole_file():
    """Eight threads that keep two tables in turns: each is kept, and one of them is read."""
    tables = [table_of(entry(size), machine=MACHINE) for size in (1.0, 2.0)]
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(table.store, tables * 40))
    assert {""} == set(told)
    assert table.load(MACHINE)[0] in tables
    assert 1 == len(os.listdir(table.folder()))


AFFINITY = """
import os
from shimhub.accel import _machine, table
before = _machine.validators()
table.store(table.Table(before))
print(table.load())
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(table.load(), _machine.differing(before, _machine.validators()))
"""


@pytest.mark.skipif(_machine.cores() < 2, reason="needs a processor to do without")
def test_fewer_processors_are_another_machine(lab):
    """A calibration is not used by a process that is bound to one of them."""
    used, other = lab.run(AFFINITY).stdout.splitlines()
    assert used.endswith(", '')")
    assert "(None, 'not calibrated here')" in other
    assert f"['cores: {_machine.cores()}, here 1']" in other


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"ops": ["rleu"]}, "ops: 'rleu' is no operation and no group of them.*relu"),
        ({"ops": []}, "ops: names none"),
        ({"budget_s": 0}, "budget_s is 0"),
        ({"budget_s": math.nan}, "budget_s is nan"),
    ],
)
def test_what_cannot_be_calibrated_is_told(arguments, told):
    """Before anything is measured."""
    with pytest.raises(calibration.CalibrationError, match=told):
        calibration.calibrate(**arguments)


def test_without_torch_there_is_nothing_to_compare(monkeypatch):
    """An error that names the cure."""
    monkeypatch.setattr(calibration.torch_ffi, "torch_available", lambda: False)
    with pytest.raises(accel.TorchMissingError, match="pip install torch"):
        calibration.calibrate()


@pytest.mark.parametrize("kind", ["ndarray", "tensor", "list"])
@pytest.mark.parametrize("op", OPS)
def test_both_ways_of_a_call_are_the_same_call(op, kind):
    """What is timed against each other has one answer."""
    pytest.importorskip("torch")
    arms = _workloads.arms(op, kind, "float64", _workloads.square(op, 6))
    ours, theirs = arms.pure(), arms.torch()
    assert type(ours) is type(theirs)
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-9, atol=1e-12)
    assert (216 if op in {"matmul", "linear"} else 36) == arms.work


@pytest.mark.parametrize("kind", ["ndarray", pytest.param("tensor", marks=needs_native), "list"])
@pytest.mark.parametrize("op", OPS)
def test_each_way_is_by_whom_it_is_to_be(op, kind):
    """One call is counted for torch, the other for ours, as dispatch took them; no fallbacks."""
    pytest.importorskip("torch")
    arms = _workloads.arms(op, kind, "float32", _workloads.square(op, 4))
    accel.reset_stats()
    arms.pure()
    found = accel.get_stats()
    assert (1, 0, 0) == (found.pure_count, found.ffi_count, found.fallback_count)
    arms.torch()
    found = accel.get_stats()
    assert (1, 1, 0) == (found.pure_count, found.ffi_count, found.fallback_count)


def test_calls_of_a_calibration_are_neither_counted_nor_told(monkeypatch, capsys):
    """The user's counts and lines are of the user's calls, also of a mode with its own lines."""
    pytest.importorskip("torch")
    monkeypatch.setattr(calibration, "SIZES", (2,))
    accel.reset_stats()
    accel.enable_logging()
    try:
        accel.relu([1.0])
        calibration.calibrate(["relu", "cross_entropy"], budget_s=0.01, keep=False)
        accel.relu([1.0])
    finally:
        accel.enable_logging(False)
    stats = accel.get_stats()
    assert (2, 0) == (stats.pure_count, stats.ffi_count)
    assert 2 == capsys.readouterr().err.count("[ACCEL]")


def test_what_works_on_rows_of_tensors_is_timed_with_short_ones_too():
    """Of as much work as squares from 4 x 4 on; the range of those is their own."""
    pytest.importorskip("torch")
    found = calibration.measure(("softmax", "tensor", "float64"), 0.001)
    assert [16, 64, 256, 1024, 4096] == [one.work for one in found.rows]
    assert 64**2 == found.points[-1].work
    assert range_of(found.rows) == found.short
    for other in (("softmax", "ndarray", "float64"), ("relu", "tensor", "float64")):
        found = calibration.measure(other, 0.001)
        assert ((), (0.0, math.inf)) == (found.rows, found.short)


@needs_native
@pytest.mark.parametrize("short", [(10.0, 100.0), (0.0, math.inf), (math.inf, math.inf)])
def test_short_rows_have_a_range_of_their_own(short):
    """Rows of 15 obey it, those of 16 do not: as it is told, and as calls are counted."""
    torch = pytest.importorskip("torch")
    rows = (Point(16, 1.0, 3.0),)
    never = math.inf, (), math.inf
    crossovers.use(table_of(Entry("softmax", "tensor", "float64", *never, rows, short)))
    thresholds.changed()
    accel.reset_stats()
    expected = 0
    with accel.using("auto"):
        for shape in ((1, 9), (2, 5), (9, 11), (10, 10), (9, 15), (1, 16), (4, 16)):
            x = torch.linspace(-1, 1, math.prod(shape), dtype=torch.float64).reshape(shape)
            in_torch = shape[1] < 16 and short[0] <= x.numel() < short[1]
            told = accel.explain("softmax", x)
            assert in_torch == (told.backend == "torch")
            assert (short if shape[1] < 16 else (math.inf, math.inf)) == (
                told.threshold,
                told.until,
            )
            torch.testing.assert_close(torch.softmax(x, -1), accel.softmax(x))
            expected += in_torch
    assert expected == accel.get_stats().ffi_count


def test_large_inputs_are_left_out_of_a_short_budget():
    """But for those up to 64 x 64, which are always measured."""
    pytest.importorskip("torch")
    found = calibration.measure(("tanh", "ndarray", "float64"), 0.001)
    assert 64**2 == found.points[-1].work


def test_the_least_time_of_each_is_told(monkeypatch):
    """Rounds that are disturbed count for nothing; the collector is on again afterwards."""
    import gc

    # In the order of two rounds: other, one, one, other.
    taken = iter([50.0, 90.0, 70.0, 20.0] * 5)
    monkeypatch.setattr(_timing, "_count", lambda _: 1)

    def sampler(_count):
        assert not gc.isenabled()
        return next(taken) * 1000

    assert (70, 20) == _timing.pair_us(sampler, sampler, 0.0)
    assert gc.isenabled()


def test_a_sample_is_long_enough():
    """Short calls are repeated until the clock can tell."""
    count = _timing._count(partial(_timing.sample_ns, int))
    assert 100 < count
    assert 1 == _timing._count(partial(_timing.sample_ns, lambda: sum(range(100_000))))


# ---- the machine and the picture


def test_the_machine_is_plain_data():
    """As JSON gives it back, and the same at each call."""
    found = _machine.validators()
    assert found == json.loads(json.dumps(found)) == _machine.validators()
    assert {"", "torch"} & {found["torch"] and "torch"}


@pytest.mark.parametrize(
    ("version", "told"), [(2, "150000 100000"), (1, "50000 100000"), (None, "")]
)
def test_quotas_are_read(version, told, tmp_path, monkeypatch):
    """Of both versions of control groups; none without them."""
    files = ((tmp_path / "cpu.max",), (tmp_path / "quota", tmp_path / "period"))
    monkeypatch.setattr(_machine, "_QUOTAS", files)
    if version:
        words = told.split() if version == 1 else [told]
        for file, word in zip(files[2 - version], words, strict=True):
            file.write_text(f"{word}\n")
    assert told == _machine._quota()


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_a_picture_is_the_same_each_time(form, tmp_path):
    """Of the same times the same bytes."""
    pytest.importorskip("matplotlib")
    entries = [entry(), entry(math.inf)]
    made = []
    for name in ("a", "b"):
        file = tmp_path / f"{name}.{form}"
        _plots.check(str(file))
        _plots.draw(entries, str(file))
        made.append(file.read_bytes())
    assert made[0] == made[1]
    assert 1000 < len(made[0])


def test_a_picture_of_no_format_is_refused():
    """By its name, and before anything is measured."""
    with pytest.raises(_plots.PlotError, match=r"p\.gif: a picture's name ends in \.png"):
        _plots.check("p.gif")


def test_a_picture_of_no_folder_is_refused(tmp_path):
    """Nor in the place of one; before anything is measured."""
    with pytest.raises(_plots.PlotError, match=r"none/p\.svg: .*none is no folder that can be"):
        _plots.check(str(tmp_path / "none" / "p.svg"))
    (tmp_path / "p.svg").mkdir()
    with pytest.raises(_plots.PlotError, match=r"p\.svg: is a folder"):
        _plots.check(str(tmp_path / "p.svg"))


def test_without_matplotlib_the_cure_is_told(monkeypatch):
    """And another package that it needs is named as it is."""
    import builtins

    real = builtins.__import__
    for missing, told in (("matplotlib", "shimhub.plots"), ("numpy.more", "numpy.more")):

        def no(name, *rest, missing=missing):
            if name == "matplotlib":
                raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
            return real(name, *rest)

        monkeypatch.setattr(builtins, "__import__", no)
        with pytest.raises(ModuleNotFoundError, match=told):
            _plots.check("p.png")


@pytest.mark.parametrize("huge", [10**400, -1])
def test_a_size_that_no_float_can_be_is_told(huge):
    """A number of 400 digits is one that JSON can have, and no file breaks a call."""
    text = table.text_of(table_of(entry(12.0))).replace("12.0", json.dumps(huge))
    with pytest.raises(ValueError, match="relu"):
        table.read(text.encode())
