"""Training: torch's optimizers step by step, fit, checkpoints, and digits learnt as by torch."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from shimhub.pure import (
    SGD,
    Adam,
    Linear,
    Optimizer,
    PureTensor,
    ReLU,
    Sequential,
    Trainer,
    accuracy,
    cross_entropy,
    manual_seed,
    mse_loss,
)
from shimhub.pure.errors import DataError, DivergedError, KindError

RULES = {
    "sgd": (SGD, {"lr": 0.1}),
    "sgd-decay": (SGD, {"lr": 0.1, "weight_decay": 0.01}),
    "sgd-momentum": (SGD, {"lr": 0.1, "momentum": 0.9}),
    "sgd-nesterov": (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "adam": (Adam, {"lr": 0.05}),
    "adam-decay": (Adam, {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}),
}


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-12), ("float32", 1e-6)])
@pytest.mark.parametrize("name", RULES)
def test_optimizers_are_torchs(name, dtype, bound):
    """Fifty steps with the same gradients: torch's values, also of one that has them later."""
    torch = pytest.importorskip("torch")
    kind, options = RULES[name]
    draw = np.random.default_rng(0)
    starts = [draw.normal(size=(3, 2)).astype(dtype) for _ in range(2)]
    mine = [PureTensor(one.copy(), True, dtype=dtype) for one in starts]
    its = [torch.tensor(one, requires_grad=True) for one in starts]
    ours, theirs = kind(mine, **options), getattr(torch.optim, kind.__name__)(its, **options)
    for step in range(50):
        for index in range(1 if step < 5 else 2):
            gradient = draw.normal(size=(3, 2)).astype(dtype)
            mine[index].grad, its[index].grad = gradient, torch.tensor(gradient)
        ours.step()
        theirs.step()
    for one, other in zip(mine, its, strict=True):
        np.testing.assert_allclose(one.data, other.detach().numpy(), rtol=bound, atol=bound)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("shape", [(70_001,), (333, 100, 2), (2, 40_000)])
def test_large_parameters_are_moved_in_parts_to_the_same_bits(name, shape):
    """Rows at a time, the last ones fewer: the bits of the same values moved at once."""
    kind, options = RULES[name]
    draw = np.random.default_rng(0)
    start = draw.normal(size=shape).astype(np.float32)
    large = PureTensor(start.copy(), True)
    small = [PureTensor(one.copy(), True) for one in np.array_split(start.reshape(-1), 9)]
    rules = kind([large], **options), kind(small, **options)
    for _ in range(3):
        large.grad = gradient = draw.normal(size=shape).astype(np.float32)
        for one, part in zip(small, np.array_split(gradient.reshape(-1), 9), strict=True):
            one.grad = part
        for rule in rules:
            rule.step()
    assert np.array_equal(large.data.reshape(-1), np.concatenate([one.data for one in small]))


