"""The knob optimizer: step counts move with the setting, and what kernels cannot do is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the check that torch is there

from shimhub.speed.errors import KnobError  # noqa: E402
from shimhub.speed.knobs import optimizer as module  # noqa: E402
from shimhub.speed.knobs._layers import drop, push  # noqa: E402
from shimhub.speed.knobs.optimizer import KNOB  # noqa: E402
from shimhub.speed.model import Hardware, Targets  # noqa: E402

CPU = Hardware("cpu", "a test")
FUSED = {"fused": True}


@pytest.fixture
def double():
    """Make double the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def trained(make, steps=3):
    """Return a parameter and its optimizer after some steps."""
    parameter = nn.Parameter(torch.linspace(-1, 1, 6).reshape(2, 3))
    optimizer = make([parameter])
    train(parameter, optimizer, steps)
    return parameter, optimizer


def train(parameter, optimizer, steps=1):
    """Step on a gradient that depends on the parameter."""
    for _ in range(steps):
        parameter.grad = parameter.detach() * 2
        optimizer.step()


def step_of(optimizer):
    """Return the step count of the only parameter."""
    (state,) = optimizer.state.values()
    return state["step"]


@pytest.mark.usefixtures("double")
def test_counts_of_steps_move_and_come_back():
    """A fused step counts in float32, others in the default precision; the count goes on."""
    parameter, optimizer = trained(torch.optim.AdamW)
    targets = Targets(optimizer=optimizer)
    before = KNOB.read(targets)
    assert torch.float64 == step_of(optimizer).dtype
    KNOB.apply(FUSED, targets)
    train(parameter, optimizer)
    assert (torch.float32, 4) == (step_of(optimizer).dtype, step_of(optimizer).item())
    KNOB.restore(before, targets)
    assert (torch.float64, 4) == (step_of(optimizer).dtype, step_of(optimizer).item())
    assert before == KNOB.read(targets)


def test_a_count_that_lay_elsewhere_goes_back_there():
    """A count in a precision that torch would not have made, as after a load, is kept."""
    _, optimizer = trained(torch.optim.Adam)
    (state,) = optimizer.state.values()
    state["step"] = state["step"].double()
    targets = Targets(optimizer=optimizer)
    before = KNOB.read(targets)
    assert ((0, 0, torch.device("cpu"), torch.float64),) == before["odd_steps"]
    KNOB.apply(FUSED, targets)
    assert torch.float32 == step_of(optimizer).dtype
    KNOB.restore(before, targets)
    assert before == KNOB.read(targets)


def test_a_count_that_moves_nowhere_is_the_same_tensor():
    """On the CPU in single precision no state changes at all."""
    _, optimizer = trained(torch.optim.Adam)
    state = {
        name: (id(one), one.tolist()) for name, one in next(iter(optimizer.state.values())).items()
    }
    targets = Targets(optimizer=optimizer)
    before = KNOB.read(targets)
    KNOB.apply(FUSED, targets)
    KNOB.restore(before, targets)
    assert state == {
        k: (id(v), v.tolist()) for k, v in next(iter(optimizer.state.values())).items()
    }


@pytest.mark.parametrize(
    ("group", "place"),
    [
        ({"fused": True}, ("meta", torch.float32)),
        ({"fused": None}, ("cpu", torch.float32)),
        ({"fused": None, "capturable": True}, ("meta", torch.float32)),
    ],
)
def test_counts_lie_beside_the_parameter_where_kernels_read_them(group, place):
    """Fused and capturable steps read the count on the parameter's device, others on the CPU."""
    device, dtype = module._expected(group, torch.empty(1, device="meta"))
    assert place == (device.type, dtype)


def test_counts_are_moved_between_devices():
    """Setting fused moves a count to its parameter's device; meta stands in for a GPU."""
    parameter = nn.Parameter(torch.empty(2, device="meta"))
    optimizer = torch.optim.Adam([parameter])
    optimizer.state[parameter]["step"] = torch.tensor(3.0)
    group = optimizer.param_groups[0]
    group["fused"] = True
    module._place_steps(optimizer, group, {})
    assert "meta" == optimizer.state[parameter]["step"].device.type


def test_an_optimizer_that_unscales_by_itself_stops_where_it_cannot():
    """With GradScaler a fused optimizer that is no longer fused steps as others do; and back."""
    parameter, optimizer = trained(lambda p: torch.optim.SGD(p, lr=0.1, fused=True))
    plain, other = trained(lambda p: torch.optim.SGD(p, lr=0.1))
    targets = Targets(optimizer=optimizer)
    before = KNOB.read(targets)
    KNOB.apply({"foreach": True}, targets)
    for one, each in ((parameter, optimizer), (plain, other)):
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        scaler.scale((one**2).sum()).backward() if one.grad is None else one.grad.mul_(4)
        scaler.scale(torch.ones(1))
        scaler.step(each)
    assert torch.equal(plain, parameter)
    KNOB.restore(before, targets)
    assert optimizer._step_supports_amp_scaling is True
    assert before == KNOB.read(targets)


def test_what_a_fused_step_leaves_on_the_optimizer_is_taken_off():
    """The attribute that SGD sets in its first fused step is gone after the restore."""
    parameter, optimizer = trained(lambda p: torch.optim.SGD(p, momentum=0.9))
    held = vars(optimizer).keys() - {"param_groups"}
    targets = Targets(optimizer=optimizer)
    before = KNOB.read(targets)
    KNOB.apply(FUSED, targets)
    train(parameter, optimizer)
    assert held != vars(optimizer).keys() - {"param_groups"}
    KNOB.restore(before, targets)
    assert held == vars(optimizer).keys() - {"param_groups"}


