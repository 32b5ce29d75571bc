"""``apply_plan`` and ``apply_speedups``: all or nothing, and nothing is left behind."""

import itertools
import logging
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

torch = pytest.importorskip("torch")

from shimhub.speed import (  # noqa: E402
    Action,
    Decision,
    Hardware,
    KnobError,
    Plan,
    SpeedConfig,
    SpeedConfigError,
    apply_plan,
    apply_speedups,
)
from shimhub.speed.knobs import KNOBS, fp32, sdpa  # noqa: E402
from tests._speed_settings import (  # noqa: E402
    SDPA,
    USERS,
    allow_tf32,
    benchmark,
    cudnn_allow_tf32,
    deterministic,
    field,
    flags,
    fresh,
    surroundings,
    world,
    write,
)

CPU = Hardware("cpu", "a CPU")
GPU = Hardware("cuda", "a GPU", capability=(8, 0))


def plan(hardware=CPU, asked=True, **values):
    """Return a plan that applies values."""
    decisions = (Decision(knob, Action.APPLY, one, "", asked) for knob, one in values.items())
    return Plan(hardware, tuple(decisions))


@pytest.fixture(autouse=True)
def _settings():
    fresh()
    yield
    fresh()


# ---- exact over all combinations

FLAGS = [None, False, True]
VALUES = {
    "deterministic": FLAGS,
    "cudnn_benchmark": FLAGS,
    "fp32_precision": [None, "highest", "high", "medium"],
    "sdpa": [None, ("math",), ("flash", "mem_efficient", "cudnn")],
}


def combinations():
    """Yield the values of every combination of process knobs."""
    for values in itertools.product(*VALUES.values()):
        yield {name: one for name, one in zip(VALUES, values, strict=True) if one is not None}


def contradicts(values, benchmark, deterministic):
    """Whether one of cuDNN's flags is turned on while the other is on, and stays so."""
    wanted = values.get("cudnn_benchmark", benchmark), values.get("deterministic", deterministic)
    asked = values.get("cudnn_benchmark") or values.get("deterministic")
    return bool(asked) and wanted == (True, True)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("cudnn", list(itertools.product([False, True], repeat=2)), ids=str)
@pytest.mark.parametrize("flash", [True, False])
def test_every_combination_of_knobs_is_undone_exactly(user, cudnn, flash):
    """108 combinations on each state that a user may have left; all flags are as they were."""
    write(USERS[user])
    write([(benchmark, cudnn[0]), (deterministic, cudnn[1]), (SDPA["flash"], flash)])
    before, around = flags(), surroundings()
    for values in combinations():
        if contradicts(values, *cudnn):
            with pytest.raises(KnobError, match="picked by stopwatch"):
                apply_plan(None, plan(**values))
        else:
            apply_plan(None, plan(**values))[1].restore()
        assert before == flags(), values
    assert around == surroundings()


#: What a user may write at any time, with the settings of ours that it sets.
WORD, MATMUL, ONEDNN = (
    "torch.get_float32_matmul_precision()",
    "torch.backends.cuda.matmul.fp32_precision",
    "torch.backends.mkldnn.matmul.fp32_precision",
)
WRITES = [
    *(
        ((torch.set_float32_matmul_precision, word), {WORD: word, MATMUL: one, ONEDNN: other})
        for word, one, other in (
            ("highest", "ieee", "ieee"),
            ("high", "tf32", "tf32"),
            ("medium", "tf32", "bf16"),
        )
    ),
    ((allow_tf32, True), {WORD: "high", MATMUL: "tf32"}),
    ((allow_tf32, False), {WORD: "highest", MATMUL: "ieee"}),
    *(((cudnn_allow_tf32, on), {}) for on in (True, False)),
    *(((field, "generic", "all", one), {}) for one in ("none", "ieee", "tf32", "bf16")),
    *(((field, "cuda", "all", one), {}) for one in ("none", "ieee", "tf32")),
    *(((field, "mkldnn", "all", one), {}) for one in ("none", "ieee", "tf32", "bf16")),
    *(((field, "cuda", "matmul", one), {MATMUL: one}) for one in ("none", "ieee", "tf32")),
    *(
        ((field, "mkldnn", "matmul", one), {ONEDNN: one})
        for one in ("none", "ieee", "tf32", "bf16")
    ),
    *(((benchmark, on), {"torch.backends.cudnn.benchmark": on}) for on in (True, False)),
    *(((deterministic, on), {"torch.backends.cudnn.deterministic": on}) for on in (True, False)),
    *(
        ((SDPA[name], on), {f"torch.backends.cuda.{name}_sdp_enabled()": on})
        for name, on in itertools.product(SDPA, (True, False))
    ),
]


