"""The knob compile: what is compiled, what happens where that fails, and whose word counts."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the check that torch is there

from shimhub.speed.errors import KnobError  # noqa: E402
from shimhub.speed.knobs import _compiled_call, _toolchain, compiling  # noqa: E402
from shimhub.speed.knobs._compiled_call import Settings  # noqa: E402
from shimhub.speed.knobs._layers import drop, push  # noqa: E402
from shimhub.speed.knobs.compiling import KNOB, fallback_reason  # noqa: E402
from shimhub.speed.model import Hardware, Targets  # noqa: E402

CPU = Hardware("cpu", "a test")


class Counting:
    """A backend that counts its graphs, and fails at one of them."""

    def __init__(self, fails_at=0):
        self.graphs, self.fails_at = 0, fails_at

    def __call__(self, graph, inputs):
        self.graphs += 1
        if self.graphs == self.fails_at:
            raise ValueError("no such lowering")
        return graph.forward


class Halves(nn.Module):
    """Dropout, batch norm and a counter on both sides of a break of the graph."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.calls = []

    def forward(self, x):
        x = nn.functional.dropout(self.norm(x))
        self.calls.append(len(self.calls))
        torch._dynamo.graph_break()
        return nn.functional.dropout(x)


def run(model, times=3, width=4):
    """Return all that some forwards came to: outputs, buffers, what was counted, random numbers."""
    torch.manual_seed(5)
    outputs = [model(torch.randn(6, width)) for _ in range(times)]
    state = [*outputs, *model.state_dict().values(), torch.rand(2)]
    return [one.detach().tolist() for one in state], getattr(model, "calls", [])


def test_a_model_of_torchs_own_modules_is_compiled():
    """Module.compile() of torch leaves a bare Sequential eager without a word."""
    ours, theirs = Counting(), Counting()
    model, other = nn.Sequential(nn.Linear(2, 3)), nn.Sequential(nn.Linear(2, 3))
    other.compile(backend=theirs)
    KNOB.apply({"backend": ours}, Targets(model))
    model(torch.ones(1, 2))
    other(torch.ones(1, 2))
    assert (1, 0) == (ours.graphs, theirs.graphs)


#: torch looks at .grad of what crosses a break of the graph.
crosses_a_break = pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")


@crosses_a_break
@pytest.mark.parametrize("fails_at", [1, 2], ids=["first graph", "second graph"])
def test_a_failing_backend_leaves_the_model_eager(fails_at, caplog):
    """Outputs, buffers, side effects and random numbers are as without; it is told once."""
    plain, backend = run(Halves()), Counting(fails_at)
    model = Halves()
    KNOB.apply({"backend": backend}, Targets(model))
    with caplog.at_level(logging.WARNING, "shimhub.speed"):
        assert plain == run(model)
    told = "Halves runs eagerly, as without compile: ValueError: no such lowering"
    assert [told] == [one.getMessage() for one in caplog.records if one.name == "shimhub.speed"]
    assert "ValueError: no such lowering" == fallback_reason(model)
    graphs = backend.graphs
    model(torch.randn(6, 4))
    assert graphs == backend.graphs
    assert "eager: ValueError" in repr(KNOB.read(Targets(model))["call"])


@crosses_a_break
def test_what_cannot_be_one_graph_runs_eagerly(caplog):
    """With fullgraph=True a break is no error of the training: told, and all as without."""
    plain = run(Halves())
    model = Halves()
    KNOB.apply({"backend": "eager", "fullgraph": True}, Targets(model))
    with caplog.at_level(logging.WARNING, "shimhub.speed"):
        assert plain == run(model)
    assert fallback_reason(model).startswith("Unsupported: ")
    assert 1 == sum(one.name == "shimhub.speed" for one in caplog.records)


@pytest.mark.filterwarnings("error:The .grad attribute:UserWarning")
def test_what_ran_before_torch_failed_is_taken_back():
    """Where torch fails behind a break of the graph, buffers and random numbers are as without.

    The failure is torch's own warning at such a break, made an error.
    """
    plain, _ = run(Halves())
    model = Halves()
    KNOB.apply({"backend": "eager"}, Targets(model))
    assert plain == run(model)[0]
    assert fallback_reason(model).startswith("InternalTorchDynamoError: ")


def test_a_backward_that_cannot_be_compiled_fails_in_the_forward():
    """Its failure is caught like the forward's: loss.backward() of the script does not see it."""
    from torch._dynamo.backends.common import aot_autograd

    def refuse(_graph, _inputs):
        raise ValueError("no backward")

    backend = aot_autograd(fw_compiler=lambda graph, inputs: graph.forward, bw_compiler=refuse)
    model = nn.Sequential(nn.Linear(2, 3))
    KNOB.apply({"backend": backend, "dynamic": True}, Targets(model))
    model(torch.ones(5, 2)).sum().backward()
    assert "no backward" in fallback_reason(model)
    assert model[0].weight.grad.tolist() == [[5.0, 5.0]] * 3


def test_a_mistake_of_the_scripts_own_is_raised_as_without():
    """Inputs that do not fit raise what the model raises, and the model stays compiled."""
    model, backend = nn.Sequential(nn.Linear(2, 3)), Counting()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as plain:
        model(torch.ones(1, 4))
    KNOB.apply({"backend": backend}, Targets(model))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as told:
        model(torch.ones(1, 4))
    assert (type(plain.value), str(plain.value)) == (type(told.value), str(told.value))
    model(torch.ones(1, 2))
    assert (1, "") == (backend.graphs, fallback_reason(model))


