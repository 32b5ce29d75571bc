"""The sequential test of pairs, and how steps are timed: exact where numbers are made up."""

from __future__ import annotations

import itertools
import math
import random
import sys

import pytest

from shimhub.speed import MeasureError, Verdict, _clocks, compare, timing
from shimhub.speed._bootstrap import boundary, median_bounds
from shimhub.speed.pairs import ALPHA, CONFIDENCE, LAYOUTS, PairTest, layouts


def fed(ratio: float, pairs: int = 60, spread: float = 0.001, **options: object) -> PairTest:
    """Return a test that was fed with pairs of about this ratio, and with quiet noise."""
    test = PairTest(**options)  # type: ignore[arg-type]
    for turn in range(pairs):
        wobble = 1 + spread * (turn % 5 - 2)
        test.add(ratio * wobble, 1.0)
        test.add_noise(wobble, 1.0)
    return test


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (1.3, Verdict.FASTER),
        (0.7, Verdict.SLOWER),
        (1.0, Verdict.NO_DIFFERENCE),
        (1.02, Verdict.NO_DIFFERENCE),
        (0.98, Verdict.NO_DIFFERENCE),
    ],
)
def test_clear_ratio_is_told_after_ten_pairs(ratio, verdict):
    """Ten pairs that agree are the least that chance is ruled out by; nine say nothing."""
    assert fed(ratio, pairs=9).verdict() is None
    found = fed(ratio, pairs=10).verdict()
    assert (verdict, 10, CONFIDENCE) == (found.verdict, found.pairs, found.confidence)
    assert found.low <= found.ratio <= found.high
    assert pytest.approx(ratio, rel=0.01) == found.ratio


def test_gain_below_the_least_effect_is_not_faster():
    """FASTER needs a lower bound above ``min_effect``: 1.1 x is no 1.2 x."""
    assert Verdict.FASTER is fed(1.1).verdict().verdict
    assert Verdict.NO_DIFFERENCE is fed(1.1, min_effect=1.2).verdict().verdict


def test_gain_within_the_noise_is_not_faster():
    """FASTER needs a lower bound above what an arm differs by from itself."""
    test = PairTest()
    for _ in range(60):
        test.add(1.3, 1.0)
        test.add_noise(1.4, 1.0)
    found = test.verdict()
    assert (Verdict.UNDECIDED, pytest.approx(1.4)) == (found.verdict, found.noise)


def test_nothing_is_faster_before_an_arm_was_compared_with_itself():
    """Without noise pairs there is no FASTER, however clear; SLOWER undoes, and may be told."""
    without = [PairTest(), PairTest()]
    for _ in range(60):
        without[0].add(1.3, 1.0)
        without[1].add(1.0, 1.3)
    assert [Verdict.UNDECIDED, Verdict.SLOWER] == [one.verdict().verdict for one in without]


def test_pairs_after_the_last_do_not_count():
    """The chances are spent over ``max_pairs``: what comes later changes nothing."""
    test = fed(1.0, pairs=11, spread=0.1, max_pairs=11)
    before = test.verdict()
    for _ in range(50):
        test.add(2.0, 1.0)
    after = test.verdict()
    assert (Verdict.UNDECIDED, 11) == (before.verdict, before.pairs)
    assert (before.low, before.high, 11) == (after.low, after.high, after.pairs)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_result_of_few_pairs_is_undecided(ratio):
    """Nine pairs that agree are no verdict, when the time is up either."""
    assert Verdict.UNDECIDED is fed(ratio, pairs=9).result("the time is up").verdict
    assert Verdict.UNDECIDED is not fed(ratio, pairs=10).result("the time is up").verdict


def test_result_of_few_pairs_tells_how_sure_it_is():
    """Below ten pairs the bounds are the extremes, with the confidence that those have."""
    found = fed(1.3, pairs=3).result("stopped")
    assert (Verdict.UNDECIDED, "stopped", 0.75) == (found.verdict, found.reason, found.confidence)
    assert (pytest.approx(1.3 * 0.998), pytest.approx(1.3)) == (found.low, found.high)
    nothing = PairTest().result("no time")
    assert (Verdict.UNDECIDED, 0, 0.0) == (nothing.verdict, nothing.pairs, nothing.confidence)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_time_is_refused(seconds):
    """A time of zero or less, or none, is an error that names it and the cure."""
    with pytest.raises(MeasureError, match=rf"{seconds} s: time more steps"):
        PairTest().add(1.0, seconds)


@pytest.mark.parametrize("options", [{"max_pairs": 0}, {"min_effect": 0.9}, {"min_effect": "nan"}])
def test_meaningless_limits_are_refused(options):
    """Limits that cannot be met are an error with the values."""
    with pytest.raises(MeasureError, match=r"max_pairs is .* and min_effect"):
        PairTest(**{name: float(value) for name, value in options.items()})