def test_an_optimizer_leaves_alone_what_has_no_gradient_and_reads_gradients_only():
    """No gradient, no step; the gradient that it used is as it was."""
    a, b = PureTensor([1.0], True), PureTensor([1.0], True)
    a.grad = [2.0]
    rule = SGD([a, b], lr=0.5, momentum=0.9, weight_decay=0.1, nesterov=True)
    rule.step()
    rule.step()
    assert ([2.0], [1.0]) == (a.grad.tolist(), b.tolist())
    assert a.tolist() != [1.0]
    rule.zero_grad()
    assert a.grad is None


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_a_step_is_whole_where_the_user_made_arithmetic_raise(kind):
    """The parameter after the one that overflows is moved, too: no step is half done."""
    tensors = [PureTensor([1.0], True) for _ in range(3)]
    for tensor, value in zip(tensors, (1.0, 3e38, 1.0), strict=True):
        tensor.grad = [value]
    rule = kind(tensors, lr=1e30)
    with np.errstate(all="raise"):
        rule.step()
    assert tensors[0].tolist() == tensors[2].tolist() != [1.0]
    assert [1, 1, 1] == rule.state_dict()["steps"].tolist()


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda p: SGD([]), DataError, "no parameter to move"),
        (lambda p: SGD([p, 3]), KindError, r"params\[1\]: int is not a PureTensor"),
        (lambda p: SGD([p, p]), DataError, r"params\[1\]: is params\[0\] again"),
        (lambda p: SGD([p * 2]), DataError, r"params\[0\]: is a result"),
        (lambda p: SGD([p], lr=-1), DataError, "lr: -1 is not a number >= 0"),
        (lambda p: SGD([p], lr="1"), DataError, "lr: '1'"),
        (lambda p: SGD([p], lr=np.float32(-1)), DataError, "lr: .*-1"),
        (lambda p: SGD([p], lr=np.True_), DataError, "lr: .*True"),
        (lambda p: SGD([p], lr=float("nan")), DataError, "lr: nan"),
        (lambda p: SGD([p], nesterov=True), DataError, "nesterov: needs a momentum"),
        (lambda p: Adam([p], betas=(0.9, 1)), DataError, "betas:"),
        (lambda p: Adam([p], weight_decay=True), DataError, "weight_decay: True"),
        (lambda p: Optimizer([p], 1, 0).step(), NotImplementedError, "has no method _move"),
    ],
)
def test_optimizers_that_make_no_sense_are_told(make, error, told):
    """Each mistake is an error that names the argument."""
    tensor = PureTensor([1.0], True)
    tensor.grad = [1.0]
    with pytest.raises(error, match=told):
        make(tensor)


def test_numpys_numbers_are_rates():
    """As what a schedule of numpy's has: float32 and integers, too."""
    tensor = PureTensor([1.0], True)
    rule = SGD([tensor], lr=np.float32(0.5), momentum=np.float64(0.5), weight_decay=np.int64(0))
    assert (0.5, 0.5, 0.0) == (rule.lr, rule.momentum, rule.weight_decay)
    assert {float} == {type(one) for one in (rule.lr, rule.momentum, rule.weight_decay)}


def test_an_array_that_may_not_be_written_is_told_before_training():
    """A parameter over a read-only array is refused with the cure."""
    fixed = np.ones(1, np.float32)
    fixed.flags.writeable = False
    with pytest.raises(DataError, match=r"params\[0\]: its array is read-only; give .* a copy"):
        SGD([PureTensor(fixed, True)])


def test_the_state_of_an_optimizer_is_checked():
    """What another rule or another model kept is refused, and nothing is taken over."""
    tensor = PureTensor([1.0, 2.0], True)
    tensor.grad = [1.0, 1.0]
    sgd, adam = SGD([tensor], momentum=0.9), Adam([tensor])
    sgd.step()
    adam.step()
    for wrong, told in (
        (sgd.state_dict(), "0.momentum is nothing that Adam keeps for 1 parameters"),
        (adam.state_dict() | {"1.mean": np.ones(2)}, "1.mean is nothing"),
        (adam.state_dict() | {"0.mean": np.ones(3)}, r"0.mean has the shape \(3,\), not \(2,\)"),
        ({}, "steps is missing"),
        ({"steps": [1, 2]}, r"steps: \[1 2\] is not a count for each"),
        ({"steps": [-1]}, "is not a count"),
        ({"steps": ["a"]}, "is not a count"),
        ({"steps": [12]}, "0.mean is missing, of a parameter that was moved 12 times"),
        (adam.state_dict() | {"0.mean": ["a", "b"]}, "0.mean has <U1 values"),
        (adam.state_dict() | {"0.mean": [1j, 1]}, "0.mean has complex128 values"),
    ):
        with pytest.raises(DataError, match=told):
            adam.load_state_dict(wrong)
    assert 1 == adam.steps
    assert {"steps", "0.mean", "0.square"} == set(adam.state_dict())


