"""What holds for every knob of a model or an optimizer, and for the training that it is put on."""

from __future__ import annotations

import copy
import pickle
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

from shimhub.speed.errors import KnobError  # noqa: E402 - after the check that torch is there
from shimhub.speed.knobs import KNOBS  # noqa: E402
from shimhub.speed.knobs.compiling import fallback_reason  # noqa: E402
from shimhub.speed.model import Hardware, Numerics, Targets  # noqa: E402
from tests.speed_models import convolution_training, transformer_training  # noqa: E402

CPU = Hardware("cpu", "a test")
#: Knobs with values that tests can afford.
CASES = [
    ("channels_last", True),
    ("compile", {"backend": "eager"}),
    ("optimizer", {"fused": True}),
    ("optimizer", {"foreach": True}),
    ("optimizer", {"foreach": False}),
    ("autocast", "bf16"),
]
NAMES = [f"{name}-{value}" for name, value in CASES]
every_knob = pytest.mark.parametrize(("name", "value"), CASES, ids=NAMES)


def targets_of(training):
    """Return what knobs act on in a training."""
    return Targets(training.model, training.optimizer)


def generators():
    """Return the state of every generator of random numbers."""
    return random.getstate(), torch.get_rng_state().tolist(), str(np.random.get_state())  # noqa: NPY002 - the one that scripts draw from


def exact(model):
    """Return a model's state_dict as bytes by name."""
    return {name: one.detach().numpy().tobytes() for name, one in model.state_dict().items()}


def attributes(model):
    """Return the attributes of each module, and the hooks on it."""
    return {
        name: {key: list(one) if key.startswith("_forward") else one for key, one in held.items()}
        for name, module in model.named_modules()
        if (held := {k: v for k, v in vars(module).items() if k not in {"_parameters", "_buffers"}})
    }


@every_knob
def test_what_was_before_is_back(name, value):
    """Read, apply, restore, read: the same; the value is told in between; again and again."""
    training = convolution_training()
    training.step()
    knob, targets = KNOBS[name], targets_of(training)
    before, held = knob.read(targets), attributes(training.model)
    assert "" == knob.why_not(value, CPU, targets)
    for _ in range(2):
        knob.apply(value, targets)
        assert before != knob.read(targets)
        knob.restore(before, targets)
        assert before == knob.read(targets)
        assert held == attributes(training.model)


@every_knob
def test_restoring_holds_after_steps_too(name, value):
    """Steps in between change neither what is read nor what is brought back."""
    training = convolution_training()
    knob, targets = KNOBS[name], targets_of(training)
    before = knob.read(targets)
    knob.apply(value, targets)
    applied = knob.read(targets)
    training.losses(2)
    assert applied == knob.read(targets)
    knob.restore(before, targets)
    training.step()
    assert before == knob.read(targets)


@every_knob
def test_no_random_number_is_drawn(name, value):
    """Neither reading, nor applying, nor restoring draws from any generator."""
    training = convolution_training()
    training.step()
    knob, targets, before = KNOBS[name], targets_of(training), generators()
    state = knob.read(targets)
    knob.why_not(value, CPU, targets)
    knob.apply(value, targets)
    knob.restore(state, targets)
    assert before == generators()


@every_knob
def test_parameters_and_checkpoints_stay(name, value):
    """Parameters are the same objects with the same bits, and checkpoints have the same keys."""
    training = convolution_training()
    training.step()
    knob, targets = KNOBS[name], targets_of(training)
    parameters = {key: id(one) for key, one in training.model.named_parameters()}
    state, bits = knob.read(targets), exact(training.model)
    keys = training.optimizer.state_dict()["param_groups"][0].keys()

    def same():
        assert parameters == {key: id(one) for key, one in training.model.named_parameters()}
        assert bits == exact(training.model)
        assert keys == training.optimizer.state_dict()["param_groups"][0].keys()

    knob.apply(value, targets)
    same()
    knob.restore(state, targets)
    same()


@every_knob
def test_a_model_can_be_copied_and_pickled_meanwhile(name, value):
    """Copies and pickles work, compute what the model does, and know nothing of shimhub."""
    training = convolution_training()
    knob, targets = KNOBS[name], targets_of(training)
    plain = copy.deepcopy(training.model).eval()(training.inputs)
    knob.apply(value, targets)
    training.model.eval()(training.inputs)
    pickled = pickle.dumps(training.model)
    assert b"shimhub" not in pickled
    for other in (copy.deepcopy(training.model), pickle.loads(pickled)):
        torch.testing.assert_close(other(training.inputs), plain, rtol=1e-5, atol=1e-6)
        assert plain.dtype == other(training.inputs).dtype
    saved = pickle.loads(pickle.dumps(training.optimizer.state_dict()))
    copy.deepcopy(training.optimizer).load_state_dict(saved)