def test_block_of_another_length_is_refused():
    """Times that do not fit the layout are an error, not a shift of arms."""
    with pytest.raises(MeasureError, match=r"a block of 5 times is no 'ABBA'"):
        PairTest().add_block("ABBA", [1.0] * 5)
    with pytest.raises(MeasureError, match="is no 'BBBB'"):
        PairTest().add_block("BBBB", [1.0] * 4)


def test_layouts_pair_neighbours_and_favour_no_arm():
    """Pairs are neighbours, each order of them comes once, and A and B can be exchanged."""
    orders = set()
    for layout, (both, noise) in LAYOUTS.items():
        assert ["AB"] * 2 == [layout[plain] + layout[other] for plain, other in both]
        assert layout[noise[0]] == layout[noise[1]]
        assert {1} == {abs(a - b) for a, b in (*both, noise)}
        orders.add(tuple(plain < other for plain, other in both))
    assert set(itertools.product([True, False], repeat=2)) == orders
    assert set(LAYOUTS) == {one.translate({65: 66, 66: 65}) for one in LAYOUTS}
    assert 2 == sum(first < second for _, (first, second) in LAYOUTS.values())


def test_layouts_are_drawn_evenly_and_repeatably():
    """Every layout comes about as often; a seed gives the same order; no global state is used."""
    state = random.getstate()
    drawn = list(itertools.islice(layouts(1), 4000))
    assert state == random.getstate()
    assert drawn == list(itertools.islice(layouts(1), 4000))
    assert all(900 < drawn.count(layout) < 1100 for layout in LAYOUTS)


@pytest.mark.parametrize("most", [12, 60, 200])
def test_fair_coins_reach_the_boundary_no_oftener_than_alpha(most):
    """The chance over all looks, counted anew: by paths, not by the boundary's own sums."""
    needed = boundary(most, ALPHA)
    paths, crossed = {0: 1}, 0.0
    for n in range(1, most + 1):
        tossed: dict[int, int] = {}
        for heads, count in paths.items():
            for head in (heads, heads + 1):
                tossed[head] = tossed.get(head, 0) + count
        crossed += sum(c for heads, c in tossed.items() if heads >= needed[n]) / 2**n
        paths = {heads: count for heads, count in tossed.items() if heads < needed[n]}
    assert ALPHA * 0.4 < crossed <= ALPHA


def test_boundary_is_out_of_reach_of_few_pairs():
    """Nine fair coins agree too often to be believed; of sixty, fewer than fifty will do."""
    needed = boundary(60, ALPHA)
    assert all(needed[n] > n for n in range(10))
    assert 10 == needed[10]
    assert 40 < needed[60] < 50


def test_bootstrap_covers_the_median_and_draws_from_its_own():
    """Its interval has the true median in about as many of 200 samples as it says."""
    draw = random.Random(0)
    state = random.getstate()
    held = 0
    for turn in range(200):
        values = [draw.gauss(0.0, 1.0) for _ in range(41)]
        low, high = median_bounds(values, confidence=0.95, block=2, seed=turn)
        held += low <= 0.0 <= high
    assert 180 <= held <= 199
    assert state == random.getstate()


class Clocked:
    """A made-up clock: each step moves it on by what the arm takes, times a given noise."""

    def __init__(self, noise: object = lambda: 1.0) -> None:
        self.now, self.on, self.calls, self.noise = 0.0, False, [], noise

    def step(self, seconds: float):
        def run() -> None:
            self.now += seconds * self.noise()

        return run

    def switch(self, on: bool) -> None:
        self.calls.append(on)
        self.on = on


@pytest.fixture
def clocked(monkeypatch):
    """Time stands still but for steps."""
    clock = Clocked()
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    return clock


def test_compare_tells_the_ratio_of_two_arms(clocked):
    """A step that takes 1.3 x less is FASTER after the least number of pairs, within the budget."""
    found = compare(clocked.step(0.013), clocked.step(0.010), budget_s=30)
    assert (Verdict.FASTER, 10) == (found.verdict, found.pairs)
    assert pytest.approx(1.3) == found.ratio
    assert pytest.approx(0.013) == found.plain_seconds
    assert pytest.approx(clocked.now) == found.seconds
    assert clocked.now < 30


def test_compare_ends_undecided_when_the_time_is_up(clocked):
    """A step of a second leaves no room for ten pairs in ten seconds: UNDECIDED, and told why."""
    found = compare(clocked.step(1.3), clocked.step(1.0), budget_s=10)
    assert Verdict.UNDECIDED is found.verdict
    assert f"the time was up after {found.pairs} of 60 pairs" == found.reason
    assert clocked.now < 17  # three steps of each arm warm up, whatever the budget


def test_compare_takes_shorter_samples_when_the_machine_slows_down(clocked):
    """Steps ten times as long as in the warm-up still make enough pairs within the budget."""
    clocked.noise = lambda: 1.0 if clocked.now < 0.2 else 10.0
    found = compare(clocked.step(0.013), clocked.step(0.010), budget_s=10)
    assert found.verdict is Verdict.FASTER
    assert 10 <= found.pairs <= 20
    assert clocked.now < 10