def test_momentum_that_is_switched_on_later_is_in_the_state():
    """Zeros, from which it begins: the state can be loaded where it was saved."""
    tensor = PureTensor([1.0], True)
    tensor.grad = [1.0]
    rule = SGD([tensor])
    rule.step()
    rule.momentum = 0.9
    assert [0.0] == rule.state_dict()["0.momentum"].tolist()
    rule.load_state_dict(rule.state_dict())
    with pytest.raises(DataError, match=r"0\.momentum is missing"):
        rule.load_state_dict({"steps": [1]})


# ---- Trainer


def line(count=64):
    """Return inputs and targets of a line, float64 as users have them."""
    x = np.random.default_rng(0).normal(size=(count, 3))
    return x, x @ np.array([[1.0], [-2.0], [0.5]]) + 3


def trainer(seed=0, rule=Adam):
    """Return a trainer of a small model for it."""
    manual_seed(seed)
    model = Sequential(Linear(3, 8), ReLU(), Linear(8, 1))
    return Trainer(model, rule(model.parameters(), lr=0.02), mse_loss)


def test_fit_learns_a_line_and_tells_each_epoch():
    """The loss falls, on_epoch and the history have it, and evaluate is the loss on the data."""
    told = []
    one = trainer()
    history = one.fit(line(), epochs=40, batch_size=16, on_epoch=lambda *a: told.append(a))
    assert history.losses[-1] < history.losses[0] / 20
    assert list(enumerate(history.losses, 1)) == told
    assert 40 == len(history.seconds) == one.epochs
    assert one.evaluate(line()) == pytest.approx(mse_loss(one.predict(line()[0]), line()[1]).item())
    assert one.predict(line()[0], batch_size=7).node is None


def test_the_same_seed_trains_to_the_same_bits():
    """manual_seed fixes the layers and the order; another seed is another order."""
    first, second, third = trainer(), trainer(), trainer(1)
    losses = [one.fit(line(), epochs=3, batch_size=8).losses for one in (first, second, third)]
    assert losses[0] == losses[1] != losses[2]


def test_an_optimizer_of_another_model_is_refused():
    """It would train nothing; one that moves something else, too, is as good as any."""
    one, other, more = Linear(3, 1), Linear(3, 1), PureTensor([1.0], True)
    with pytest.raises(DataError, match="moves none of the model's parameters"):
        Trainer(one, SGD(other.parameters()), mse_loss)
    Trainer(one, SGD([*one.parameters(), more]), mse_loss).fit(line())
    Trainer(ReLU(), SGD([more]), mse_loss)


