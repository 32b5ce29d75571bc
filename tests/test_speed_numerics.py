"""The numerics gate: what is equal, what is noise, what differs, and what was not compared."""

from __future__ import annotations

import itertools
import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # torch may be missing
from torch.nn.functional import cross_entropy  # noqa: E402

from shimhub.speed import Gate, Numerics, NumericsGate, TrainingState  # noqa: E402
from shimhub.speed._observing import loss_of  # noqa: E402
from tests.speed_steps import Autocast, Mlp, Toggle, groups  # noqa: E402

BF16 = torch.finfo(torch.bfloat16).eps


def judge(step, switch=None, numerics=Numerics.REASSOCIATED, **given):
    """Return what the gate says of a switch, after it was seen that the state is as before."""
    options = {name: given.pop(name) for name in ("eps", "needs_update") if name in given}
    state = TrainingState.capture(step, **given)
    result = NumericsGate(step, state).judge(switch or Toggle(), numerics, **options)
    assert [] == state.differences()
    return result


@pytest.mark.parametrize("numerics", list(Numerics))
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_knob_that_changes_nothing_is_equal(numerics, dropout):
    """The same bits are EQUAL, also of a step that draws random numbers: they are brought back."""
    result = judge(Mlp(dropout=dropout).step, numerics=numerics)
    assert Gate.EQUAL is result.gate
    assert 6 == result.compared == result.total
    assert 0.0 == result.loss == result.gradient == result.update


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("setting", [{"fused": True, "foreach": False}, {"foreach": True}])
def test_fused_and_foreach_are_within_noise(optimizer, setting):
    """Implementations of an optimizer give an update that is the same but for rounding."""
    mlp = Mlp(optimizer=optimizer)
    result = judge(mlp.step, groups(mlp.optimizer, **setting), needs_update=True)
    assert result.gate in {Gate.EQUAL, Gate.WITHIN_NOISE}
    assert result.compared


def test_fused_is_not_the_same_bits():
    """A knob that promises equal bits and does not keep it is DIFFERENT."""
    mlp = Mlp(optimizer=torch.optim.Adam)
    fused = groups(mlp.optimizer, fused=True, foreach=False)
    assert Gate.WITHIN_NOISE is judge(mlp.step, fused).gate
    assert Gate.DIFFERENT is judge(mlp.step, fused, Numerics.BIT_EXACT).gate


def test_bf16_is_different_and_within_its_own_rounding():
    """bf16 autocast does not pass as lossless; named, it is held against bf16's own noise."""
    mlp = Mlp()
    result = judge(mlp.step, Autocast())
    assert Gate.DIFFERENT is result.gate
    assert result.gradient > 100 * result.noise["gradient"]
    assert "apart" in result.reason
    assert Gate.WITHIN_NOISE is judge(mlp.step, Autocast(), Numerics.LOSSY, eps=BF16).gate


@pytest.mark.parametrize("factor", [1.0001, 0.5, 0.0])
def test_another_learning_rate_is_different(factor):
    """A knob of the optimizer that makes other updates is found by a ten-thousandth."""
    mlp = Mlp()
    result = judge(mlp.step, groups(mlp.optimizer, lr=1e-3 * factor))
    assert Gate.DIFFERENT is result.gate
    assert "update" in result.reason


def test_another_learning_rate_is_different_in_a_step_of_bf16():
    """From equal gradients follow equal updates: bf16's noise is no excuse for an optimizer."""
    mlp = Mlp()

    def step():
        mlp.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = cross_entropy(mlp.model(mlp.x), mlp.y)
        loss.backward()
        mlp.optimizer.step()

    assert Gate.DIFFERENT is judge(step, groups(mlp.optimizer, lr=1.001e-3)).gate
    assert Gate.WITHIN_NOISE is judge(step, groups(mlp.optimizer, fused=True)).gate


def test_a_broken_gradient_of_one_small_parameter_is_different():
    """One bias among large weights is seen: every parameter is judged by itself."""
    mlp = Mlp()
    bias = mlp.model[4].bias
    handles = []
    switch = Toggle(
        lambda: handles.append(bias.register_hook(lambda gradient: gradient * 1.01)),
        lambda: [handle.remove() for handle in handles],
    )
    result = judge(mlp.step, switch)
    assert Gate.DIFFERENT is result.gate
    assert "4.bias" in result.reason


def test_another_order_of_sums_is_within_noise():
    """A product that is summed in two halves differs by rounding, and passes."""
    mlp = Mlp()
    plain = nn.Linear.forward

    def halves(self, x):
        half = x.shape[-1] // 2
        first = x[..., :half] @ self.weight[:, :half].T
        return first + x[..., half:] @ self.weight[:, half:].T + self.bias

    switch = Toggle(
        lambda: setattr(nn.Linear, "forward", halves), lambda: setattr(nn.Linear, "forward", plain)
    )
    result = judge(mlp.step, switch)
    assert Gate.WITHIN_NOISE is result.gate
    assert 0 < result.gradient <= result.tolerance["gradient"] < 1e-3


