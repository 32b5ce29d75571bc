"""Training: Trainer, with the optimizers, the losses and accuracy under one roof."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.pure import _files, _making
from shimhub.pure._graph import no_grad
from shimhub.pure._module import Module
from shimhub.pure.errors import DataError
from shimhub.pure.losses import cross_entropy, mse_loss
from shimhub.pure.optimizers import SGD, Adam, Optimizer
from shimhub.pure.tensor import PureTensor

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

if TYPE_CHECKING:
    from shimhub.pure._making import Array as _Array

Loss = Callable[[PureTensor, Any], PureTensor]


@dataclass(frozen=True)
class History:
    """What ``fit`` came to: the mean loss and the seconds of each epoch."""

    losses: tuple[float, ...]
    seconds: tuple[float, ...]


class Trainer:
    """A model, what moves its parameters, and what is to become small.

    ``seed`` fixes the order in which ``fit`` takes examples, from the first epoch on; without it,
    it is drawn, so that ``manual_seed`` fixes it.
    """

    def __init__(
        self, model: Module, optimizer: Optimizer, loss: Loss, *, seed: int | None = None
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.seed = int(_making.generator().integers(2**32)) if seed is None else seed
        self.epochs = 0

    def fit(
        self,
        data: Any,
        epochs: int = 1,
        *,
        batch_size: int = 32,
        shuffle: bool = True,
        on_epoch: Callable[[int, float], object] | None = None,
    ) -> History:
        """Train for some epochs; ``on_epoch`` is told the epoch, from 1, and its mean loss.

        ``data`` is ``(inputs, targets)``, two arrays that are cut into batches, or something that
        yields batches, each ``(inputs, targets)``, anew for each epoch.
        """
        losses, seconds = [], []
        for _ in range(epochs):
            start = time.perf_counter()
            losses.append(self._epoch(_batches(data, batch_size, self._order(shuffle))))
            seconds.append(time.perf_counter() - start)
            self.epochs += 1
            if on_epoch is not None:
                on_epoch(self.epochs, losses[-1])
        return History(tuple(losses), tuple(seconds))

    def step(self, inputs: Any, target: Any) -> float:
        """Train on one batch; return its loss before that."""
        self.optimizer.zero_grad()
        loss = self.loss(self.model(inputs), target)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def predict(self, inputs: Any, *, batch_size: int = 1024) -> PureTensor:
        """Return the model's output for all rows, without a way back."""
        rows = _rows("inputs", inputs)
        with no_grad():
            parts = [self.model(one).data for one in _cut(rows, batch_size)]
        return PureTensor.over(np.concatenate(parts) if parts else rows)

    def evaluate(self, data: Any, metric: Callable[[Any, Any], Any] | None = None) -> float:
        """Return the loss on ``(inputs, targets)``, or what another metric makes of them."""
        inputs, targets = data
        with no_grad():
            return float((metric or self.loss)(self.predict(inputs), targets))

    def save(self, path: Any) -> None:
        """Write parameters, the optimizer's state and the epoch: training goes on from there."""
        model, rule = self.model.state_dict(), self.optimizer.state_dict()
        state = {f"model.{name}": array for name, array in model.items()}
        state |= {f"optimizer.{name}": array for name, array in rule.items()}
        _files.write(path, state | {"trainer": np.asarray([self.epochs, self.seed])})

    def load(self, path: Any) -> None:
        """Continue from a file that ``save`` wrote, with a trainer that was made alike."""
        state = _files.read(path)
        if "trainer" not in state:
            raise DataError(f"{path}: Trainer.save wrote no such file; model.load reads a model's")
        before = self.model.state_dict()
        self.model.load_state_dict(_under(state, "model."))
        try:
            self.optimizer.load_state_dict(_under(state, "optimizer."))
        except DataError:
            self.model.load_state_dict(before)
            raise
        self.epochs, self.seed = (int(one) for one in state["trainer"])

    def _epoch(self, batches: Iterable[tuple[Any, Any]]) -> float:
        losses, counts = [], []
        for inputs, target in batches:
            losses.append(self.step(inputs, target))
            counts.append(len(inputs))
        if not losses:
            raise DataError(
                "data: yielded no batch; for more than one epoch give a list of batches or a "
                "loader, as a generator is used up by the first"
            )
        return float(np.average(losses, weights=counts))

    def _order(self, shuffle: bool) -> np.random.Generator | None:
        return np.random.default_rng([self.seed, self.epochs]) if shuffle else None


def accuracy(prediction: Any, target: Any) -> float:
    """Return the share of rows whose greatest element is at the target's class."""
    found = np.asarray(_values(prediction)).argmax(axis=-1)
    wanted = np.asarray(_values(target))
    wanted = wanted.argmax(axis=-1) if wanted.ndim > found.ndim else wanted
    if wanted.shape != found.shape:
        raise DataError(f"target: shape {wanted.shape} is not {found.shape}, one class a row")
    return float((found == wanted).mean())


def _values(x: Any) -> Any:
    return x.data if isinstance(x, PureTensor) else x


def _batches(data: Any, size: int, order: np.random.Generator | None) -> Iterable[tuple[Any, Any]]:
    if not isinstance(data, tuple):
        return _pairs(data)
    if len(data) != 2:  # noqa: PLR2004 - inputs and targets
        raise DataError(f"data: a tuple of {len(data)} is not (inputs, targets)")
    inputs, targets = _rows("inputs", data[0]), _rows("targets", data[1])
    if len(inputs) != len(targets):
        raise DataError(f"data: {len(inputs)} inputs have {len(targets)} targets")
    if order is not None:
        places = order.permutation(len(inputs))
        inputs, targets = inputs[places], targets[places]
    return zip(_cut(inputs, size), _cut(targets, size), strict=True)


def _pairs(data: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    for index, batch in enumerate(data):
        if not isinstance(batch, tuple | list) or len(batch) != 2:  # noqa: PLR2004 - as above
            raise DataError(f"data: batch {index} is not (inputs, targets)")
        yield batch[0], batch[1]


def _rows(name: str, x: Any) -> _Array:
    found = np.asarray(_values(x))
    if found.ndim == 0:
        raise DataError(f"{name}: {x!r} is not an array of rows")
    return found


def _cut(rows: _Array, size: int) -> list[_Array]:
    if size < 1:
        raise DataError(f"batch_size: {size!r} is not an integer >= 1")
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _under(state: dict[str, _Array], prefix: str) -> dict[str, _Array]:
    return {
        name.removeprefix(prefix): one for name, one in state.items() if name.startswith(prefix)
    }