@pytest.mark.parametrize("seed", [2**70, 2**63, -1, 1.5, True, "1"])
def test_a_seed_that_no_file_has_room_for_is_refused_at_once(seed):
    """Not when training begins, nor when it is saved."""
    model = Linear(3, 1)
    with pytest.raises(DataError, match=r"seed: .* is not an integer from 0 to below"):
        Trainer(model, SGD(model.parameters()), mse_loss, seed=seed)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_waits_for_a_load(tmp_path, monkeypatch):
    """What arrives in the middle is raised when all of the file is taken."""
    one, other = trainer(1), trainer(2)
    one.fit(line(), epochs=1)
    one.save(tmp_path / "t.npz")
    take = other.model.load_state_dict

    def interrupted(state):
        os.kill(os.getpid(), signal.SIGINT)
        take(state)

    monkeypatch.setattr(other.model, "load_state_dict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        other.load(tmp_path / "t.npz")
    assert (1, one.seed) == (other.epochs, other.seed)
    for mine, its in zip(one.model.parameters(), other.model.parameters(), strict=True):
        np.testing.assert_array_equal(mine.data, its.data)
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


def test_the_largest_seed_is_saved_and_loaded(tmp_path):
    """As is one of numpy's."""
    model = Linear(3, 1)
    for seed in (2**63 - 1, np.int64(3)):
        one = Trainer(model, SGD(model.parameters()), mse_loss, seed=seed)
        one.fit(line())
        one.save(tmp_path / "file")
        other = Trainer(model, SGD(model.parameters()), mse_loss)
        other.load(tmp_path / "file")
        assert int(seed) == other.seed


def test_batches_of_the_users_own_are_taken_in_their_order():
    """A list of batches, each epoch anew; the mean loss counts each batch by its rows."""
    x, y = line(10)
    batches = [(x[:8], y[:8]), [PureTensor(x[8:]), PureTensor(y[8:])]]
    one = trainer()
    expected = trainer().fit((x, y), batch_size=8, shuffle=False).losses
    assert expected == one.fit(batches).losses


def test_an_epoch_sees_every_example_once():
    """Shuffled, cut and counted: the last batch is shorter, none is lost."""
    seen = []

    def loss(prediction, target):
        seen.extend(np.asarray(target)[:, 0].tolist())
        return mse_loss(prediction, target)

    x = np.zeros((10, 3))
    y = np.arange(10.0)[:, None]
    one = trainer()
    one.loss = loss
    one.fit((x, y), batch_size=4)
    assert list(range(10)) == sorted(seen) != seen


def test_data_that_are_only_looked_at_are_told_after_each_epoch():
    """The loss on them, or another metric, as it is when the epoch ends; nothing is learnt."""
    seen = []
    one, other = trainer(), trainer()
    history = one.fit(line(), epochs=2, validation=line(9), on_epoch=lambda *_: seen.append(0))
    assert history is one.history
    assert 2 == len(history.validation) == len(seen)
    assert one.evaluate(line(9)) == history.validation[-1]
    assert other.fit(line(), epochs=2).losses == history.losses
    assert () == other.history.validation
    assert (2.5,) == one.fit(line(), validation=line(), metric=lambda *_: 2.5).validation
    with pytest.raises(DataError, match="is not"):
        one.evaluate((1, 2, 3))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_loss_that_is_no_number_is_told_before_it_moves_anything(wrong):
    """The epoch and the batch are named, and the parameters are numbers still."""
    one = trainer(rule=SGD)
    one.fit(line())
    x, y = line(24)
    y[17] = wrong
    with pytest.raises(DivergedError, match=r"epoch 2, batch 2: loss: (nan|inf); .* smaller lr"):
        one.fit((x, y), batch_size=8, shuffle=False)
    assert 1 == one.epochs
    assert () == one.history.losses
    with pytest.raises(ArithmeticError, match=r"^loss: "):
        one.step(x, y)
    assert np.isfinite(one.step(x[:8], y[:8]))


class Interrupted(SGD):
    """A rule that gets Ctrl-C while it moves the first parameter, so many times."""

    times = 1

    def _move(self, x, gradient, kept, scratch, count):
        super()._move(x, gradient, kept, scratch, count)
        if count == 3 and x is self.params[0].data:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)