def test_a_buffer_counts():
    """A knob that leaves gradients alone and spoils running statistics is DIFFERENT."""
    mlp = Mlp()
    norm = mlp.model[1]
    switch = Toggle(lambda: setattr(norm, "momentum", 0.2), lambda: setattr(norm, "momentum", 0.1))
    result = judge(mlp.step, switch)
    assert Gate.DIFFERENT is result.gate
    assert "buffer" in result.reason


def test_what_an_optimizer_keeps_counts():
    """A knob that spoils what Adam keeps, and not yet the update, is DIFFERENT."""
    mlp = Mlp(optimizer=torch.optim.SGD)
    for group in mlp.optimizer.param_groups:
        group["momentum"] = 0.9
    mlp.step()

    def spoil(optimizer, _args, _kwargs):
        for kept in optimizer.state.values():
            kept["momentum_buffer"].mul_(1.5)

    handles = []
    switch = Toggle(
        lambda: handles.append(mlp.optimizer.register_step_post_hook(spoil)),
        lambda: [handle.remove() for handle in handles],
    )
    result = judge(mlp.step, switch)
    assert Gate.DIFFERENT is result.gate
    assert "momentum_buffer" in result.reason


def test_a_knob_that_gives_nan_is_different():
    """What is no number with a knob, and is one without, is DIFFERENT."""
    mlp = Mlp()
    result = judge(mlp.step, groups(mlp.optimizer, lr=math.nan))
    assert Gate.DIFFERENT is result.gate


def test_other_random_numbers_are_told():
    """A knob that draws random numbers changes a dropout's mask: DIFFERENT, and it is told why."""
    result = judge(Mlp(dropout=0.5).step, Toggle(lambda: torch.rand(1)))
    assert Gate.DIFFERENT is result.gate
    assert "random numbers" in result.reason


# ---- what is never a pass


def unverified(step, switch=None, **given):
    """Return why a step was not verified."""
    result = judge(step, switch, **given)
    assert Gate.UNVERIFIED is result.gate
    assert 0 == result.compared
    return result.reason


def test_a_step_without_gradients_is_unverified():
    """A step that runs forward alone, and returns its loss, shows nothing."""
    mlp = Mlp(warm=0)

    def step():
        with torch.no_grad():
            return cross_entropy(mlp.model(mlp.x), mlp.y)

    assert unverified(step).startswith("no gradient was seen")


def test_a_step_without_anything_is_unverified():
    """A step whose model cannot be found shows nothing, and the message names the arguments."""
    assert "model= or optimizer=" in unverified(lambda: 1.0)


@pytest.mark.parametrize("switch", [None, Autocast()])
def test_data_that_move_on_are_unverified(switch):
    """A step that takes the next batch each time does not repeat; the iterator is named."""
    mlp = Mlp()
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randn(24, 16, generator=generator) for _ in range(40)]
    batches = itertools.cycle(drawn)

    def step():
        mlp.x = next(batches)
        return mlp.step()

    reason = unverified(step, switch)
    assert "does not repeat" in reason
    assert "batches, which moves on" in reason


def test_state_that_moves_on_is_unverified(tmp_path):
    """A step that keeps its state where nobody looks does not repeat either."""
    mlp = Mlp()
    file = tmp_path / "count"
    file.write_text("1")

    def step():
        count = int(file.read_text()) + 1
        file.write_text(str(count))
        mlp.optimizer.zero_grad()
        loss = cross_entropy(mlp.model(mlp.x * count), mlp.y)
        loss.backward()
        mlp.optimizer.step()

    assert "data or other state move on" in unverified(step)


def test_a_noisy_step_is_judged_by_its_own_noise():
    """Noise of rounding's size between repeats, as atomic sums have, widens what is allowed."""
    mlp = Mlp()
    turn = itertools.count()

    def step():
        mlp.optimizer.zero_grad()
        loss = cross_entropy(mlp.model(mlp.x), mlp.y) * (1 + 1e-6 * (next(turn) % 3))
        loss.backward()
        mlp.optimizer.step()

    assert Gate.WITHIN_NOISE is judge(step, numerics=Numerics.BIT_EXACT).gate
    assert Gate.DIFFERENT is judge(step, Autocast()).gate


def test_a_plain_step_of_nan_is_unverified():
    """Where the plain step gives NaN there is nothing to hold a knob against."""
    mlp = Mlp()
    mlp.x = mlp.x * math.nan
    assert "inf or NaN" in unverified(mlp.step)


