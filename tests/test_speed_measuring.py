"""speed.measure: judged, then timed, kept only where FASTER; the training state is as before."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import cross_entropy  # noqa: E402  # torch may be missing

from shimhub.speed import (  # noqa: E402
    KNOBS,
    Gate,
    KnobError,
    MeasureError,
    Timing,
    TrainingState,
    Verdict,
    measure,
    measuring,
)
from shimhub.speed.model import Targets  # noqa: E402
from tests.speed_steps import Mlp  # noqa: E402

FUSED = {"optimizer": {"fused": True}}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock: it runs both arms twice and gives the verdict that it is told."""

    class Clock:
        verdict = Verdict.FASTER
        calls = 0
        seen = ()

        def __call__(self, plain, other, *, switch, budget_s, device):
            assert budget_s > 0
            self.calls += 1
            seen = []
            for on in (False, True, True, False):
                switch(on)
                seen.append(self.look())
                (other if on else plain)()
            switch(False)
            self.seen = seen
            return Timing(self.verdict, 1.5, 1.4, 1.6, 2, 0.99, 0.1, 1.0, "told", 0.001, 0.1)

        look = staticmethod(lambda: None)

    found = Clock()
    monkeypatch.setattr(measuring, "compare", found)
    return found


def fused(mlp):
    """Whether the optimizer's groups are set to fused."""
    return mlp.optimizer.param_groups[0]["fused"]


def everything(mlp):
    """Return the bits of a model, its gradients and its optimizer, and torch's random numbers."""
    tensors = [*mlp.model.state_dict().values(), torch.get_rng_state()]
    tensors += [one.grad for one in mlp.model.parameters() if one.grad is not None]
    for kept in mlp.optimizer.state.values():
        tensors += [value for _, value in sorted(kept.items())]
    return [one.detach().clone() for one in tensors]