@pytest.fixture
def ctrl_c():
    """Let Ctrl-C be Python's own, which a process in the background of a shell ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_training_between_two_steps():
    """All parameters have moved when it is raised; what was there before holds afterwards."""
    one = trainer(rule=Interrupted)
    with pytest.raises(KeyboardInterrupt):
        one.fit(line(), epochs=9, batch_size=64)
    assert [3] * 4 == one.optimizer.state_dict()["steps"].tolist()
    assert 2 == len(one.history.losses) == one.epochs
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_ctrl_c_is_not_held():
    """It ends training where it is."""
    one = trainer(rule=Interrupted)
    one.optimizer.times = 2
    with pytest.raises(KeyboardInterrupt):
        one.fit(line(), epochs=3, batch_size=64)
    assert [3, 2, 2, 2] == one.optimizer.state_dict()["steps"].tolist()


class Traced:
    """Raises Ctrl-C at so manyth event of a trace: calls, returns and opcodes of two modules."""

    def __init__(self, at):
        self.left = at

    def __call__(self, frame, event, _):
        if Path(frame.f_code.co_filename).name not in ("_interrupts.py", "training.py"):
            return None
        frame.f_trace_opcodes = frame.f_code.co_name in ("hold", "_give_back", "fit", "work")
        frame.f_trace_opcodes |= frame.f_code.co_name in ("_done", "__enter__", "__exit__")
        if frame.f_trace_opcodes and event == "opcode":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)
        return self


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_at_any_place_leaves_history_whole_and_the_handler_as_it_was():
    """At each instruction of fit, and of taking and giving back the handler, one by one."""
    # Python 3.12 traces opcodes only if a frame has asked for it before sys.settrace:
    # https://github.com/python/cpython/issues/103615
    sys._getframe().f_trace_opcodes = True
    interrupted = 0
    for at in range(1, 10_000):
        one = trainer()
        tracer = Traced(at)
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            one.fit(line(4), epochs=2)
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.settrace(before)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, at
        assert one.epochs == len(one.history.losses), at
        assert 1 == len(set(one.optimizer.state_dict()["steps"].tolist())), at
        if tracer.left > 0:
            break
    assert interrupted > 50


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_a_fit_within_on_epoch_ends_it_between_two_steps():
    """The inner training holds it, too, and both end."""
    outer, inner = trainer(), trainer(rule=Interrupted)
    with pytest.raises(KeyboardInterrupt):
        outer.fit(line(), on_epoch=lambda *_: inner.fit(line(), epochs=9, batch_size=64))
    assert [3] * 4 == inner.optimizer.state_dict()["steps"].tolist()
    assert (1, 2) == (outer.epochs, inner.epochs)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_of_the_programs_own_and_in_a_thread_is_left_alone():
    """A handler that is there stays; a thread trains without one."""
    seen = []
    one = trainer(rule=Interrupted)
    signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    one.fit(line(), epochs=4, batch_size=64)
    assert [1] == seen
    other = trainer()
    thread = threading.Thread(target=other.fit, args=(line(),))
    thread.start()
    thread.join()
    assert one.epochs == 4
    assert other.epochs == 1


@pytest.mark.parametrize(
    ("data", "options", "told"),
    [
        (lambda: (np.ones((3, 3)), np.ones((2, 1))), {}, "3 inputs have 2 targets"),
        (lambda: (np.ones((3, 3)),), {}, "a tuple of 1 is not"),
        (lambda: (np.ones((3, 3)), 1.0), {}, "targets: 1.0 is not an array of rows"),
        (lambda: [np.ones((3, 3))], {}, "batch 0 is not"),
        (line, {"batch_size": 0}, "batch_size: 0"),
        (lambda: iter([line(4)]), {"epochs": 2}, "yielded no batch.*generator"),
        (list, {}, "yielded no batch"),
        (lambda: (np.ones((0, 3)), np.ones((0, 1))), {}, "inputs and targets have no rows"),
        (lambda: [line(4), line(0)], {}, "batch 1 has no rows"),
        (lambda: (line(4), line(4)), {}, "two pairs of arrays are two batches, or .* np.stack"),
        (lambda: ([*line(4)], (*line(4),)), {}, "two pairs of arrays"),
        (lambda: [[[0.0] * 3] * 2, [[0.0], [5.0]]], {}, "batch 0 is two rows of numbers"),
        (lambda: (np.ones((3, 3)), np.ones(3)), {}, r"target: shape \(3,\) is not \(3, 1\)"),
    ],
)
def test_data_that_make_no_sense_are_told(data, options, told):
    """Each mistake is an error that names what is wrong, and the batch."""
    with pytest.raises(DataError, match=told):
        trainer().fit(data(), **options)


def test_nothing_is_predicted_of_no_rows():
    """The shape is that of outputs; there is nothing to evaluate, which is told."""
    one = trainer()
    assert (0, 1) == one.predict(line()[0][:0]).shape
    for metric in (None, accuracy):
        with pytest.raises(DataError, match="have no rows"):
            one.evaluate(line(0), metric)
    with pytest.raises(DataError, match=r"prediction: shape \(0, 3\) has no rows"):
        accuracy(np.zeros((0, 3)), [])


@pytest.mark.parametrize("data", [[line(4), line(4)], (line(4), line(4)), [line(4)] * 3, 3])
def test_batches_are_nothing_to_evaluate(data):
    """A list of two is not taken for inputs and targets, nor by validation."""
    one = trainer()
    with pytest.raises(DataError, match=r"two pairs of arrays|is not \(inputs, targets"):
        one.evaluate(data)
    with pytest.raises(DataError, match=r"two pairs of arrays|is not \(inputs, targets"):
        one.fit(line(), validation=data)


def test_lists_of_rows_are_inputs_and_targets():
    """Lists of arrays, more than two or of numbers, are rows, as in numpy."""
    x, y = line(3)
    expected = trainer().fit((x, y), shuffle=False).losses
    assert expected == trainer().fit((list(x), list(y)), shuffle=False).losses
    assert expected == trainer().fit((x.tolist(), y.tolist()), shuffle=False).losses
    two = trainer().fit((x[:2], y[:2]), shuffle=False).losses
    assert two == trainer().fit((x[:2].tolist(), y[:2].tolist()), shuffle=False).losses
    assert two == trainer().fit([[x[:2].tolist(), y[:2].tolist()]]).losses


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ([0, 3], r"target\[1\]: class 3 is not one of 0 to 2"),
        ([-1, 0], r"target\[0\]: class -1"),
        ([0.5, 1], "whole numbers"),
        ([0, 1, 2], r"shape \(3,\) is neither \(2,\), classes, nor \(2, 3\)"),
        (np.array(["a", "b"]), "are no classes"),
    ],
)
def test_classes_that_make_no_sense_are_told(target, told):
    """The place and the class are named; nothing is read out of bounds."""
    with pytest.raises((DataError, KindError), match=told):
        cross_entropy(np.zeros((2, 3)), target)
    with pytest.raises(DataError, match="logits"):
        cross_entropy(np.zeros((0, 3)), [])


def test_accuracy_counts_the_greatest():
    """For classes and for probabilities; shapes that do not fit are told."""
    scores = PureTensor([[1, 2], [3, 0], [0, 1]])
    assert 2 / 3 == accuracy(scores, [1, 0, 0]) == accuracy(scores, np.eye(2)[[1, 0, 0]])
    with pytest.raises(DataError, match=r"\(2,\) is not \(3,\)"):
        accuracy(scores, [1, 0])


def test_accuracy_takes_a_column_of_classes_and_a_single_row():
    """What has one column has no greatest: those are the classes themselves."""
    right = [[1], [2], [3], [4]]
    assert 1.0 == accuracy(np.eye(10)[[1, 2, 3, 4]], np.array(right))
    assert 0.75 == accuracy(np.eye(10)[[1, 2, 3, 0]], PureTensor(right))
    assert 0.5 == accuracy(np.eye(2), np.array([True, True]))
    assert (1.0, 0.0) == (accuracy([0.1, 0.9], 1), accuracy([0.1, 0.9], [0]))
    assert 0.25 == accuracy(np.ones((2, 2, 3)), np.array([[0, 1], [1, 2]]))


@pytest.mark.parametrize(
    ("prediction", "target", "told"),
    [
        (np.array([[0.1], [0.9], [0.2]]), np.array([[1], [0], [1]]), "one output a row compare"),
        (np.array([[0.1], [0.9], [0.2]]), [1, 0, 1], r"prediction: shape \(3, 1\)"),
        (np.zeros((3, 0)), [1, 0, 1], "two classes at least"),
        (3.0, 1, r"prediction: shape \(\)"),
        ([2, 1, 0], [2, 0, 1], r"target: shape \(3,\) is not \(\)"),
        (np.eye(3), np.ones((3, 2)), r"shape \(3, 2\) is not \(3,\)"),
        (np.eye(2), [0.5, 1.0], "whole numbers"),
        (np.eye(2), [[0.5], [1.0]], "whole numbers"),
    ],
)
def test_accuracy_of_what_has_another_meaning_is_refused(prediction, target, told):
    """One output a row, classes in place of scores, shares in place of classes: no wrong share."""
    with pytest.raises(DataError, match=told):
        accuracy(prediction, target)


@pytest.mark.parametrize("rule", [SGD, Adam])
def test_training_goes_on_from_a_file_as_if_it_had_not_ended(tmp_path, rule):
    """Three epochs, saved, and three more in another trainer: the bits of six at once."""
    whole, half, rest = trainer(0, rule), trainer(0, rule), trainer(5, rule)
    if rule is SGD:
        for one in (whole, half, rest):
            one.optimizer.momentum = 0.9
    expected = whole.fit(line(), epochs=6).losses
    first = half.fit(line(), epochs=3).losses
    half.save(tmp_path / "at-3")
    rest.load(tmp_path / "at-3")
    assert expected == first + rest.fit(line(), epochs=3).losses


def test_a_checkpoint_of_another_kind_is_refused_and_changes_nothing(tmp_path):
    """A model's file, and a checkpoint of another optimizer: the model keeps its values."""
    one, other = trainer(0), trainer(1, SGD)
    other.optimizer.momentum = 0.9
    other.fit(line())
    other.save(tmp_path / "sgd")
    other.model.save(tmp_path / "model")
    before = one.model.state_dict()
    with pytest.raises(DataError, match="that Adam keeps"):
        one.load(tmp_path / "sgd")
    with pytest.raises(DataError, match=r"model\.load reads a model's"):
        one.load(tmp_path / "model")
    assert all(np.array_equal(before[name], new) for name, new in one.model.state_dict().items())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"optimizer.0.mean": np.array([["a"] * 3] * 8)}, "0.mean has <U1 values"),
        ({"optimizer.0.mean": None}, "0.mean is missing"),
        ({"trainer": np.array([1, 2, 3])}, r"trainer: \[1 2 3\] is not a count"),
        ({"trainer": np.array(1)}, "trainer: 1 is not"),
        ({"trainer": np.array([1.0, np.nan])}, "trainer: .*nan"),
        ({"trainer": np.array([-1, 0])}, r"trainer: \[-1 +0\]"),
        ({"junk": np.zeros(2)}, "junk is nothing that Trainer.save writes"),
        ({"model.junk": np.zeros(2)}, "junk is not in the model"),
        ({"model.2.bias": np.zeros(2)}, "2.bias has the shape"),
    ],
)
def test_a_checkpoint_with_one_wrong_part_changes_nothing(tmp_path, change, told):
    """The model, the optimizer, the epochs and the seed are those from before."""
    one, other = trainer(0), trainer(1)
    for each in (one, other):
        each.fit(line(), epochs=1 if each is one else 2)
    other.save(tmp_path / "good")
    with np.load(tmp_path / "good") as parts:
        wrong = {name: one for name, one in (dict(parts) | change).items() if one is not None}
    np.savez(tmp_path / "wrong.npz", **wrong)

    def state():
        parts = [*one.model.state_dict().values(), *one.optimizer.state_dict().values()]
        return one.epochs, one.seed, [part.tolist() for part in parts]

    before = state()
    with pytest.raises(DataError, match=told):
        one.load(tmp_path / "wrong.npz")
    assert before == state()
    one.load(tmp_path / "good")
    assert before != state()