BAD = [
    ("compile", {"backend": "inductr"}, "did you mean 'inductor'"),
    ("compile", {"mode": "max-autotun"}, "did you mean 'max-autotune'"),
    ("compile", {"options": {"max_autotun": True}}, "did you mean 'max_autotune'"),
    ("optimizer", {"fused": True, "foreach": True}, "the value is"),
    ("optimizer", {"fused": "yes"}, "the value is"),
    ("autocast", "fp8", "bf16 or fp16"),
]


@pytest.mark.parametrize(("name", "value", "told"), BAD)
def test_a_value_that_cannot_be_set_changes_nothing(name, value, told):
    """KnobError names the knob and what is wrong, and the settings are what they were."""
    training = convolution_training()
    knob, targets = KNOBS[name], targets_of(training)
    before, held = knob.read(targets), attributes(training.model)
    with pytest.raises(KnobError, match=f"{name}: .*{told}"):
        knob.apply(value, targets)
    assert before == knob.read(targets)
    assert held == attributes(training.model)


@pytest.mark.parametrize("name", ["channels_last", "compile", "optimizer", "autocast"])
def test_a_knob_without_its_target_says_so(name):
    """Reading needs no target; whether it could be set is told."""
    value = {"autocast": "bf16", "optimizer": {"fused": True}}.get(name, True)
    assert dict(KNOBS[name].read(Targets())) in ({}, {"call": "absent"}, {"autocast": None})
    assert KNOBS[name].why_not(value, CPU, Targets()).endswith("was given")


#: How far the loss may be from that of the unmodified run, relative, in the first twenty steps.
#: Measured on the transformer: foreach and aot_eager 0, fused 1.2e-7.
TOLERANCE = {"optimizer-{'foreach': True}": 0.0, "optimizer-{'foreach': False}": 0.0}
LOSSLESS = [case for case in CASES if case[0] not in {"autocast", "compile"}]
LOSSLESS += [("compile", {"backend": "aot_eager"})]


@pytest.mark.parametrize("begin", [transformer_training, convolution_training])
@pytest.mark.parametrize(
    ("name", "value"), LOSSLESS, ids=[f"{name}-{value}" for name, value in LOSSLESS]
)
def test_twenty_losses_are_those_of_the_unmodified_run(name, value, begin):
    """A lossless knob leaves the loss of the first twenty steps, and the random numbers drawn."""
    plain = begin().losses(20)
    drawn = generators()
    training = begin()
    KNOBS[name].apply(value, targets_of(training))
    tolerance = TOLERANCE.get(f"{name}-{value}", 1e-5)
    assert plain == pytest.approx(training.losses(20), rel=tolerance, abs=0)
    assert drawn == generators()
    assert Numerics.LOSSY is not KNOBS[name].numerics


@pytest.mark.parametrize("begin", [transformer_training, convolution_training])
def test_autocast_is_lossy_and_named_so(begin):
    """Twenty losses under autocast are others, by less than a tenth: LOSSY, so off until asked."""
    plain = begin().losses(20)
    training = begin()
    KNOBS["autocast"].apply("bf16", targets_of(training))
    losses = training.losses(20)
    assert plain != losses
    assert plain == pytest.approx(losses, rel=0.1)
    assert Numerics.LOSSY is KNOBS["autocast"].numerics


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # a warning in torch's compiler would be a failure of it
@pytest.mark.parametrize("begin", [transformer_training, convolution_training])
def test_twenty_losses_under_inductor(begin):
    """With dropout, too: compiled code draws the random numbers that eager torch draws."""
    plain = begin().losses(20)
    drawn = generators()
    training = begin()
    KNOBS["compile"].apply(True, targets_of(training))
    assert plain == pytest.approx(training.losses(20), rel=1e-5)
    assert drawn == generators()
    assert "" == fallback_reason(training.model)


def test_all_of_them_together():
    """All knobs at once leave the losses of the plain run, restored in any order."""
    plain = convolution_training().losses(6)
    training = convolution_training()
    targets = targets_of(training)
    knobs = [
        ("channels_last", True),
        ("optimizer", {"fused": True}),
        ("compile", {"backend": "eager"}),
    ]
    before = {name: KNOBS[name].read(targets) for name, _ in knobs}
    losses = training.losses(2)
    for name, value in knobs:
        KNOBS[name].apply(value, targets)
    losses += training.losses(2)
    for name in ("optimizer", "compile", "channels_last"):
        KNOBS[name].restore(before[name], targets)
    assert before == {name: KNOBS[name].read(targets) for name in before}
    assert plain == pytest.approx(losses + training.losses(2), rel=1e-5)
