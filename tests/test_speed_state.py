"""The state of a training step comes back to the bit, in place, whatever the step does."""

from __future__ import annotations

import functools
import random
from collections import deque

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from shimhub.speed import MeasureError, _saved, _walking  # noqa: E402  # torch may be missing
from shimhub.speed.state import TrainingState  # noqa: E402
from tests.speed_steps import Mlp  # noqa: E402

COUNT = 0
LOSSES = []


def bits(tensors):
    """Return copies of tensors, to be compared later."""
    return {name: one.detach().clone() for name, one in tensors.items()}


def same(before, after):
    """Whether two dicts of tensors have the same bits."""
    return before.keys() == after.keys() and all(
        _saved.same_bits(before[name], after[name]) for name in before
    )


def comes_back(step, **given):
    """Run a step that changes something, and return what is not back after the restore."""
    state = TrainingState.capture(step, **given)
    step()
    step()
    assert state.differences(), "the step changes nothing that was saved"
    state.restore()
    return state.differences()


def test_parameters_buffers_and_optimizer_come_back():
    """Parameters, running statistics and what AdamW keeps have the bits that they had."""
    mlp = Mlp()
    before = bits(mlp.model.state_dict())
    kept = {
        (i, key): value.clone()
        for i, s in enumerate(mlp.optimizer.state.values())
        for key, value in s.items()
    }
    assert [] == comes_back(mlp.step)
    assert same(before, mlp.model.state_dict())
    now = {
        (i, key): value
        for i, s in enumerate(mlp.optimizer.state.values())
        for key, value in s.items()
    }
    assert same(kept, now)


def test_an_optimizer_that_has_not_stepped_has_no_state_again():
    """State that the first step made is taken away; the optimizer's own dict stays the object."""
    mlp = Mlp(warm=0)
    mapping = mlp.optimizer.state
    assert [] == comes_back(mlp.step)
    assert {} == dict(mlp.optimizer.state)
    assert mapping is mlp.optimizer.state


def test_identity_is_kept():
    """Parameters, storages and the tensors of the optimizer are the same objects."""
    mlp = Mlp()
    objects = [*mlp.model.parameters(), *mlp.model.buffers()]
    objects += [one for kept in mlp.optimizer.state.values() for one in kept.values()]
    places = [one.data_ptr() for one in objects]
    assert [] == comes_back(mlp.step)
    now = [*mlp.model.parameters(), *mlp.model.buffers()]
    now += [one for kept in mlp.optimizer.state.values() for one in kept.values()]
    assert all(one is other for one, other in zip(objects, now, strict=True))
    assert places == [one.data_ptr() for one in now]


def test_an_exchanged_storage_comes_back():
    """A parameter whose ``data`` the step exchanges has its old memory and strides again."""
    model = torch.nn.Conv2d(3, 4, 3)
    place, strides = model.weight.data_ptr(), model.weight.stride()

    def step():
        model.weight.data = model.weight.data.to(memory_format=torch.channels_last) + 1

    assert [] == comes_back(step)
    assert (place, strides) == (model.weight.data_ptr(), model.weight.stride())


@pytest.mark.parametrize("there", [True, False])
def test_gradients_come_back(there):
    """A gradient that was there has its object and content; one that was not is gone."""
    mlp = Mlp()
    mlp.optimizer.zero_grad()
    if there:
        torch.nn.functional.cross_entropy(mlp.model(mlp.x), mlp.y).backward()
    weight = mlp.model[0].weight
    before = weight.grad
    content = before.clone() if there else None

    def step():
        torch.nn.functional.cross_entropy(mlp.model(mlp.x), mlp.y).backward()

    assert [] == comes_back(step)
    assert before is weight.grad
    assert content is None or torch.equal(content, weight.grad)


def test_gradients_of_the_steps_own_tensors_come_back():
    """An input with a gradient is the step's own, and its gradient comes back, too."""
    x = torch.ones(3, requires_grad=True)
    (x * 2).sum().backward()
    before = x.grad

    def step():
        (x * 2).sum().backward()

    assert [] == comes_back(step)
    assert before is x.grad
    assert [2.0, 2.0, 2.0] == x.grad.tolist()


