"""The knob channels_last: which weights it converts, what follows them, and what it refuses."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the check that torch is there

from shimhub.speed.errors import KnobError  # noqa: E402
from shimhub.speed.knobs.memory_format import KNOB  # noqa: E402
from shimhub.speed.model import Hardware, Targets  # noqa: E402

CPU = Hardware("cpu", "a test")
LAST = torch.channels_last


class Positions(nn.Module):
    """A convolution, and a 4-D parameter that its model views."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.table = nn.Parameter(torch.randn(2, 3, 4, 5))

    def forward(self, x):
        return self.conv(x).sum() + self.table.view(-1).sum()


def test_only_weights_of_convolutions_are_converted():
    """Another 4-D parameter keeps its strides, and can be viewed."""
    model = Positions()
    KNOB.apply(True, Targets(model))
    assert model.conv.weight.is_contiguous(memory_format=LAST)
    assert model.table.is_contiguous()
    model(torch.randn(1, 3, 4, 4)).backward()


def updates(make, convert, given=True):
    """Return a weight after two plain steps, two fused ones and two more, with given gradients."""
    torch.manual_seed(3)
    model = nn.Conv2d(3, 4, 2)
    optimizer = make(model.parameters())
    targets = Targets(model, optimizer if given else None)
    before = KNOB.read(targets)
    for step in range(6):
        if step == 2:
            optimizer.param_groups[0]["fused"] = True
            if convert:
                KNOB.apply(True, targets)
        if step == 4 and convert:
            KNOB.restore(before, targets)
        if step % 2 == 0:
            optimizer.zero_grad(set_to_none=False)  # the gradient's memory stays over a conversion
        model(torch.randn(2, 3, 5, 5)).square().sum().backward()
        optimizer.step()
    return model.weight.detach()


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-2, amsgrad=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-2),
}


@pytest.mark.parametrize("given", [True, False], ids=["given", "found"])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_momenta_and_gradients_follow_their_weight(make, given):
    """Fused steps, which read memory in order, are right over a conversion and its undoing."""
    torch.testing.assert_close(updates(make, True, given), updates(make, False), rtol=1e-5, atol=0)


def test_an_optimizer_made_meanwhile_follows_too():
    """Momenta that were made in channels_last go back with the weight, though nobody told us."""
    model = nn.Conv2d(3, 4, 2)
    before = KNOB.read(Targets(model))
    KNOB.apply(True, Targets(model))
    optimizer = torch.optim.SGD(model.parameters(), momentum=0.9)
    model(torch.randn(2, 3, 5, 5)).sum().backward()
    optimizer.step()
    momentum = optimizer.state[model.weight]["momentum_buffer"]
    assert momentum.is_contiguous(memory_format=LAST)
    KNOB.restore(before, Targets(model))
    assert (12, 4, 2, 1) == momentum.stride() == model.weight.stride() == model.weight.grad.stride()


def test_strides_of_the_users_own_come_back():
    """A weight that was in neither format is as it was, to the stride and the bit."""
    model = nn.Conv2d(3, 4, 2)
    model.weight.data = torch.randn(2, 2, 3, 4).permute(3, 2, 1, 0)
    strides, values = model.weight.stride(), model.weight.detach().clone()
    before = KNOB.read(Targets(model))
    KNOB.apply(True, Targets(model))
    assert strides != model.weight.stride()
    KNOB.restore(before, Targets(model))
    assert strides == model.weight.stride()
    assert torch.equal(values, model.weight)


def test_what_is_gone_or_new_is_left():
    """Restoring passes over a layer that the user has taken out or replaced."""
    model = nn.Sequential(nn.Conv2d(3, 4, 2), nn.Conv2d(4, 4, 2))
    before = KNOB.read(Targets(model))
    KNOB.apply(True, Targets(model))
    model[0], model[1] = nn.ReLU(), nn.Linear(2, 2)
    KNOB.restore(before, Targets(model))
    assert {} == KNOB.read(Targets(model))


def tied():
    """Return two convolutions of one weight."""
    model = nn.Sequential(nn.Conv2d(3, 3, 2), nn.Conv2d(3, 3, 2))
    model[1].weight = model[0].weight
    return model


def test_a_tied_weight_is_converted_once():
    """Both convolutions have the same Parameter before and after."""
    model = tied()
    KNOB.apply(True, Targets(model))
    assert model[0].weight is model[1].weight
    assert model[0].weight.is_contiguous(memory_format=LAST)


def views():
    """Return two convolutions whose weights are parts of one storage."""
    model = nn.Sequential(nn.Conv2d(3, 3, 2), nn.Conv2d(3, 3, 2))
    flat = torch.randn(72)
    model[0].weight.data = flat[:36].view(3, 3, 2, 2)
    model[1].weight.data = flat[36:].view(3, 3, 2, 2)
    return model


class Wrapped(nn.Sequential):
    """Stands in for DistributedDataParallel, which needs a process group."""


def test_memory_that_others_read_is_not_moved(monkeypatch):
    """Weights in one storage, and models in DistributedDataParallel, are refused; all stays."""
    monkeypatch.setattr(nn.parallel, "DistributedDataParallel", Wrapped)
    for model, told in ((views(), "shares its memory with 1.weight"), (Wrapped(tied()), "Wrapped")):
        before = KNOB.read(Targets(model))
        assert told in KNOB.why_not(True, CPU, Targets(model))
        with pytest.raises(KnobError, match=f"channels_last: .*{told}"):
            KNOB.apply(True, Targets(model))
        assert before == KNOB.read(Targets(model))


class Distributed(torch.Tensor):
    """Stands in for a tensor whose values lie elsewhere."""


def test_a_weight_without_memory_of_its_own_is_refused():
    """A weight of another tensor class, such as DTensor, is left as it is."""
    model = nn.Conv2d(3, 4, 2)
    model.weight = nn.Parameter(model.weight.detach().as_subclass(Distributed))
    reason = "weight is a Distributed, whose memory is not its own"
    assert reason == KNOB.why_not(True, CPU, Targets(model))


def test_nothing_to_convert_is_told_and_no_error():
    """A model without 2-D convolutions is left as it is, also where the setting was asked for."""
    targets = Targets(nn.Linear(2, 2))
    assert "the model has no weight of a 2-D convolution" == KNOB.why_not(True, CPU, targets)
    KNOB.apply(True, targets)
    assert "channels_last is True or left alone, not 1" == KNOB.why_not(1, CPU, targets)


def test_a_weight_that_is_not_made_yet_is_passed_over():
    """A lazy convolution has no shape before its first forward."""
    targets = Targets(nn.Sequential(nn.LazyConv2d(4, 2), nn.Conv2d(4, 4, 2)))
    KNOB.apply(True, targets)
    assert ["1.weight"] == list(KNOB.read(targets))