def test_a_compressed_checkpoint_is_refused_before_it_is_unpacked(tmp_path):
    """Save compresses nothing; what it does not write may be a thousand times the file's size."""
    one = trainer()
    one.save(tmp_path / "good")
    with np.load(tmp_path / "good") as parts:
        np.savez_compressed(tmp_path / "packed.npz", **parts, junk=np.zeros(10_000))
    with pytest.raises(DataError, match=r"packed\.npz: .* is compressed; save\(\) wrote no such"):
        one.load(tmp_path / "packed.npz")


# ---- digits


def digits():
    """Return scikit-learn's digits, or ten drawn pictures of 8 x 8 with noise; its name, too."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        draw = np.random.default_rng(0)
        pictures = draw.uniform(size=(10, 64)) > 0.6
        classes = np.arange(1797) % 10
        return "drawn", (pictures[classes] + draw.normal(0, 0.6, (1797, 64))), classes
    data = load_digits()
    return "scikit-learn's", data.data / 16, data.target


def test_digits_are_learnt_as_by_torch():
    """The same model, values and batches: the same accuracy on 360 unseen digits, above 90 %."""
    torch = pytest.importorskip("torch")
    _, x, y = digits()
    x = x.astype(np.float32)
    manual_seed(0)
    model = Sequential(Linear(64, 32), ReLU(), Linear(32, 10))
    twin = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    state = {name: torch.from_numpy(one) for name, one in model.state_dict().items()}
    twin.load_state_dict(state)
    ours = Trainer(model, SGD(model.parameters(), lr=0.1, momentum=0.9), cross_entropy)
    rule = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    history = ours.fit((x[:1437], y[:1437]), epochs=8, shuffle=False)
    for _ in range(8):
        losses = []
        for start in range(0, 1437, 32):
            rule.zero_grad()
            batch = torch.from_numpy(x[:1437][start : start + 32])
            target = torch.from_numpy(y[:1437][start : start + 32])
            loss = torch.nn.functional.cross_entropy(twin(batch), target)
            loss.backward()
            rule.step()
            losses.append(loss.item() * len(batch))
    found = ours.evaluate((x[1437:], y[1437:]), accuracy)
    expected = (twin(torch.from_numpy(x[1437:])).argmax(1).numpy() == y[1437:]).mean()
    assert found > 0.9
    assert expected == pytest.approx(found, abs=1 / 360 + 1e-9)
    assert sum(losses) / 1437 == pytest.approx(history.losses[-1], rel=1e-3)


# ---- memory


def resident():
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("steps", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_steps(steps):
    """With the collector off, steps leave nothing behind: less than 1 MiB in all of them."""
    one = trainer()
    x, y = line(8)
    gc.collect()
    gc.disable()
    try:
        for _ in range(300):
            one.step(x, y)
        before = resident()
        for _ in range(steps):
            one.step(x, y)
        assert resident() - before < 2**20
    finally:
        gc.enable()


# ---- without torch, and soon

ALONE = """
import sys
from shimhub.pure.nn import Linear, ReLU, Sequential
from shimhub.pure.tensor import PureTensor
from shimhub.pure.training import SGD, Trainer, mse_loss
model = Sequential(layers=[Linear(8, 4), ReLU(), Linear(4, 1)])
x = PureTensor.randn([32, 8])
trainer = Trainer(model, SGD(model.parameters(), lr=0.01), mse_loss)
trainer.fit((x, x[:, :1]), epochs=2)
others = {name.partition(".")[0] for name in sys.modules}
print("torch" in others, sorted(others & {"scipy", "sklearn", "pandas", "pyarrow"}))
"""


def test_numpy_alone_is_enough(lab):
    """A model is trained without torch being imported, and where it cannot be."""
    assert "False []\n" == lab.run(ALONE).stdout
    blocked = "import sys; sys.modules['torch'] = None\n" + ALONE.replace('"torch" in others', "0")
    assert "0 []\n" == lab.run(blocked).stdout


def test_it_is_imported_long_before_torch(lab):
    """The modules that it needs beside numpy and Python's own are shimhub's."""
    code = "import numpy.random, sys; a = set(sys.modules)\n{}\nprint(*set(sys.modules) - a)"
    loaded = lab.run(code.format("import shimhub.pure.training, shimhub.pure.nn")).stdout.split()
    roots = {name.partition(".")[0] for name in loaded}
    known = set(sys.stdlib_module_names) | {"shimhub", "numpy", "_cffi_backend"}
    assert set() == roots - known