def same(some, others):
    """Whether two lists of tensors have the same bits."""
    pairs = zip(some, others, strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.usefixtures("clock")
def test_what_is_faster_is_kept_and_can_be_restored():
    """A knob that passes both is on afterwards, told as kept, and off again after restore."""
    mlp = Mlp()
    before = everything(mlp)
    report = measure(mlp.step, knobs=FUSED)
    (one,) = report.measured
    assert (True, Verdict.FASTER, Gate.WITHIN_NOISE) == (
        one.kept,
        one.timing.verdict,
        one.numerics.gate,
    )
    assert FUSED == report.kept
    assert (True, 0) == (fused(mlp), report.code)
    assert same(before, everything(mlp))
    report.restore()
    report.restore()
    assert {} == report.kept
    assert fused(mlp) is None
    assert same(before, everything(mlp))


@pytest.mark.parametrize(
    ("verdict", "code"),
    [(Verdict.SLOWER, 0), (Verdict.NO_DIFFERENCE, 0), (Verdict.UNDECIDED, 4)],
)
def test_what_is_not_faster_is_undone(clock, verdict, code):
    """Every other verdict leaves the knob off; undecided is exit code 4."""
    clock.verdict = verdict
    mlp = Mlp()
    before = everything(mlp)
    report = measure(mlp.step, knobs=FUSED)
    assert (False, {}, code) == (report.measured[0].kept, report.kept, report.code)
    assert fused(mlp) is None
    assert same(before, everything(mlp))


@pytest.mark.usefixtures("clock")
def test_keep_false_keeps_nothing():
    """A measurement for the eyes alone leaves everything off."""
    mlp = Mlp()
    report = measure(mlp.step, knobs=FUSED, keep=False)
    assert ({}, None) == (report.kept, fused(mlp))
    assert Verdict.FASTER is report.measured[0].timing.verdict


def test_each_sample_starts_from_the_same_state(clock):
    """Both arms run from the state that was there, with the knob off and on in turns."""
    mlp = Mlp()
    weight = mlp.model[0].weight
    clock.look = lambda: (fused(mlp), weight.detach().clone())
    measure(mlp.step, knobs=FUSED)
    assert [None, True, True, None] == [on for on, _ in clock.seen]
    assert all(torch.equal(weight, was) for _, was in clock.seen)


def test_a_step_without_gradients_is_unverified(clock):
    """Nothing compared is never timed, never kept, and exit code 4."""
    mlp = Mlp(warm=0)

    def step():
        with torch.no_grad():
            return cross_entropy(mlp.model(mlp.x), mlp.y)

    report = measure(step, knobs=FUSED)
    (one,) = report.measured
    assert (Gate.UNVERIFIED, None, False, 0) == (
        one.numerics.gate,
        one.timing,
        one.kept,
        clock.calls,
    )
    assert 4 == report.code


def test_data_that_move_on_are_unverified(clock):
    """A step that takes the next batch is told as not repeatable, and nothing is kept."""
    mlp = Mlp()
    batches = itertools.cycle([torch.randn(24, 16) for _ in range(30)])

    def step():
        mlp.x = next(batches)
        return mlp.step()

    report = measure(step, knobs={**FUSED, "autocast": "bf16"})
    assert [Gate.UNVERIFIED] * 2 == [one.numerics.gate for one in report.measured]
    assert "does not repeat" in report.measured[0].reason
    assert (4, 0) == (report.code, clock.calls)


@pytest.mark.usefixtures("clock")
def test_nothing_measured_is_no_success():
    """Where nothing can matter nothing was compared: exit code 4, with the reasons."""
    report = measure(Mlp().step, knobs={"cudnn_benchmark": True})
    assert ((), 4) == (report.measured, report.code)
    assert "GPU" in report.left_out[0].reason


@pytest.mark.usefixtures("clock")
def test_lossy_knobs_are_measured_only_when_named():
    """Those of auto are lossless; a lossy one is held against its own rounding, and comes last."""
    assert not any(
        KNOBS[name].numerics.value == "lossy" for name, _ in measuring.candidates("auto")
    )
    mlp = Mlp()
    named = {"autocast": "bf16", "compile": True, **FUSED}
    assert ["optimizer", "compile", "autocast"] == [one for one, _ in measuring.candidates(named)]
    report = measure(mlp.step, knobs={"autocast": "bf16", **FUSED})
    assert ["optimizer", "autocast"] == [one.knob for one in report.measured]
    assert Gate.WITHIN_NOISE is report.measured[1].numerics.gate
    report.restore()


@pytest.mark.usefixtures("clock")
def test_a_second_value_of_a_kept_knob_is_left_out(monkeypatch):
    """Once fused is kept, foreach is no candidate: the two exclude each other."""
    both = [("optimizer", {"fused": True}), ("optimizer", {"foreach": True})]
    monkeypatch.setattr(measuring, "candidates", lambda _knobs: both)
    report = measure(Mlp().step)
    assert ["{'fused': True} is kept"] == [one.reason for one in report.left_out]
    report.restore()


def test_kept_knobs_stay_on_while_others_are_timed(clock):
    """Later knobs are timed beside what is kept, in both arms."""
    mlp = Mlp()
    clock.look = lambda: (fused(mlp), KNOBS["autocast"].read(Targets(mlp.model))["autocast"])
    report = measure(mlp.step, knobs={**FUSED, "autocast": "bf16"})
    assert [(True, None), (True, "bf16"), (True, "bf16"), (True, None)] == clock.seen
    assert {**FUSED, "autocast": "bf16"} == report.kept
    report.restore()
    assert (None, None) == clock.look()


@pytest.mark.usefixtures("clock")
def test_two_optimizers_get_the_knob_both():
    """A knob of optimizers is set on every optimizer of the step."""
    mlp, other = Mlp(), Mlp(optimizer=torch.optim.SGD)

    def step():
        mlp.step()
        other.step()

    report = measure(step, optimizer=[mlp.optimizer, other.optimizer], knobs=FUSED)
    assert (True, True) == (fused(mlp), fused(other))
    report.restore()
    assert (None, None) == (fused(mlp), fused(other))


def test_what_cannot_take_a_knob_is_left_out_of_it(clock):
    """A knob is set on the optimizers that take it, and applied nowhere if one raises."""
    mlp, other = Mlp(), Mlp(optimizer=torch.optim.Rprop)

    def step():
        mlp.step()
        other.step()

    report = measure(step, knobs=FUSED)
    assert (FUSED, True) == (report.kept, fused(mlp))
    report.restore()
    assert 1 == clock.calls


@pytest.mark.usefixtures("clock")
def test_iterators_that_moved_on_are_told():
    """What the step reads, and goes on with each call, is told where the step repeats, too."""
    mlp, batches = Mlp(), itertools.repeat(1)

    def step():
        next(batches)
        return mlp.step()

    report = measure(step, knobs=FUSED)
    assert ("batches has moved on: it cannot be brought back",) == report.notes
    report.restore()


def test_a_measurement_is_asked_of_the_cache(clock):
    """The second time the clock is not asked, and the gate is; without a cache both are."""
    first = measure(Mlp().step, knobs=FUSED)
    second = measure(Mlp().step, knobs=FUSED)
    assert (False, True, 1) == (first.measured[0].cached, second.measured[0].cached, clock.calls)
    assert second.measured[0].kept
    measure(Mlp().step, knobs=FUSED, cache=False)
    assert 2 == clock.calls


def test_another_shape_is_another_measurement(clock):
    """A batch of another size is not answered from the cache."""
    measure(Mlp().step, knobs=FUSED)
    mlp = Mlp()
    mlp.x, mlp.y = mlp.x[:8], mlp.y[:8]
    measure(mlp.step, knobs=FUSED)
    assert 2 == clock.calls


def test_what_is_undecided_is_measured_again(clock):
    """An undecided verdict is not kept in the cache."""
    clock.verdict = Verdict.UNDECIDED
    measure(Mlp().step, knobs=FUSED)
    measure(Mlp().step, knobs=FUSED)
    assert 2 == clock.calls


@pytest.mark.usefixtures("clock")
def test_a_cache_that_fails_is_a_note(monkeypatch):
    """What cannot be kept is told, and changes nothing else."""
    monkeypatch.setattr(measuring.results, "store", lambda *_: "full")
    report = measure(Mlp().step, knobs=FUSED)
    assert ("optimizer {'fused': True}: full",) == report.notes


class Interrupted:
    """A step that raises at one of its calls, in the middle: after backward."""

    def __init__(self, at, error) -> None:
        self.mlp = Mlp()
        self.at = at
        self.error = error

    def __call__(self):
        self.mlp.optimizer.zero_grad()
        cross_entropy(self.mlp.model(self.mlp.x), self.mlp.y).backward()
        self.mlp.optimizer.step()
        if next(CALLS) == self.at:
            raise self.error


CALLS = itertools.count()


@pytest.mark.parametrize("at", [0, 2, 4, 6, 7, 9])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no")])
@pytest.mark.usefixtures("clock")
def test_an_exception_in_the_step_leaves_all_as_it_was(at, error):
    """Whenever the step raises, knobs are off and the training state is what it was, to the bit.

    With a knob on, an error is the knob's: it is told, and not raised; a Ctrl-C always is.
    """
    global CALLS
    CALLS = itertools.count()
    step = Interrupted(at, error)
    before, state = everything(step.mlp), TrainingState.capture(step)
    is_of_a_knob = at == 4 and isinstance(error, ValueError)
    if is_of_a_knob:
        report = measure(step, knobs=FUSED)
        assert "with it the step raises ValueError: no" == report.measured[0].reason
        assert 4 == report.code
    else:
        with pytest.raises(type(error)):
            measure(step, knobs=FUSED)
    assert next(CALLS) > at
    assert fused(step.mlp) is None
    assert same(before, everything(step.mlp))
    assert [] == state.differences()


def test_an_exception_takes_off_what_was_kept_already(clock):
    """A Ctrl-C at the second knob leaves the first one off, too."""
    mlp = Mlp()

    def press():
        if clock.calls == 2:
            raise KeyboardInterrupt

    clock.look = press
    with pytest.raises(KeyboardInterrupt):
        measure(mlp.step, knobs={**FUSED, "autocast": "bf16"})
    assert fused(mlp) is None


@pytest.mark.usefixtures("clock")
def test_a_knob_that_cannot_be_applied_is_told(monkeypatch):
    """A KnobError is a reason, and the rest goes on."""

    def refuse(_value, _targets):
        raise KnobError("optimizer: not today")

    monkeypatch.setattr(KNOBS["optimizer"], "apply", refuse)
    report = measure(Mlp().step, knobs=FUSED)
    assert "KnobError: optimizer: not today" in report.measured[0].reason


def test_a_model_that_falls_back_is_not_measured_as_compiled(clock, monkeypatch):
    """A compiler that fails leaves the model eager: that is no measurement of compile."""
    from shimhub.speed.knobs import compiling

    monkeypatch.setattr(compiling, "fallback_reason", lambda _model: "no compiler")
    monkeypatch.setattr(compiling.Compile, "apply", lambda *_: None)
    monkeypatch.setattr(compiling.Compile, "why_not", lambda *_: "")
    report = measure(Mlp().step, knobs={"compile": True})
    assert "it has no effect: no compiler" == report.measured[0].reason
    assert 0 == clock.calls


@pytest.mark.usefixtures("clock")
def test_the_time_is_up():
    """Knobs whose turn does not come are unverified, and told so."""
    report = measure(Mlp().step, knobs={**FUSED, "autocast": "bf16"}, budget_s=1e-9)
    assert {"the time was up before its turn"} == {one.reason for one in report.measured}
    assert 4 == report.code


def test_gradient_accumulation_is_timed_as_a_whole(clock):
    """A step whose optimizer steps at each fourth call is timed by four calls."""
    mlp, count = Mlp(), 0

    def step():
        nonlocal count
        count += 1
        cross_entropy(mlp.model(mlp.x), mlp.y).backward()
        if count % 4 == 0:
            mlp.optimizer.step()
            mlp.optimizer.zero_grad()

    seen = []
    clock.look = lambda: seen.append(count)
    report = measure(step, knobs=FUSED)
    assert Gate.WITHIN_NOISE is report.measured[0].numerics.gate
    assert ([0] * 4, 0) == (seen, count)
    report.restore()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"knobs": {"optimiser": {}}}, r"no knob 'optimiser' \(did you mean 'optimizer'\?\)"),
        ({"knobs": "all"}, "name 'auto', or a mapping"),
        ({"budget_s": 0}, "name the seconds"),
        ({"budget_s": float("nan")}, "name the seconds"),
    ],
)
def test_wrong_arguments_are_told(options, message):
    """A knob that is none and a budget of nothing are errors before anything runs."""
    with pytest.raises((KnobError, MeasureError), match=message):
        measure(lambda: pytest.fail("the step ran"), **options)


def test_with_the_real_clock():
    """With nothing replaced: a fused AdamW is timed, and the training goes on as it would have."""
    one, other = Mlp(), Mlp()
    what = {"model": one.model, "optimizer": one.optimizer, "knobs": FUSED}
    for budget in (1, 10, 100):  # a machine that is busy may have no time for a pair in a second
        report = measure(one.step, **what, budget_s=budget)
        if (timing := report.measured[0].timing) is not None and timing.pairs > 0:
            break
        report.restore()
    assert timing.pairs > 0
    report.restore()
    assert [other.step().item() for _ in range(3)] == [one.step().item() for _ in range(3)]