class Machine(RuleBasedStateMachine):
    """Users write and contexts come and go in any order; the oracle is a run without us.

    A write of the very value that a context has set cannot be seen, so none is made.
    """

    def __init__(self):
        super().__init__()
        fresh()
        self.around = surroundings()
        self.contexts = []
        self.written = []

    @rule(one=st.sampled_from(WRITES))
    def user(self, one):
        """Write as a user."""
        call, sets = one
        layers = [layer for context in self.contexts for layer in context._layers]
        ours = {(name, value) for layer in layers for name, value in layer.written.items()}
        if not ours.isdisjoint(sets.items()):
            return
        write([call])
        self.written.append(call)

    @rule(values=st.fixed_dictionaries({n: st.sampled_from(v) for n, v in VALUES.items()}))
    def apply(self, values):
        """Apply some knobs; two that contradict each other change nothing."""
        before = flags()
        try:
            _, context = apply_plan(
                None, plan(**{name: one for name, one in values.items() if one is not None})
            )
        except KnobError:
            assert before == flags()
        else:
            self.contexts.append(context)

    @precondition(lambda self: self.contexts)
    @rule(data=st.data(), times=st.integers(1, 2))
    def restore(self, data, times):
        """Restore any context, once or twice."""
        context = data.draw(st.sampled_from(self.contexts))
        for _ in range(times):
            context.restore()
        self.contexts.remove(context)

    def teardown(self):
        """Restore what is left; everything is as if we had never been there."""
        for context in self.contexts:
            context.restore()
        found = flags()
        fresh()
        write(self.written)
        assert flags() == found
        assert self.around == surroundings()
        fresh()


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)


# ---- knobs of models and optimizers


def network(last):
    """Return a small network of convolutions, in channels_last or not."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Conv2d(4, 4, 3),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 2),
    )
    return model.to(memory_format=torch.channels_last) if last else model


def trained(model, optimizer):
    """Make two steps, so that there are gradients and state of the optimizer."""
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(2, 3, 8, 8)).sum().backward()
        optimizer.step()
    return model, optimizer


def made(state):
    """Return a model and its optimizer as a user has them."""
    model = network(last=state == "own settings")
    if state == "new":
        return model, torch.optim.AdamW(model.parameters(), lr=0.1)
    if state == "trained":
        return trained(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    return trained(model, torch.optim.AdamW(model.parameters(), lr=0.1, fused=True))


STATES = ["new", "trained", "own settings"]
KNOBS_OF_MODELS = {
    "channels_last": [None, True],
    "autocast": [None, "bf16"],
    "optimizer": [None, {"fused": True}, {"foreach": True}, {"foreach": False}],
    "compile": [None, True],
}


def told(tensor):
    """Return all of a tensor that is to be seen from outside."""
    if not isinstance(tensor, torch.Tensor):
        return tensor
    values = tensor.detach().contiguous().numpy().tobytes()
    return values, tensor.dtype, tensor.device, tensor.stride(), tensor.requires_grad


def seen(model, optimizer):
    """Return all of a model and its optimizer, by identity where that matters."""
    return {
        "keys": list(model.state_dict()),
        "tensors": [told(one) for one in model.state_dict().values()],
        "parameters": [id(one) for one in model.parameters()],
        "gradients": [told(one.grad) for one in model.parameters()],
        "attributes": [
            {name: dict(one) if isinstance(one, dict) else one for name, one in vars(each).items()}
            for each in model.modules()
        ],
        "groups": [{**one, "params": [*map(id, one["params"])]} for one in optimizer.param_groups],
        "state": [
            {name: told(one) for name, one in optimizer.state[p].items()}
            for p in model.parameters()
            if p in optimizer.state
        ],
        "optimizer": sorted(vars(optimizer)),
    }


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("compiled", KNOBS_OF_MODELS["compile"])
@pytest.mark.parametrize("last", KNOBS_OF_MODELS["channels_last"])
def test_every_combination_on_a_model_is_undone_exactly(state, compiled, last):
    """With and without the process' knobs: model, optimizer and process are as they were."""
    model, optimizer = made(state)
    before, around, applied = seen(model, optimizer), world(), 0
    for autocast, step, process in itertools.product(
        KNOBS_OF_MODELS["autocast"],
        KNOBS_OF_MODELS["optimizer"],
        ({}, {"fp32_precision": "medium", "cudnn_benchmark": True, "sdpa": ["math"]}),
    ):
        values = {"channels_last": last, "autocast": autocast, "optimizer": step, **process}
        values = {name: one for name, one in {**values, "compile": compiled}.items() if one}
        same, context = apply_plan(model, plan(**values), optimizer=optimizer)
        assert same is model
        applied += [*context.before] == [name for name in KNOBS if name in values]
        context.restore()
        assert before == seen(model, optimizer), values
        assert around == world(), values
    assert 16 == applied


