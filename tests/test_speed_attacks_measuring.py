"""Attacks on what ``run --speed`` and ``measure`` promise, each of which once came through."""

from __future__ import annotations

import copy
import io
import json
import pickle
import random

import pytest

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
pytestmark = pytest.mark.slow

from torch.optim.optimizer import register_optimizer_step_post_hook  # noqa: E402

from shimhub.cli import main  # noqa: E402
from shimhub.speed import (  # noqa: E402
    Hardware,
    Timing,
    TrainingState,
    Verdict,
    _rounds,
    measure,
    measuring,
    results,
    vivo,
)
from shimhub.speed._observing import loss_of  # noqa: E402

FUSED = {"optimizer": {"fused": True}}


class Said:
    """A test of pairs that says FASTER after two blocks, or the word given."""

    word, blocks = Verdict.FASTER, 2

    def __init__(self):
        self.pairs = 0

    def add_block(self, layout, seconds):
        self.pairs += 2

    def verdict(self):
        done = self.pairs >= 2 * self.blocks
        return Timing(self.word, 1.5, 1.2, 1.8, 4, 0.99, 1.0) if done else None


@pytest.fixture
def session(monkeypatch):
    """A session that finds everything FASTER, in blocks of one step."""
    monkeypatch.setattr(_rounds, "PairTest", Said)
    monkeypatch.setattr(vivo, "block_of", lambda seconds: 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = vivo.begin("auto", lambda *words: None)
    yield found
    found.close()
    torch.set_num_threads(threads)


def net(make=torch.optim.AdamW, **settings):
    """Return a model and its optimizer."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU())
    return model, make(model.parameters(), **{"lr": 1e-2, **settings})


def train(model, optimizer, steps, each=lambda: None):
    """Take steps, each with something behind it."""
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(4, 8)).square().sum().backward()
        optimizer.step()
        each()


# ---- a running script


@pytest.mark.parametrize("word", [Verdict.FASTER, Verdict.NO_DIFFERENCE])
def test_copies_of_an_optimizer_are_plain_at_any_step(session, monkeypatch, word):
    """state_dict, deepcopy, pickle and torch.save tell what the script chose, in a trial too."""
    monkeypatch.setattr(Said, "word", word)
    model, optimizer = net()
    found, was_on = [], []

    def look():
        whole = io.BytesIO()
        torch.save(optimizer, whole)
        whole.seek(0)
        copies = copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))
        groups = [one.param_groups[0] for one in copies]
        groups += [torch.load(whole, weights_only=False).param_groups[0]]
        groups += [optimizer.state_dict()["param_groups"][0]]
        found.extend(group["fused"] for group in groups)
        was_on.append(optimizer.param_groups[0]["fused"])

    train(model, optimizer, 40, look)
    assert {None} == set(found)
    assert True in was_on
    session.close()
    assert "__getstate__" not in vars(optimizer)


@pytest.mark.parametrize("choice", [{"foreach": True}, {"fused": False}])
def test_what_was_kept_does_not_override_the_scripts_choice(session, choice):
    """An optimizer of the same kind and sizes that was told how to step stays so."""
    train(*net(), 60)
    model, optimizer = net(**choice)
    train(model, optimizer, 3)
    ((name, value),) = choice.items()
    assert value is optimizer.param_groups[0][name]
    assert "the script chose" in session.lines[-1]


@pytest.mark.parametrize("blocks", [2, 1000])
def test_a_late_sparse_gradient_ends_no_training(session, monkeypatch, blocks):
    """A part that is unfrozen has sparse gradients, which a fused SGD refuses: it is taken off."""
    monkeypatch.setattr(Said, "blocks", blocks)
    table = torch.nn.Embedding(20, 8, sparse=True)
    linear = torch.nn.Linear(8, 8)
    optimizer = torch.optim.SGD([*table.parameters(), *linear.parameters()], lr=0.1)
    table.weight.requires_grad_(False)
    for number in range(60):
        if number == 40:
            assert True in {optimizer.param_groups[0]["fused"], blocks > 2}
            table.weight.requires_grad_(True)
        optimizer.zero_grad()
        linear(table(torch.arange(4))).square().sum().backward()
        optimizer.step()
    assert any("sparse" in line for line in session.lines)


def strided():
    """Return weights after gradients whose strides change half-way."""
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(6, 6))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    for number in range(60):
        gradient = torch.randn(6, 6)
        weight.grad = gradient.t() if number > 30 else gradient
        optimizer.step()
    return weight.detach()


def test_gradients_with_other_strides_are_read_right(session):
    """A fused step reads memory in order, and would give wrong weights in silence."""
    found = strided()
    assert any("strides" in line for line in session.lines)
    session.close()
    assert torch.allclose(strided(), found, rtol=1e-4, atol=1e-5)


def test_an_optimizer_with_a_step_of_its_own_is_left_alone(session):
    """A group may have a key ``fused`` that means something else to it, or nothing."""

    class Own(torch.optim.Optimizer):
        def __init__(self, parameters, lr):
            super().__init__(parameters, {"lr": lr, "fused": None, "foreach": None})

        def step(self, closure=None):
            assert self.param_groups[0]["fused"] is None
            assert self.param_groups[0]["foreach"] is None

    train(*net(Own), 60)
    assert all("has a step of its own" in line for line in session.lines)
    assert session.lines


def test_an_end_of_ours_goes_well_with_hooks_of_the_script(session, monkeypatch):
    """All hooks are gone through by torch when it calls ours, so none is taken away meanwhile."""
    monkeypatch.setattr(vivo, "Round", None)  # a TypeError of ours
    hits = []
    hook = register_optimizer_step_post_hook(lambda *told: hits.append(1))
    try:
        train(*net(), 20)
    finally:
        hook.remove()
    assert 20 == len(hits)
    assert "everything is off: TypeError" in session.lines[-1]


# ---- the state of a step


class Counted:
    """A class that counts for itself."""

    total = 0


class Slotted:
    """State without a dict."""

    __slots__ = ("count", "lots")

    def __init__(self):
        self.count, self.lots = 0, random.Random(3)


DRAWN = np.random.default_rng(5)


class Noisy(torch.nn.Module):
    """Its forward reads a global generator, and counts on its class."""

    calls = 0

    def forward(self, data):
        Noisy.calls += 1
        return data * float(DRAWN.random())


def test_state_in_odd_places_comes_back():
    """Classes, slots, arrays, functions' own attributes, hooks, models' globals, flags of torch."""
    slotted, array, seen = Slotted(), np.zeros(3), []
    noisy = Noisy()
    noisy.register_forward_hook(lambda *told: seen.append(1))

    def step():
        Counted.total += 1
        slotted.count += 1
        slotted.lots.random()
        array[0] += 1
        step.calls = getattr(step, "calls", 0) + 1
        torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
        noisy(torch.ones(2))

    def now():
        own = slotted.count, slotted.lots.getstate(), array.tolist(), vars(step).copy()
        drawn = repr(DRAWN.bit_generator.state)
        flag = torch.backends.cudnn.benchmark
        return *own, Counted.total, Noisy.calls, drawn, len(seen), flag

    before = now()
    state = TrainingState.capture(step)
    step()
    assert before != now()
    assert state.differences()
    state.restore()
    assert before == now()
    assert [] == state.differences()


# ---- what is kept of measurements


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """Count timings, each of which says FASTER; the cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def compare(*arms, **told):
        calls.append((arms, told))
        return Timing(Verdict.FASTER, 1.5, 1.2, 1.8, 10, 0.99, 1.0, 1.0)

    monkeypatch.setattr(measuring, "compare", compare)
    return calls


def made(middle=torch.nn.ReLU, work=lambda: None, **settings):
    """Return a step."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), middle(), torch.nn.Linear(8, 8))
    optimizer = torch.optim.AdamW(model.parameters(), **settings)
    data = torch.randn(4, 8)

    def step():
        work()
        optimizer.zero_grad()
        loss = model(data).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


@pytest.mark.usefixtures("timed")
def test_another_model_of_the_same_shape_is_measured_anew():
    """Modules, settings of the optimizer and the step's own code are part of the question."""
    steps = [made(), made(), made(torch.nn.Tanh), made(amsgrad=True), made(work=lambda: sum([1]))]
    cached = [measure(step, knobs=FUSED, keep=False).measured[0].cached for step in steps]
    assert [False, True, False, False, False] == cached


@pytest.mark.parametrize("wrong", [{"verdict": []}, {"verdict": {}}, {"ratio": 10**400}])
def test_a_kept_measurement_of_odd_types_is_left_aside(tmp_path, monkeypatch, wrong):
    """No JSON that a file may have ends the measurement."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = results.question(Hardware("cpu", "one"), "w", "optimizer", True, [])
    results.store(asked, Timing(Verdict.FASTER, 1.5, 1.4, 1.6, 12, 0.99, 3.0))
    path = results.path_of(asked)
    with open(path, encoding="utf-8") as file:
        told = json.load(file)
    told["timing"].update(wrong)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(told, file)
    found, reason = results.load(asked)
    assert (None, True) == (found, "that cannot be" in reason)


# ---- the command

STEP = """
import torch
def make_step():
    print("made")
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs = torch.full((2, 4), 3e4)
    def step():
        print("a step")
        optimizer.zero_grad()
        loss = model(inputs).square().sum()
        loss.backward()
        optimizer.step()
        return loss
    return step, model, optimizer
"""


def strict(told):
    """Read JSON that has no word of Python's own."""
    return json.loads(told, parse_constant=pytest.fail)


def test_json_is_json_though_a_step_prints_and_overflows(tmp_path, capsys):
    """What a step prints goes to stderr; what is infinitely far is null."""
    file = tmp_path / "step.py"
    file.write_text(STEP)
    words = ["speed", "measure", str(file), "--knob", "autocast=fp16", "--no-cache"]
    main([*words, "--budget", "2", "--format", "json"])
    found = capsys.readouterr()
    (one,) = strict(found.out)["measured"]
    assert "made\na step\n" == found.err[:12]
    assert ("DIFFERENT", None) == (one["numerics"]["gate"], one["numerics"]["update"])


def test_several_values_of_one_knob_are_measured(tmp_path, capsys):
    """``--knob`` may repeat, with the same knob too."""
    file = tmp_path / "step.py"
    file.write_text(STEP.replace("3e4", "1.0"))
    words = ["--knob", "optimizer=fused", "--knob", "optimizer=foreach", "--no-cache"]
    main(["speed", "measure", str(file), *words, "--budget", "2", "--format", "json"])
    answer = strict(capsys.readouterr().out)
    assert [{"fused": True}, {"foreach": True}] == [one["value"] for one in answer["measured"]]


def test_a_loss_that_is_no_float_is_infinite():
    """A whole number may be larger than any float."""
    assert float("inf") == loss_of(10**400)