def test_sparse_gradients_come_back():
    """Sparse gradients and SparseAdam are brought back as they were."""
    table = torch.nn.Embedding(10, 4, sparse=True)
    optimizer = torch.optim.SparseAdam(list(table.parameters()))
    words = torch.tensor([1, 3, 3])

    def step():
        table(words).square().sum().backward()
        optimizer.step()

    step()
    before = table.weight.grad.coalesce().to_dense().clone()
    assert [] == comes_back(step)
    assert torch.equal(before, table.weight.grad.coalesce().to_dense())


def test_tied_weights_stay_tied():
    """A parameter that two modules share is one parameter still."""
    table, head = torch.nn.Embedding(10, 4), torch.nn.Linear(4, 10, bias=False)
    head.weight = table.weight
    model = torch.nn.Sequential(table, head)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        model(torch.tensor([1, 2])).square().sum().backward()
        optimizer.step()

    assert [] == comes_back(step)
    assert head.weight is table.weight


def test_schedulers_and_scalers_come_back():
    """Learning rates, counts of schedulers, and the scale with its tracker are what they were."""
    mlp = Mlp()
    scheduler = torch.optim.lr_scheduler.ExponentialLR(mlp.optimizer, 0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1)

    def step():
        mlp.optimizer.zero_grad()
        scaler.scale(torch.nn.functional.cross_entropy(mlp.model(mlp.x), mlp.y)).backward()
        scaler.step(mlp.optimizer)
        scaler.update()
        scheduler.step()

    step()
    before = (scaler.get_scale(), mlp.optimizer.param_groups[0]["lr"], scheduler.last_epoch)
    assert [] == comes_back(step)
    after = (scaler.get_scale(), mlp.optimizer.param_groups[0]["lr"], scheduler.last_epoch)
    assert before == after == (2048.0, 0.0005, 1)


def test_random_numbers_come_back():
    """Generators of Python, NumPy and torch, and those that the step holds, draw the same again."""
    mine, own = torch.Generator(), random.Random(5)
    arrays, old = np.random.default_rng(1), np.random.RandomState(1)

    def step():
        drawn = [random.random(), np.random.random(), torch.rand(1).item()]  # noqa: NPY002  # it
        drawn += [torch.rand(1, generator=mine).item(), own.random()]
        return [*drawn, arrays.random(), old.random_sample()]

    state = TrainingState.capture(step)
    first = step()
    state.restore()
    assert first == step()
    state.restore()
    assert [] == state.differences()


def counting():
    """Write a global variable, and a global list."""
    global COUNT
    COUNT += 1
    LOSSES.append(COUNT)


def test_variables_of_the_step_come_back():
    """Global and enclosed variables that the step binds, and its lists, are as they were."""
    global COUNT
    COUNT, count, seen = 7, 3, deque([1])
    table, names = {"a": 1}, {1}
    LOSSES.clear()

    def step():
        nonlocal count
        count += 1
        counting()
        seen.append(count)
        table["b"] = count
        names.add(count)

    assert [] == comes_back(step)
    assert (7, 3, [], deque([1]), {"a": 1}, {1}) == (COUNT, count, LOSSES, seen, table, names)


class Trainer:
    """An object with a step, as users write them."""

    def __init__(self) -> None:
        self.mlp = Mlp()
        self.steps = 0
        self.log = []

    def step(self, extra=0):
        self.mlp.step()
        self.steps += 1
        self.log.append(extra)
        self.last = self.steps

    __call__ = step


@pytest.mark.parametrize("kind", ["method", "partial", "object", "closure"])
def test_the_object_of_a_step_comes_back(kind):
    """A method's object, a partial's and a callable itself are found, with what they hold."""
    trainer = Trainer()
    steps = {
        "method": trainer.step,
        "partial": functools.partial(trainer.step, extra=1),
        "object": trainer,
        "closure": lambda: trainer.step(2),
    }
    before = bits(trainer.mlp.model.state_dict())
    assert [] == comes_back(steps[kind])
    assert (0, []) == (trainer.steps, trainer.log)
    assert not hasattr(trainer, "last")
    assert same(before, trainer.mlp.model.state_dict())


def test_an_object_that_is_given_comes_back():
    """An object that the step does not show is saved when it is named, whosever class it is."""
    average = type("Average", (), {"__module__": "elsewhere"})()
    average.mean, average.count = torch.zeros(1), 0

    def step():
        average.mean.add_(1)
        average.count += 1

    assert [] == comes_back(step, also=[average])
    assert ([0.0], 0) == (average.mean.tolist(), average.count)