def test_compare_switches_before_each_sample_and_drops_the_next_step(clocked):
    """With ``switch`` one step follows each switch untimed, so what it costs is not timed."""
    since = {"switch": 0}

    def switch(on: bool) -> None:
        clocked.switch(on)
        since["switch"] = 0

    def step() -> None:
        clocked.now += 0.010 / (1.3 if clocked.on else 1.0) + (not since["switch"])
        since["switch"] += 1

    found = compare(step, step, switch=switch, budget_s=300)
    assert (Verdict.FASTER, pytest.approx(1.3)) == (found.verdict, found.ratio)
    assert not clocked.on
    assert {True, False} == set(clocked.calls)


def test_compare_switches_off_when_a_step_raises(clocked):
    """What a step raises comes out, and the plain arm is on."""

    def step() -> None:
        if clocked.on:
            raise ZeroDivisionError
        clocked.now += 1.0

    with pytest.raises(ZeroDivisionError):
        compare(step, step, switch=clocked.switch)
    assert not clocked.on


def test_compare_shrugs_off_interruptions(clocked):
    """A third of the steps taking ten times as long changes neither verdict nor ratio."""
    draw = random.Random(0)
    clocked.noise = lambda: 10.0 if draw.random() < 0.3 else 1.0
    found = compare(clocked.step(0.0013), clocked.step(0.0010), budget_s=30)
    assert (Verdict.FASTER, pytest.approx(1.3)) == (found.verdict, found.ratio)


def test_compare_makes_timings_long_enough_for_the_clock(monkeypatch, clocked):
    """A step of a microsecond is run hundreds of times in each timing."""
    inner = []
    wall = _clocks.wall

    def watched(step, timings, steps):
        inner.append(steps)
        return wall(step, timings, steps)

    monkeypatch.setattr(timing, "clock_of", lambda device: watched)
    found = compare(clocked.step(1.3e-6), clocked.step(1e-6), budget_s=3)
    assert (Verdict.FASTER, pytest.approx(1.3)) == (found.verdict, found.ratio)
    assert max(inner) * 1e-6 >= 100e-6


def test_compare_refuses_a_budget_of_nothing():
    """A budget that measures nothing is an error with its value."""
    with pytest.raises(MeasureError, match="budget_s is 0"):
        compare(lambda: None, lambda: None, budget_s=0)


def test_load_is_told_where_the_system_tells_it(monkeypatch, clocked):
    """A Timing has the load average; where there is none, 0."""
    monkeypatch.setattr("os.getloadavg", lambda: (1.5, 0.0, 0.0), raising=False)
    assert 1.5 == compare(clocked.step(1.3), clocked.step(1.0), budget_s=3).load
    monkeypatch.delattr("os.getloadavg")
    assert 0.0 == compare(clocked.step(1.3), clocked.step(1.0), budget_s=3).load


class Event:
    """A CUDA event that reads a made-up clock when it is recorded."""

    now, waits = 0.0, 0

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        self.at = Event.now

    def elapsed_time(self, end: Event) -> float:
        return (end.at - self.at) * 1000


def test_cuda_is_timed_by_events_with_one_wait(monkeypatch):
    """Events stand between timings, and the device is waited for once, after all of them."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: setattr(Event, "waits", Event.waits + 1))
    took = iter([1.0, 2.0, 3.0, 4.0])
    step = lambda: setattr(Event, "now", Event.now + next(took))  # noqa: E731
    assert [1.5, 3.5] == _clocks.clock_of("cuda:0")(step, 2, 2)
    assert 1 == Event.waits


def test_clock_of_no_named_device_is_that_in_use(monkeypatch):
    """CUDA that this process has used is timed by events, all else by the wall clock."""
    torch = pytest.importorskip("torch")
    assert _clocks.wall is _clocks.clock_of()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    assert _clocks.cuda_events is _clocks.clock_of()
    assert _clocks.wall is _clocks.clock_of("cpu")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert _clocks.wall is _clocks.clock_of()


def test_other_devices_are_waited_for(monkeypatch, clocked):
    """XPU and MPS are timed by the wall clock, from and to a moment at which they are idle."""
    torch = pytest.importorskip("torch")
    waits = []
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda: waits.append(clocked.now))
    assert [pytest.approx(2.0)] * 2 == _clocks.clock_of("mps")(clocked.step(2.0), 2, 1)
    assert [0.0, 2.0, 4.0] == waits


@pytest.mark.gpu
def test_cuda_events_time_what_the_device_does():
    """On a GPU, four times the work is told as about four times the time."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    matrix = torch.randn(4096, 4096, device="cuda")

    def step(times: int):
        return lambda: [matrix @ matrix for _ in range(times)]

    found = compare(step(4), step(1), budget_s=10)
    assert Verdict.FASTER is found.verdict
    assert 3 < found.ratio < 5