def test_groups_have_no_key_that_they_had_not():
    """Adamax has no fused kernel, and its checkpoints no such key, under foreach and after it."""
    _, optimizer = trained(torch.optim.Adamax)
    (group,) = optimizer.state_dict()["param_groups"]
    layer = push(KNOB, {"foreach": True}, Targets(optimizer=optimizer))
    assert [group | {"foreach": True}] == optimizer.state_dict()["param_groups"]
    drop(layer, Targets(optimizer=optimizer))
    assert [group] == optimizer.state_dict()["param_groups"]


def test_a_checkpoint_loaded_meanwhile_is_the_users_word():
    """load_state_dict replaces the groups; what it brought is kept by the restore."""
    _, optimizer = trained(torch.optim.Adam)
    saved = optimizer.state_dict()
    targets = Targets(optimizer=optimizer)
    layer = push(KNOB, {"foreach": True}, targets)
    saved["param_groups"][0].update(fused=True, foreach=None)
    optimizer.load_state_dict(saved)
    told = drop(layer, targets)
    assert (True, None) == (
        optimizer.param_groups[0]["fused"],
        optimizer.param_groups[0]["foreach"],
    )
    assert "groups[0].foreach" in told.note or "groups[0].fused" in told.note


def test_a_group_added_meanwhile_stays_as_it_was_added():
    """Restoring touches the groups that there were."""
    _, optimizer = trained(torch.optim.Adam)
    targets = Targets(optimizer=optimizer)
    before = KNOB.read(targets)
    KNOB.apply(FUSED, targets)
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "foreach": True})
    KNOB.restore(before, targets)
    assert [None, True] == [group["foreach"] for group in optimizer.param_groups]


def refused(make, *parameters, model=None):
    """Return why an optimizer of these parameters cannot be fused."""
    targets = Targets(model, make(list(parameters)))
    before = KNOB.read(targets)
    reason = KNOB.why_not(FUSED, CPU, targets)
    with pytest.raises(KnobError, match="optimizer: "):
        KNOB.apply(FUSED, targets)
    assert before == KNOB.read(targets)
    return reason


def test_what_has_no_fused_kernel_is_refused():
    """Optimizers, dtypes, devices and settings without one are told before a step fails."""
    one, sgd = nn.Parameter(torch.ones(2)), torch.optim.SGD
    assert "RMSprop has no fused implementation" == refused(torch.optim.RMSprop, one)
    complex_one = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    assert "parameter 1 is torch.complex64" in refused(sgd, one, complex_one)
    meta = nn.Parameter(torch.ones(2, device="meta"))
    assert "parameter 0 is on meta, which has no fused kernels" == refused(sgd, meta)
    assert "differentiable" in refused(lambda p: sgd(p, differentiable=True), one)
    embedding = nn.Embedding(3, 2, sparse=True)
    assert "sparse gradients" in refused(sgd, *embedding.parameters(), model=embedding)
    embedding(torch.tensor([1])).sum().backward()
    assert "parameter 0 has a sparse gradient" in refused(sgd, *embedding.parameters())


def test_memory_that_a_fused_kernel_would_misread_is_refused():
    """Kernels of torch for the CPU give wrong values there, without an error."""
    gaps = nn.Parameter(torch.ones(4, 4)[:, :2])
    assert "parameter 0 is a view with gaps" == refused(torch.optim.SGD, gaps)
    parameter, optimizer = trained(torch.optim.Adam)
    parameter.data = parameter.detach().t().contiguous().t()
    reason = KNOB.why_not(FUSED, CPU, Targets(optimizer=optimizer))
    assert "parameter 0 and its gradient have different strides (memory formats)" == reason
    parameter.grad = None
    reason = KNOB.why_not(FUSED, CPU, Targets(optimizer=optimizer))
    assert "parameter 0 and exp_avg have different strides (memory formats)" == reason


def test_foreach_takes_no_learning_rate_in_a_tensor():
    """Without capturable=True torch would raise in the next step."""
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(1))], lr=torch.tensor(0.1))
    reason = KNOB.why_not({"foreach": True}, CPU, Targets(optimizer=optimizer))
    assert "foreach takes lr and betas that are tensors with capturable=True only" == reason


def test_what_is_there_already_is_told():
    """The same setting, and torch's own choice on a GPU, are no candidates."""
    _, optimizer = trained(lambda p: torch.optim.Adam(p, fused=True))
    assert "the optimizer has fused=True already" == KNOB.why_not(
        FUSED, CPU, Targets(optimizer=optimizer)
    )
    group = {
        "params": [SimpleNamespace(device=torch.device("cuda"))],
        "fused": None,
        "foreach": None,
    }
    standing = SimpleNamespace(param_groups=[group])
    assert "torch takes foreach on this device by itself" == KNOB.why_not(
        {"foreach": True}, CPU, Targets(optimizer=standing)
    )


def test_the_devices_of_kernels_are_known_where_torch_does_not_tell(monkeypatch):
    """Without torch's list the table of its documentation is taken."""
    from torch.utils import _foreach_utils

    from shimhub.speed.knobs import _optimizer_limits

    monkeypatch.delattr(_foreach_utils, "_get_fused_kernels_supported_devices")
    assert ("cuda", "cpu", "mps", "xpu") == _optimizer_limits._devices()
