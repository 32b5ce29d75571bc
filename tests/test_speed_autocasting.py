"""The knob autocast: the forward runs under autocast, and nothing of it is left behind."""

from __future__ import annotations

import threading

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the check that torch is there

from shimhub.speed.knobs import KNOBS  # noqa: E402
from shimhub.speed.knobs.autocasting import KNOB  # noqa: E402
from shimhub.speed.model import Hardware, Targets  # noqa: E402

CPU = Hardware("cpu", "a test")


def state():
    """Return what torch's autocast is set to on the CPU, and how deep it is nested."""
    depth = torch.autocast_increment_nesting()
    torch.autocast_decrement_nesting()
    enabled = torch.is_autocast_enabled("cpu")
    return enabled, torch.get_autocast_dtype("cpu"), torch.is_autocast_cache_enabled(), depth


@pytest.fixture(autouse=True)
def nothing_is_left():
    """After each test autocast is as it was before."""
    before = state()
    yield
    assert before == state()


class Told(nn.Module):
    """A model that notes how autocast is set inside, and can raise or call itself."""

    def __init__(self, fails=None, depth=0):
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.fails, self.depth, self.seen = fails, depth, []

    def forward(self, x):
        self.seen.append(state()[:2])
        if self.fails:
            raise self.fails
        if self.depth:
            self.depth -= 1
            self(x)
            assert state()[0]
        return self.linear(x)


def applied(model, value="bf16"):
    """Return the model with the knob on."""
    KNOB.apply(value, Targets(model))
    return model


@pytest.mark.parametrize(("value", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_the_forward_computes_in_the_type(value, dtype):
    """The output is of the type that was asked for; the setting around the call stays."""
    model, before = applied(Told(), value), state()
    assert dtype is model(torch.ones(1, 2)).dtype
    assert [(True, dtype)] == model.seen
    assert before == state()


def test_a_second_value_takes_the_place_of_the_first():
    """There is one autocast, not one in another."""
    model = applied(applied(Told(), "fp16"), "bf16")
    assert torch.bfloat16 is model(torch.ones(1, 2)).dtype
    assert (1, 1) == (len(model._forward_hooks), len(model._forward_pre_hooks))


def test_the_scripts_own_autocast_stays():
    """Inside of an autocast of the script's, ours does nothing: also one of another type."""
    model = applied(Told())
    with torch.autocast("cpu", torch.float16):
        assert torch.float16 is model(torch.ones(1, 2)).dtype
    with torch.autocast("cpu", enabled=False):
        assert torch.bfloat16 is model(torch.ones(1, 2)).dtype


def test_a_forward_that_raises_leaves_nothing():
    """The error comes out, and autocast is as before."""
    model, before = applied(Told(ValueError("mine"))), state()
    with pytest.raises(ValueError, match="mine"):
        model(torch.ones(1, 2))
    assert before == state()


def interrupted():
    """Return a model whose forward was ended by Ctrl-C, which runs no hooks of torch's."""
    model = applied(Told(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        model(torch.ones(1, 2))
    assert state()[0]
    model.fails = None
    return model


def test_an_interrupted_forward_is_tidied_up_by_the_next():
    """What Ctrl-C left entered is left by the next call of the model."""
    interrupted()(torch.ones(1, 2))
    assert not state()[0]


def test_an_interrupted_forward_is_tidied_up_by_the_restore():
    """Restoring does so, too."""
    KNOB.restore({"autocast": None}, Targets(interrupted()))
    assert not state()[0]


def test_a_model_may_call_itself():
    """The inner call leaves the outer one's autocast on."""
    model = applied(Told(depth=2))
    assert torch.bfloat16 is model(torch.ones(1, 2)).dtype
    assert [True] * 3 == [enabled for enabled, _ in model.seen]


def test_threads_have_an_autocast_each():
    """A forward in another thread, in the midst of this one's, has its own, and ends but that."""
    model, types = applied(Told()), []

    def elsewhere(*_):
        if threading.current_thread() is threading.main_thread():
            thread = threading.Thread(target=lambda: types.append(model(torch.ones(1, 2)).dtype))
            thread.start()
            thread.join()

    model.linear.register_forward_pre_hook(elsewhere)
    assert torch.bfloat16 is model(torch.ones(1, 2)).dtype
    assert [torch.bfloat16] == types


def test_a_replica_without_parameters_is_cast_by_its_input():
    """DataParallel's replicas have no parameters: the device is that of what they are given."""
    model = applied(nn.Sequential(nn.ReLU()))
    seen = []
    model[0].register_forward_hook(lambda *_: seen.append(state()[0]))
    model(torch.ones(1))
    assert [True] == seen


def test_hooks_of_the_script_stay_in_their_order():
    """Ours are before and after the script's, and gone after the restore."""
    model = nn.Linear(2, 2)
    handles = [model.register_forward_pre_hook(lambda *_: None) for _ in range(2)]
    before = list(model._forward_pre_hooks)
    state_before = KNOB.read(Targets(model))
    applied(model)
    assert before == list(model._forward_pre_hooks)[1:]
    KNOB.restore(state_before, Targets(model))
    assert before == list(model._forward_pre_hooks) == [one.id for one in handles]
    assert not model._forward_hooks_always_called


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_with_it_is_one_graph(backend):
    """The hooks are traced; the result is that of autocast without compile."""
    torch.manual_seed(0)
    model = applied(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
    plain = model(torch.ones(1, 2))
    KNOBS["compile"].apply({"backend": backend, "fullgraph": True}, Targets(model))
    result = model(torch.ones(1, 2))
    assert "" == model._compiled_call_impl.reason
    assert (torch.bfloat16, plain.tolist()) == (result.dtype, result.tolist())


def test_what_cannot_be_cast_is_told():
    """Devices without autocast, and models that take no such hooks."""
    meta = Targets(nn.Linear(2, 2, device="meta"))
    assert "" == KNOB.why_not("bf16", CPU, meta)  # no values yet: taken for a CPU's
    assert "autocast takes bf16 or fp16, not 'fp32'" == KNOB.why_not("fp32", CPU, meta)