def test_zero_gradients_are_unverified():
    """Zero equals zero, which shows nothing."""
    mlp = Mlp()

    def step():
        mlp.optimizer.zero_grad()
        (cross_entropy(mlp.model(mlp.x), mlp.y) * 0).backward()
        mlp.optimizer.step()

    assert "all gradients are zero" in unverified(step)


def test_a_step_that_changes_nothing_is_unverified():
    """With a learning rate of zero no update can be compared."""
    mlp = Mlp(optimizer=torch.optim.SGD, lr=0.0)
    assert "changes no parameter" in unverified(mlp.step)


def test_updates_below_rounding_are_unverified():
    """Updates that are lost in the rounding of the parameters tell nothing of a knob."""
    weight = nn.Parameter(torch.ones(50))
    factors = torch.linspace(0.1, 2.0, 50)
    optimizer = torch.optim.SGD([weight], lr=1e-7)

    def step():
        optimizer.zero_grad()
        (weight * factors).sum().backward()
        optimizer.step()

    switch = groups(optimizer, lr=1.5e-7)
    assert "no greater than their own noise" in unverified(step, switch)


def test_a_knob_of_the_optimizer_needs_an_update():
    """Gradients alone pass a knob of the model, and tell nothing of one of the optimizer."""
    mlp = Mlp()

    def step():
        mlp.model.zero_grad()
        cross_entropy(mlp.model(mlp.x), mlp.y).backward()

    assert Gate.EQUAL is judge(step).gate
    assert "no optimizer" in unverified(step, needs_update=True)


def test_closures_are_told_as_unsupported():
    """LBFGS runs the model several times in one step: told, before anything is changed."""
    x = torch.nn.Parameter(torch.tensor([3.0, 2.0]))
    optimizer = torch.optim.LBFGS([x], max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = (x**4).sum()
        loss.backward()
        return loss

    assert "LBFGS.step(closure)" in unverified(lambda: optimizer.step(closure))


def test_an_unknown_optimizer_is_told_before_it_steps():
    """An optimizer that was not found is named with the argument to give it by."""
    mlp = Mlp()
    hidden = [lambda: mlp.optimizer]
    hidden[0].__module__ = "elsewhere"
    before = mlp.model[0].weight.detach().clone()

    def step():
        loss = cross_entropy(model(x), y)
        loss.backward()
        hidden[0]().step()

    model, x, y = mlp.model, mlp.x, mlp.y
    assert "pass it as optimizer=" in unverified(step)
    assert torch.equal(before, mlp.model[0].weight)


# ---- kinds of steps


def test_a_step_that_returns_nothing_is_compared_without_its_loss():
    """Gradients and updates are enough; the loss is compared where it is returned."""
    mlp = Mlp()

    def step():
        mlp.step()

    assert Gate.EQUAL is judge(step).gate
    assert Gate.DIFFERENT is judge(step, Autocast()).gate


def test_a_scaler_is_taken_out_of_gradients():
    """fp16's scaler gives a fused optimizer scaled gradients: they are compared without it."""
    mlp = Mlp(warm=0)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    def step():
        mlp.optimizer.zero_grad()
        loss = cross_entropy(mlp.model(mlp.x), mlp.y)
        scaler.scale(loss).backward()
        scaler.step(mlp.optimizer)
        scaler.update()
        return loss

    step()
    fused = groups(mlp.optimizer, fused=True, foreach=False)
    scales = Toggle(
        lambda: (fused.on(), setattr(mlp.optimizer, "_step_supports_amp_scaling", True)),
        lambda: (fused.off(), delattr(mlp.optimizer, "_step_supports_amp_scaling")),
    )
    result = judge(step, scales, needs_update=True)
    assert Gate.WITHIN_NOISE is result.gate
    assert 0.0 == result.gradient


def test_a_scaler_that_skips_is_waited_for():
    """Calls that a scaler skips because of an overflow are repeated until the optimizer steps."""
    mlp = Mlp()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)

    def step():
        mlp.optimizer.zero_grad()
        scaler.scale(cross_entropy(mlp.model(mlp.x), mlp.y) * 64).backward()
        scaler.step(mlp.optimizer)
        scaler.update()

    state = TrainingState.capture(step)
    gate = NumericsGate(step, state)
    assert Gate.EQUAL is gate.judge(Toggle()).gate
    assert gate.calls > 1


def test_two_optimizers_are_both_compared():
    """A step of two optimizers is compared with the parameters of both."""
    mlp, other = Mlp(), Mlp(optimizer=torch.optim.SGD)

    def step():
        mlp.step()
        other.step()

    result = judge(step)
    assert (Gate.EQUAL, 12) == (result.gate, result.total)
    assert Gate.DIFFERENT is judge(step, groups(other.optimizer, lr=2e-3)).gate


