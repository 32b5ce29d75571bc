"""Training: Trainer, with the optimizers, the losses and accuracy under one roof."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.pure import _batches, _files, _interrupts, _making, losses
from shimhub.pure._graph import no_grad
from shimhub.pure._module import Module
from shimhub.pure.errors import DataError, DivergedError
from shimhub.pure.losses import cross_entropy, mse_loss
from shimhub.pure.optimizers import SGD, Adam, Optimizer
from shimhub.pure.tensor import PureTensor

if TYPE_CHECKING:
    from shimhub.pure._making import Array

__all__ = [
    "SGD",
    "Adam",
    "History",
    "Optimizer",
    "Trainer",
    "accuracy",
    "cross_entropy",
    "mse_loss",
]

Loss = Callable[[PureTensor, Any], PureTensor]
Metric = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class History:
    """What ``fit`` came to, an entry for each epoch.

    ``losses`` are means over the examples, each before its step; ``validation`` is empty unless
    there are data for it.
    """

    losses: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    validation: tuple[float, ...] = ()


class Trainer:
    """A model, what moves its parameters, and what is to become small.

    ``seed`` fixes the order in which ``fit`` takes examples, from the first epoch on; without it,
    it is drawn, so that ``manual_seed`` fixes it.
    """

    def __init__(
        self, model: Module, optimizer: Optimizer, loss: Loss, *, seed: int | None = None
    ) -> None:
        _check_parameters(model, optimizer)
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.seed = int(_making.generator().integers(2**32)) if seed is None else _seed(seed)
        #: ``epochs`` and ``history``: both are of before an epoch's end, or of after it.
        self._told = 0, History()
        self._moving = _interrupts.Whole()

    @property
    def epochs(self) -> int:
        """Whole epochs, of all calls of ``fit``."""
        return self._told[0]

    @property
    def history(self) -> History:
        """Of the last call of ``fit``, also where it did not end."""
        return self._told[1]

    def fit(
        self,
        data: Any,
        epochs: int = 1,
        *,
        batch_size: int = 32,
        shuffle: bool = True,
        on_epoch: Callable[[int, float], object] | None = None,
        validation: Any = None,
        metric: Metric | None = None,
    ) -> History:
        """Train for some epochs; ``on_epoch`` is told the epoch, from 1, and its mean loss.

        ``data`` is ``(inputs, targets)``, two arrays that are cut into batches, or something that
        yields batches, each ``(inputs, targets)``, anew for each epoch. ``validation`` are inputs
        and targets that are only looked at, after each epoch: by ``metric``, or else the loss.

        Ctrl-C and errors end it between two steps: parameters and ``history`` are whole. Raises
        ``DivergedError`` where the loss is no finite number, before that moves a parameter.
        """
        self._told = self.epochs, History()

        def work() -> None:
            for _ in range(epochs):
                start = time.perf_counter()
                loss = self._epoch(_batches.batches(data, batch_size, self._order(shuffle)))
                self._done(loss, time.perf_counter() - start)
                if validation is not None:
                    self._validated(self.evaluate(validation, metric))
                if on_epoch is not None:
                    on_epoch(self.epochs, loss)

        self._moving.hold(work)
        return self.history

    def step(self, inputs: Any, target: Any) -> float:
        """Train on one batch; return its loss before that. Raises ``DivergedError`` as ``fit``."""
        self.optimizer.zero_grad()
        loss = self.loss(self.model(inputs), target)
        value = loss.item()
        if not math.isfinite(value):
            raise DivergedError(
                f"loss: {value}; no parameter was moved by it. Take a smaller lr, or look for NaN "
                "and infinite values in the batch"
            )
        loss.backward()
        with self._moving:
            self.optimizer.step()
        return value

    def predict(self, inputs: Any, *, batch_size: int = 1024) -> PureTensor:
        """Return the model's output for all rows, without a way back."""
        rows = _batches.rows("inputs", inputs)
        with no_grad():
            cut = _batches.cut(rows, batch_size) if len(rows) else [rows]
            return PureTensor.over(np.concatenate([self.model(one).data for one in cut]))

    def evaluate(self, data: Any, metric: Metric | None = None) -> float:
        """Return the loss on ``(inputs, targets)``, or what another metric makes of them."""
        if not isinstance(data, tuple | list):
            raise DataError(f"data: {type(data).__name__} is not (inputs, targets)")
        _batches.check_pair(data)
        inputs, targets = _batches.rows("inputs", data[0]), data[1]
        if not len(inputs):
            raise DataError("data: inputs and targets have no rows")
        with no_grad():
            return float((metric or self.loss)(self.predict(inputs), targets))

    def save(self, path: Any) -> None:
        """Write parameters, the optimizer's state, epochs and seed: training goes on from there."""
        model, rule = self.model.state_dict(), self.optimizer.state_dict()
        state = {f"model.{name}": array for name, array in model.items()}
        state |= {f"optimizer.{name}": array for name, array in rule.items()}
        _files.write(path, state | {"trainer": np.asarray([self.epochs, self.seed])})

    def load(self, path: Any) -> None:
        """Continue from a file that ``save`` wrote, with a trainer that was made alike.

        All of it, or nothing, and ``DataError`` tells why. Ctrl-C waits until it is done.
        """
        state = _files.read(path, packed=False)
        if "trainer" not in state:
            raise DataError(f"{path}: Trainer.save wrote no such file; model.load reads a model's")
        epochs, seed = _progress(path, state)

        def work() -> None:
            with self._moving:
                self._take(state)
                self._told, self.seed = (epochs, self.history), seed

        self._moving.hold(work)

    def _take(self, state: dict[str, Array]) -> None:
        before = self.optimizer.state_dict()
        self.optimizer.load_state_dict(_under(state, "optimizer."))
        try:
            self.model.load_state_dict(_under(state, "model."))
        except BaseException:  # a second Ctrl-C, which does not wait, too; raised again
            self.optimizer.load_state_dict(before)
            raise

    def _epoch(self, batches: Any) -> float:
        losses, counts = [], []
        for index, (inputs, target) in enumerate(batches):
            try:
                losses.append(self.step(inputs, target))
            except DivergedError as error:
                place = f"epoch {self.epochs + 1}, batch {index}: "
                raise DivergedError(place + str(error)) from None
            counts.append(len(inputs))
        if not losses:
            raise DataError(
                "data: yielded no batch; give a list of batches or a loader, as a generator is "
                "used up by the first epoch"
            )
        return float(np.average(losses, weights=counts))

    def _done(self, loss: float, seconds: float) -> None:
        epochs, told = self._told
        more = replace(told, losses=(*told.losses, loss), seconds=(*told.seconds, seconds))
        self._told = epochs + 1, more

    def _validated(self, value: float) -> None:
        epochs, told = self._told
        self._told = epochs, replace(told, validation=(*told.validation, value))

    def _order(self, shuffle: bool) -> np.random.Generator | None:
        return np.random.default_rng([self.seed, self.epochs]) if shuffle else None