ALL = {
    "deterministic": False,
    "cudnn_benchmark": True,
    "fp32_precision": "high",
    "sdpa": ["math"],
    "channels_last": True,
    "autocast": "bf16",
    "optimizer": {"foreach": True},
    "compile": True,
}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_contexts_that_overlap_are_restored_in_any_order(order):
    """Three contexts with every knob: whatever the order, in the end all is as it was."""
    model, optimizer = made("trained")
    before, around = seen(model, optimizer), world()
    other = {**ALL, "fp32_precision": "medium", "autocast": "fp16"}
    contexts = [
        apply_plan(model, plan(**values), optimizer=optimizer)[1] for values in (ALL, other, ALL)
    ]
    for index in order:
        contexts[index].restore()
        contexts[index].restore()
    assert before == seen(model, optimizer)
    assert around == world()


# ---- failures


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("error", [KnobError("no"), ZeroDivisionError(), KeyboardInterrupt()])
@pytest.mark.parametrize("knob", ALL)
def test_each_knob_may_fail(knob, error, moment, monkeypatch):
    """Before it has written anything, or after all of it: nothing of any knob is left."""
    assert [*KNOBS] == [*ALL]
    model, optimizer = made("trained")
    before, around = seen(model, optimizer), world()
    real = KNOBS[knob].apply

    def apply(value, targets):
        if moment == "after":
            real(value, targets)
        raise error

    monkeypatch.setattr(KNOBS[knob], "apply", apply)
    with pytest.raises(type(error)):
        apply_plan(model, plan(**ALL, seed=1), optimizer=optimizer)
    assert before == seen(model, optimizer)
    assert around == world()


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("user", USERS)
def test_fp32_may_fail_between_two_fields(user, number, monkeypatch):
    """Torch's setter raises at the first or second field; the word and both are as before."""
    write(USERS[user])
    around, real, calls = world(), fp32.Fp32Precision.apply, []

    def failing(leaf, value):
        calls.append(leaf)
        if len(calls) > number:
            raise MemoryError
        field(*leaf, value)

    def apply(self, value, targets):
        with monkeypatch.context() as patched:
            patched.setattr(fp32, "_set", failing)
            patched.setattr(fp32, "_told", lambda getter: fp32.RAISES)
            real(self, value, targets)

    monkeypatch.setattr(fp32.Fp32Precision, "apply", apply)
    with pytest.raises(MemoryError):
        apply_plan(None, plan(cudnn_benchmark=True, fp32_precision="medium"))
    assert number + 1 == len(calls)
    assert around == world()


@pytest.mark.parametrize("name", sdpa.KERNELS)
def test_sdpa_may_fail_between_two_kernels(name, monkeypatch):
    """Whichever kernel cannot be set, those before it are as they were."""
    around = world()
    failing = [True]

    def enable(on):
        if failing.pop() if failing else False:
            raise MemoryError
        SDPA[name](on)

    monkeypatch.setitem(sdpa.KERNELS, name, sdpa.KERNELS[name]._replace(set=enable))
    with pytest.raises(MemoryError):
        apply_plan(None, plan(sdpa=["math"]))
    assert around == world()


@pytest.fixture
def freeze(monkeypatch):
    """Return what a program does to close cuDNN's flags to assignments; they are opened again."""
    freeze = torch.backends.disable_global_flags
    monkeypatch.setitem(freeze.__globals__, "__allow_nonbracketed_mutation_flag", True)
    yield freeze
    monkeypatch.undo()