def test_an_optimizer_that_steps_twice_is_compared_twice():
    """Gradients of a second step in one call are compared, too."""
    mlp = Mlp()

    def step():
        mlp.step()
        mlp.step()

    result = judge(step)
    assert (Gate.EQUAL, 6) == (result.gate, result.total)


@pytest.mark.parametrize("inside", [True, False])
def test_accumulated_gradients_are_compared(inside):
    """Micro-batches in one call, or in several calls until the optimizer steps."""
    mlp, count = Mlp(), 0

    def micro():
        (cross_entropy(mlp.model(mlp.x), mlp.y) / 4).backward()

    def whole():
        mlp.optimizer.zero_grad()
        for _ in range(4):
            micro()
        mlp.optimizer.step()

    def quarter():
        nonlocal count
        micro()
        count += 1
        if count % 4 == 0:
            mlp.optimizer.step()
            mlp.optimizer.zero_grad()

    step = whole if inside else quarter
    state = TrainingState.capture(step)
    gate = NumericsGate(step, state)
    assert Gate.EQUAL is gate.judge(Toggle()).gate
    assert (1 if inside else 4) == gate.calls
    assert Gate.DIFFERENT is gate.judge(groups(mlp.optimizer, lr=2e-3)).gate
    assert 0 == count


def test_sparse_and_tied_parameters_are_compared():
    """Sparse gradients are compared, and a tied weight once."""
    table, free = nn.Embedding(10, 4, sparse=True), nn.Embedding(10, 4)
    head = nn.Linear(4, 10, bias=False)
    head.weight = free.weight
    optimizers = [torch.optim.SGD(table.parameters(), lr=0.1)]
    optimizers += [torch.optim.SGD([*free.parameters()], lr=0.1)]
    words = torch.tensor([1, 3, 3])

    def step():
        loss = cross_entropy(head(table(words) + free(words)), words)
        table.zero_grad()
        free.zero_grad()
        loss.backward()
        for one in optimizers:
            one.step()
        return loss

    result = judge(step)
    assert (Gate.EQUAL, 2, 2) == (result.gate, result.compared, result.total)
    assert Gate.DIFFERENT is judge(step, groups(optimizers[0], lr=0.2)).gate


def test_a_step_of_torch_func_is_compared():
    """Inside torch.func nothing tells what is kept for backward; the step is compared all the same.

    Another error of the step is raised as it is.
    """
    mlp = Mlp()

    def step():
        mlp.optimizer.zero_grad()
        slope = torch.func.grad(lambda x: x.square().sum())(mlp.x)
        cross_entropy(mlp.model(slope), mlp.y).backward()
        mlp.optimizer.step()

    assert Gate.EQUAL is judge(step).gate
    mlp.y = mlp.y[:3]
    with pytest.raises(ValueError, match="batch_size"):
        judge(step)


def test_masks_of_infinity_are_no_difference():
    """A buffer of infinities, as attention's masks are, is equal to itself."""
    mlp = Mlp()
    mlp.model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    assert Gate.EQUAL is judge(mlp.step).gate
    assert Gate.DIFFERENT is judge(mlp.step, Autocast()).gate


def test_parameters_in_half_precision_are_held_against_their_own_rounding():
    """A model in bf16 has bf16's noise; a knob as noisy as that passes, others do not."""
    mlp = Mlp(warm=0)
    mlp.model.to(torch.bfloat16)
    mlp.x = mlp.x.to(torch.bfloat16)
    mlp.step()
    assert Gate.EQUAL is judge(mlp.step).gate
    assert Gate.DIFFERENT is judge(mlp.step, groups(mlp.optimizer, lr=1e-1)).gate


def test_what_the_step_raises_with_a_knob_is_raised():
    """An exception, or a Ctrl-C, in the step leaves the knob off and the state as it was."""
    mlp = Mlp()
    state = TrainingState.capture(mlp.step)
    gate = NumericsGate(mlp.step, state)
    gate.prepare()
    turned = []

    def on():
        mlp.y = "wrong"

    with pytest.raises(TypeError):
        gate.judge(Toggle(on, lambda: turned.append("off")))
    assert ["off"] == turned
    assert [] == state.differences()


def test_losses_are_found_in_what_a_step_returns():
    """A number, a tensor of one, or what has one of them as ``loss``; nothing else."""

    class Output:
        loss = torch.tensor(3.0)

    assert [1.0, 2.0, 3.0, 4.0] == [
        loss_of(one) for one in (1, torch.tensor([2.0]), Output(), {"loss": 4.0})
    ]
    assert [None] * 4 == [loss_of(one) for one in (None, True, torch.zeros(2), (1.0, 2.0))]