def accuracy(prediction: Any, target: Any) -> float:
    """Return the share of rows whose greatest element is at the target's class.

    ``prediction`` is (rows, classes); ``target`` has the class of each row, also as a column, or
    the probability of each class. Raises ``DataError`` where a row has one element, the greatest
    whatever it is, and for shapes that have another meaning than these.
    """
    scores = np.asarray(_making.unmasked("prediction", _batches.values(prediction)))
    wanted = np.asarray(_making.unmasked("target", _batches.values(target)))
    if scores.ndim and not scores.size and scores.shape[-1]:
        raise DataError(f"prediction: shape {scores.shape} has no rows")
    if scores.ndim == 0 or scores.shape[-1] < 2:  # noqa: PLR2004 - the fewest to choose from
        raise DataError(
            f"prediction: shape {scores.shape} is not (rows, classes), with two classes at least; "
            "for one output a row compare, as in ((prediction > 0.5) == target).mean()"
        )
    return float((scores.argmax(axis=-1) == _classes_of(wanted, scores.shape)).mean())


def _classes_of(wanted: Array, shape: tuple[int, ...]) -> Array:
    """Return the class of each row of scores of that shape."""
    rows = shape[:-1]
    if wanted.shape == shape and rows:
        found: Array = wanted.argmax(axis=-1)
        return found
    if wanted.shape not in (rows, (*rows, 1)):
        raise DataError(
            f"target: shape {wanted.shape} is not {rows}, one class a row of the prediction, nor "
            f"{(*rows, 1)}, nor {(*rows, shape[-1])}, the probabilities of classes"
        )
    whole = wanted if wanted.dtype.kind == "b" else losses.classes_of(wanted)
    return whole.reshape(rows)


def _check_parameters(model: Module, optimizer: Optimizer) -> None:
    """Raise ``DataError`` where the optimizer would move nothing of the model."""
    own = set(map(id, model.parameters()))
    if own and own.isdisjoint(map(id, optimizer.params)):
        raise DataError(
            "optimizer: moves none of the model's parameters; make it of model.parameters(), after "
            "the model has its layers"
        )


def _seed(value: Any) -> int:
    """Return a seed that a file has room for."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 0 <= value < 2**63:
        raise DataError(f"seed: {value!r} is not an integer from 0 to below 2**63")
    return int(value)


def _progress(path: Any, state: dict[str, Array]) -> tuple[int, int]:
    """Return the epochs and the seed of a checkpoint; ``DataError`` for what is none."""
    found = state["trainer"]
    if found.shape != (2,) or found.dtype.kind not in "iu" or found.min() < 0:
        raise DataError(f"{path}: trainer: {found} is not a count of epochs and a seed")
    for name in state:
        if name != "trainer" and not name.startswith(("model.", "optimizer.")):
            raise DataError(f"{path}: {name} is nothing that Trainer.save writes")
    return int(found[0]), int(found[1])


def _under(state: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {
        name.removeprefix(prefix): one for name, one in state.items() if name.startswith(prefix)
    }