def test_frozen_flags_are_told(freeze):
    """Where cuDNN's flags cannot be set, an error says so."""
    freeze()
    with pytest.raises(KnobError, match=r"cudnn.benchmark = True: not allowed to set"):
        apply_plan(None, plan(cudnn_benchmark=True))


def test_flags_are_restored_where_they_were_frozen_meanwhile(freeze):
    """Restoring does not go by the door that is closed."""
    _, context = apply_plan(None, plan(cudnn_benchmark=True, deterministic=False))
    freeze()
    context.restore()
    assert not torch.backends.cudnn.benchmark


def test_a_restore_that_fails_leaves_the_others_restored(monkeypatch):
    """The error comes out, the other knobs are back, and a second call brings back the rest."""
    around = world()
    _, context = apply_plan(None, plan(cudnn_benchmark=True, fp32_precision="high", sdpa=["math"]))
    with monkeypatch.context() as patched:
        patched.setattr(fp32.Fp32Precision, "rewrite", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            context.restore()
    assert ("high", False) == (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark)
    context.restore()
    assert around == world()


def test_a_plan_with_an_unknown_knob_changes_nothing():
    """The error names it and the nearest one, before anything is set."""
    around = world()
    with pytest.raises(KnobError, match=r"'cudnn_benchmrk', which is no knob \(did you mean"):
        apply_plan(None, plan(fp32_precision="high", cudnn_benchmrk=True))
    assert around == world()


# ---- the user's own settings on top


def test_what_the_user_set_since_is_kept_and_told():
    """Of three settings the user changed one; that one stays, and the note has its name."""
    _, context = apply_plan(None, plan(fp32_precision="high", cudnn_benchmark=True, sdpa=["math"]))
    torch.backends.cuda.enable_flash_sdp(True)
    context.restore()
    told = "sdpa: torch.backends.cuda.flash_sdp_enabled() was changed since, and is kept"
    assert told not in context.notes  # it is what was there before, so there is nothing to tell
    _, context = apply_plan(None, plan(fp32_precision="high", sdpa=["flash", "math"]))
    torch.backends.cuda.enable_flash_sdp(False)
    context.restore()
    assert [told] == context.notes
    assert not torch.backends.cuda.flash_sdp_enabled()
    assert torch.backends.cuda.cudnn_sdp_enabled()
    assert "highest" == torch.get_float32_matmul_precision()


def test_a_precision_that_the_user_set_since_is_kept():
    """set_float32_matmul_precision on top of ours stays, readable, when ours goes."""
    _, context = apply_plan(None, plan(fp32_precision="high"))
    torch.set_float32_matmul_precision("medium")
    context.restore()
    assert "medium" == torch.get_float32_matmul_precision()
    assert WORD in context.notes[0]


# ---- what is passed over


def test_a_knob_without_its_target_is_passed_over_and_told(caplog):
    """No optimizer is at hand yet, as in every example: it is a warning, not an error."""
    with caplog.at_level(logging.WARNING, "shimhub.speed"):
        _, context = apply_plan(torch.nn.Linear(1, 1), plan(optimizer={"fused": True}))
    told = "optimizer: not applied: it acts on the optimizer, and none was given"
    assert [told] == context.notes == caplog.messages


def test_what_was_asked_for_is_done_though_it_may_not_matter():
    """TF32 on a CPU is obeyed; where nobody asked for it, it is passed over with the reason."""
    _, context = apply_plan(None, plan(fp32_precision="high"))
    assert "high" == torch.get_float32_matmul_precision()
    context.restore()
    _, context = apply_plan(None, plan(fp32_precision="high", asked=False))
    assert "highest" == torch.get_float32_matmul_precision()
    told = "fp32_precision: not applied: this CPU has no TF32: it multiplies float32 as before"
    assert [told] == context.notes


def test_what_was_asked_for_and_cannot_be_is_an_error():
    """The optimizer has no fused step: of the whole plan nothing is left."""
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.Rprop(model.parameters())
    around = world()
    with pytest.raises(KnobError, match="Rprop has no fused"):
        apply_plan(
            model, plan(fp32_precision="high", optimizer={"fused": True}), optimizer=optimizer
        )
    assert around == world()


@pytest.mark.parametrize("action", [Action.LEAVE, Action.NOT_APPLICABLE])
def test_other_decisions_are_not_carried_out(action):
    """Only what is to be applied is; the value of another decision is for reading."""
    decision = Decision("cudnn_benchmark", action, True, "", asked=True)
    _, context = apply_plan(None, Plan(CPU, (decision,)))
    assert (False, {}) == (torch.backends.cudnn.benchmark, context.before)


# ---- seed and device


def test_nothing_is_seeded_unless_asked():
    """The three generators go on as without us."""
    around = surroundings()
    apply_plan(torch.nn.Identity(), plan(fp32_precision="high"))[1].restore()
    assert around == surroundings()


def test_a_seed_that_was_asked_for_is_set_once():
    """The three generators give what they give after seeding by hand; it is told, not undone."""
    import numpy as np

    state = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    random.seed(7), np.random.seed(7), torch.manual_seed(7)  # noqa: NPY002
    expected = surroundings()
    random.seed(8), np.random.seed(8), torch.manual_seed(8)  # noqa: NPY002
    _, context = apply_plan(None, plan(seed=7))
    context.restore()
    assert expected == surroundings()
    assert ["seed: seeded with 7, as asked; restore does not rewind that"] == context.notes
    random.setstate(state[0]), np.random.set_state(state[1]), torch.set_rng_state(state[2])  # noqa: NPY002


def test_a_model_elsewhere_is_told(caplog):
    """Settings for a GPU and a model on the CPU: it is the user's to move, and stays."""
    model = torch.nn.Linear(1, 1)
    with caplog.at_level(logging.WARNING, "shimhub.speed"):
        _, context = apply_plan(model, plan(GPU, device="cuda:0"))
    told = "device: settings are for cuda:0, the model is on cpu: move it"
    assert [told] == context.notes == caplog.messages
    assert [] == apply_plan(model, plan(device="cpu"))[1].notes


# ---- apply_speedups


@pytest.mark.parametrize(
    "config",
    [
        {"tf32_matmul_precision": "high"},
        SpeedConfig.from_dict({"tf32_matmul_precision": "high"}),
    ],
)
def test_a_configuration_is_a_dictionary_or_a_config(config):
    """Both come to the same; the flag that the guide prints is on, and off again after."""
    model = torch.nn.Linear(1, 1)
    same, context = apply_speedups(model, config)
    assert same is model
    assert torch.backends.cuda.matmul.allow_tf32
    context.restore()
    assert not torch.backends.cuda.matmul.allow_tf32


def test_without_a_configuration_nothing_is_touched():
    """Nothing was asked for, so there is nothing to undo."""
    model = torch.nn.Linear(1, 1)
    around = world()
    _, context = apply_speedups(model)
    assert around == world()
    assert {} == context.before


def test_a_configuration_that_means_nothing_changes_nothing():
    """All mistakes come at once, from a dictionary and from a config made by hand."""
    around = world()
    with pytest.raises(SpeedConfigError, match="tf32_matmul_precision"):
        apply_speedups(None, {"tf32_matmul_precision": "hihg", "seed": 1})
    with pytest.raises(SpeedConfigError, match="tf32_matmul_precision"):
        apply_speedups(None, SpeedConfig(tf32_matmul_precision="hihg"))
    assert around == world()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (torch.nn.Linear(1, 1), "cpu"),
        (torch.nn.Linear(1, 1, device="meta"), "auto"),
        (torch.nn.Identity(), "auto"),
        (None, "auto"),
        (lambda x: x, "auto"),
    ],
    ids=["cpu", "meta", "no parameters", "nothing", "a function"],
)
def test_it_is_decided_for_the_device_that_the_model_is_on(model, expected, monkeypatch):
    """A model on the CPU of a machine with a GPU is not decided for as if it were on the GPU."""
    from shimhub.speed import hardware

    asked = []
    monkeypatch.setattr(hardware, "detect", lambda device: asked.append(device) or CPU)
    apply_speedups(model, {"precision": "auto"})
    apply_speedups(model, {"precision": "auto", "device": "auto"})
    apply_speedups(model, {"precision": "auto", "device": "cpu"})
    assert [expected, expected, "cpu"] == asked