def test_plain_attributes_of_modules_come_back():
    """What a module keeps besides parameters and buffers comes back: tensors, counts, its mode."""

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.memory = torch.zeros(2)
            self.calls = 0

        def forward(self, x):
            self.memory += 1
            self.calls += 1
            self.cache = x
            return x

    net = Net()

    def step():
        net.eval()
        net(torch.ones(1))

    assert [] == comes_back(step)
    assert ([0.0, 0.0], 0, True) == (net.memory.tolist(), net.calls, net.training)
    assert not hasattr(net, "cache")


def test_flags_of_torch_come_back():
    """The grad mode and the default dtype are what they were."""

    def step():
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)

    assert [] == comes_back(step)
    assert torch.is_grad_enabled()
    assert torch.float32 == torch.get_default_dtype()


def test_lbfgs_comes_back():
    """LBFGS, which keeps lists of tensors, is brought back, too."""
    x = torch.nn.Parameter(torch.tensor([3.0, 2.0]))
    optimizer = torch.optim.LBFGS([x], max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = (x**4).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    before = x.detach().clone()
    assert [] == comes_back(lambda: optimizer.step(closure), optimizers=[optimizer])
    assert torch.equal(before, x)


def test_models_and_optimizers_are_found():
    """What the step reaches is found once, modules inside a model not as models of their own."""
    mlp = Mlp()
    scaler = torch.amp.GradScaler("cpu")

    def step():
        return mlp, scaler

    state = TrainingState.capture(step, models=[mlp.model])
    assert (mlp.model,) == state.models
    assert (mlp.optimizer,) == state.optimizers
    assert (scaler,) == state.scalers


def test_iterators_are_named():
    """What moves on with each call, and cannot be brought back, is named."""
    batches = iter([1, 2, 3])

    def step():
        next(batches)

    assert ("batches",) == TrainingState.capture(step).iterators


def test_a_variable_that_is_not_bound_yet_is_no_error():
    """A step may close over a variable that comes later."""

    def step():
        return later

    state = TrainingState.capture(step)
    later = 1
    state.restore()
    assert 1 == step() == later


def test_a_lazy_parameter_is_told():
    """A parameter without a shape cannot be saved, and the message tells the cure."""
    model = torch.nn.LazyLinear(3)
    with pytest.raises(MeasureError, match=r"model.weight has no shape yet: run the step once"):
        TrainingState.capture(models=[model])


def test_a_full_device_is_copied_to_the_host():
    """Where a device has no room for a copy, the copy is on the host."""

    class Full(torch.Tensor):
        def clone(self):
            raise torch.OutOfMemoryError("full")

    tensor = torch.ones(2).as_subclass(Full)
    assert [1.0, 1.0] == _saved.copied(tensor).tolist()


def test_data_is_copied_back_only_where_it_was_written():
    """A batch that the step writes comes back; batches over the limit are not copied at all."""
    x = torch.zeros(3)
    assert [] == comes_back(lambda: x.add_(1))
    assert [0.0, 0.0, 0.0] == x.tolist()


def test_large_data_is_left_alone_and_told(monkeypatch):
    """Tensors of the step's own are copied up to a limit; of others a write is told."""
    monkeypatch.setattr(_walking, "_DATA_BYTES", 8)
    x = torch.zeros(3)
    state = TrainingState.capture(lambda: x)
    state.restore()
    assert [] == state.differences()
    x.add_(1)
    state.restore()
    assert ["x"] == state.differences()


def test_bits_tell_what_equality_does_not():
    """NaN equals itself, and zero is not minus zero; sparse tensors have bits, too."""
    nan = torch.tensor([float("nan")])
    assert _saved.same_bits(nan, nan.clone())
    assert not _saved.same_bits(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert not _saved.same_bits(torch.zeros(1), torch.zeros(2))
    sparse = torch.eye(2).to_sparse()
    assert _saved.same_bits(sparse, sparse.clone())
    assert not _saved.same_bits(sparse, (sparse * 2).coalesce())


def test_a_ctrl_c_while_restoring_is_raised_when_all_is_back():
    """A Ctrl-C in the middle of a restore is raised after a whole restore."""
    mlp = Mlp()
    state = TrainingState.capture(mlp.step)
    mlp.step()
    pressed = []

    class Pressed:
        where = "key"

        def restore(self):
            if not pressed:
                pressed.append(1)
                raise KeyboardInterrupt

        def differs(self):
            return False

    state._saved = (Pressed(), *state._saved)
    with pytest.raises(KeyboardInterrupt):
        state.restore()
    assert [] == state.differences()