def test_switching_compiles_once_and_keeps_no_model_alive():
    """On, off, on again: one compilation; and a model that nobody holds is freed."""
    backend, model = Counting(), nn.Sequential(nn.Linear(2, 3))
    targets = Targets(model)
    before = KNOB.read(targets)
    for _ in range(3):
        KNOB.apply({"backend": backend}, targets)
        model(torch.ones(1, 2))
        KNOB.restore(before, targets)
        model(torch.ones(1, 2))
    assert 1 == backend.graphs
    gone = weakref.ref(model)
    del model, targets
    gc.collect()
    assert gone() is None
    assert not [call for call in compiling._calls.values() if call.settings.backend is backend]


def test_many_models_are_compiled_each():
    """The limit of eight variants that torch has is per model."""
    backends = [Counting() for _ in range(10)]
    for width, backend in enumerate(backends, 1):
        model = nn.Sequential(nn.Linear(width, 2))
        KNOB.apply({"backend": backend}, Targets(model))
        model(torch.ones(1, width))
    assert [1] * 10 == [backend.graphs for backend in backends]


def compiled_by_user():
    """Return a model that its script has compiled in place."""
    model = nn.Sequential(nn.Linear(2, 3))
    model.compile(backend="eager")
    return model


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (compiled_by_user, "by its compile\\(\\) already: yours is kept"),
        (lambda: torch.compile(nn.Linear(2, 3), backend="eager"), "by torch.compile already"),
        (lambda: nn.DataParallel(nn.Linear(2, 3)), "DataParallel"),
    ],
)
def test_what_is_not_ours_to_compile_is_refused(make, told):
    """A model that the script compiled stays compiled by the script."""
    model = make()
    before = KNOB.read(Targets(model))
    with pytest.raises(KnobError, match=f"compile: .*{told}"):
        KNOB.apply(True, Targets(model))
    assert before == KNOB.read(Targets(model))
    assert KNOB.why_not(True, CPU, Targets(model))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_model_of_torch_jit_is_refused():
    """torch.compile would raise at the first forward."""
    model = torch.jit.script(nn.Linear(2, 3))
    assert "a torch.jit model cannot be compiled" == KNOB.why_not(True, CPU, Targets(model))


def test_a_model_that_the_script_compiles_later_stays_so():
    """Model.compile() on top of ours is kept by the restore, and told."""
    model = nn.Sequential(nn.Linear(2, 3))
    layer = push(KNOB, {"backend": "eager"}, Targets(model))
    model.compile(backend="eager")
    theirs = model._compiled_call_impl
    assert "compile: call was changed since, and is kept" == drop(layer, Targets(model)).note
    assert theirs is model._compiled_call_impl


def test_an_empty_slot_of_the_scripts_own_comes_back():
    """A model whose script has set the slot to None has it so again."""
    model = nn.Linear(2, 3)
    model._compiled_call_impl = None
    before = KNOB.read(Targets(model))
    KNOB.apply({"backend": "eager"}, Targets(model))
    KNOB.restore(before, Targets(model))
    assert vars(model)["_compiled_call_impl"] is None


def test_settings_are_read_from_a_configuration():
    """The values of SpeedConfig's compile, keys of a mapping, and True for the defaults."""
    from shimhub.speed.config import CompileConfig

    config = CompileConfig(enabled=True, mode="reduce-overhead", dynamic=False)
    assert Settings(mode="reduce-overhead", dynamic=False) == compiling.settings_of(config)
    assert Settings(backend="eager") == compiling.settings_of({"backend": "eager", "mode": None})
    assert Settings() == compiling.settings_of(True)


def test_inductor_draws_the_random_numbers_of_eager_torch():
    """fallback_random is on unless the script's own options say otherwise; modes are kept."""
    options = _compiled_call._inductor_options
    assert {"fallback_random": True} == options(Settings(mode="default"))
    assert {"fallback_random": False} == options(Settings(options={"fallback-random": False}))
    told = options(Settings(mode="max-autotune-no-cudagraphs"))
    assert {"fallback_random": True, "max_autotune": True}.items() <= told.items()


def test_backends_get_mode_and_options_as_from_torch():
    """A named backend is called with what was set, and with nothing else."""
    model, seen = nn.Sequential(nn.Linear(2, 3)), []

    def backend(graph, _inputs, **given):
        seen.append(given)
        return graph.forward

    KNOB.apply({"backend": backend, "options": {"level": 3}}, Targets(model))
    model(torch.ones(1, 2))
    assert [{"options": {"level": 3}}] == seen


def test_a_missing_compiler_is_told_before_a_forward_needs_it(monkeypatch, tmp_path):
    """Without a C++ compiler or triton inductor would fail at the first forward."""
    targets = Targets(nn.Linear(2, 3))
    assert "" == KNOB.why_not(True, CPU, targets)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert "install g++ or set CXX" in KNOB.why_not(True, CPU, targets)
    assert "" == KNOB.why_not({"backend": "aot_eager"}, CPU, targets)
    monkeypatch.setattr(_toolchain.importlib.util, "find_spec", lambda name: None)
    assert "triton" in KNOB.why_not(True, Hardware("cuda", "a test"), targets)
