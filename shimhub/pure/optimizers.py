"""Optimizers: SGD with momentum, and Adam; each rule is that of torch's optimizer of its name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.pure.errors import DataError, KindError
from shimhub.pure.tensor import PureTensor

if TYPE_CHECKING:
    from shimhub.pure._making import Array


class Optimizer:
    """What moves parameters by their gradients, in place; a subclass has the rule."""

    #: The names of the arrays that the rule keeps for each parameter.
    kept: tuple[str, ...] = ()

    def __init__(self, params: Iterable[PureTensor], lr: float, weight_decay: float) -> None:
        self.params = _checked(params)
        self.lr = _number("lr", lr)
        self.weight_decay = _number("weight_decay", weight_decay)
        #: How often each parameter was moved.
        self._counts = [0] * len(self.params)
        self._state: list[dict[str, Array]] = [{} for _ in self.params]
        self._scratch = [np.empty_like(one.data) for one in self.params]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for tensor in self.params:
            tensor.gradient = None

    def step(self) -> None:
        """Move each parameter that has a gradient."""
        for index, tensor in enumerate(self.params):
            gradient, scratch = tensor.gradient, self._scratch[index]
            if gradient is None:
                continue
            if self.weight_decay:
                np.multiply(tensor.data, self.weight_decay, out=scratch)
                gradient = gradient + scratch
            self._counts[index] += 1
            self._move(index, gradient)
            tensor.wrote()

    def _move(self, index: int, gradient: Array) -> None:
        """Move the parameter at ``index``; the gradient is only read."""
        raise NotImplementedError(f"{type(self).__name__} has no method _move")

    @property
    def steps(self) -> int:
        """How many steps moved the parameter that was moved most often."""
        return max(self._counts)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of what the rule keeps, as "0.momentum", and of each one's steps."""
        found: dict[str, Array] = {"steps": np.array(self._counts)}
        for index, state in enumerate(self._state):
            found |= {f"{index}.{name}": array.copy() for name, array in state.items()}
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a ``state_dict`` of an optimizer of such parameters; all of it or none."""
        loaded: list[dict[str, Array]] = [{} for _ in self.params]
        for key, value in state.items():
            if key != "steps":
                index, name = self._place(key)
                loaded[index][name] = self._value(key, index, value)
        self._counts, self._state = self._steps_of(state), loaded

    def _steps_of(self, state: Mapping[str, Any]) -> list[int]:
        if "steps" not in state:
            raise DataError("state: steps is missing")
        found = np.asarray(state["steps"])
        if found.shape != (len(self.params),) or found.dtype.kind not in "iu" or found.min() < 0:
            raise DataError(f"state: steps: {found} is not a count for each parameter")
        return [int(one) for one in found]

    def _place(self, key: str) -> tuple[int, str]:
        index, _, name = key.partition(".")
        if not index.isdecimal() or int(index) >= len(self.params) or name not in self.kept:
            raise DataError(
                f"state: {key} is nothing that {type(self).__name__} keeps for "
                f"{len(self.params)} parameters"
            )
        return int(index), name

    def _value(self, key: str, index: int, value: Any) -> Array:
        like = self.params[index].data
        found = np.array(value, like.dtype)
        if found.shape != like.shape:
            raise DataError(f"state: {key} has the shape {found.shape}, not {like.shape}")
        return found


class SGD(Optimizer):
    """``x -= lr * g``; with momentum, of ``v = momentum * v + g`` for ``g``.

    Nesterov's takes ``g + momentum * v``; ``weight_decay`` adds that share of x to the gradient.
    """

    kept = ("momentum",)

    def __init__(
        self,
        params: Iterable[PureTensor],
        lr: float = 0.01,
        momentum: float = 0.0,
        *,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, lr, weight_decay)
        self.momentum = _number("momentum", momentum)
        if nesterov and not momentum:
            raise DataError("nesterov: needs a momentum above 0")
        self.nesterov = nesterov

    def _move(self, index: int, gradient: Array) -> None:
        x, scratch = self.params[index].data, self._scratch[index]
        if self.momentum:
            gradient = self._velocity(gradient, self._state[index], scratch)
        np.multiply(gradient, self.lr, out=scratch)
        np.subtract(x, scratch, out=x)

    def _velocity(self, gradient: Array, state: dict[str, Array], scratch: Array) -> Array:
        velocity = state.get("momentum")
        if velocity is None:
            velocity = state["momentum"] = gradient.copy()
        else:
            np.multiply(velocity, self.momentum, out=velocity)
            np.add(velocity, gradient, out=velocity)
        if not self.nesterov:
            return velocity
        np.multiply(velocity, self.momentum, out=scratch)
        return np.add(gradient, scratch, out=scratch)


class Adam(Optimizer):
    """Steps by the mean of gradients over the root of the mean of their squares.

    The rule of https://arxiv.org/abs/1412.6980 with its bias corrections.
    """

    kept = ("mean", "square")

    def __init__(
        self,
        params: Iterable[PureTensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, weight_decay)
        first, second = betas
        if not (0 <= first < 1 and 0 <= second < 1):
            raise DataError(f"betas: {betas!r} are not two numbers from 0 to below 1")
        self.betas = (float(first), float(second))
        self.eps = _number("eps", eps)

    def _move(self, index: int, gradient: Array) -> None:
        first, second = self.betas
        x, state, scratch = self.params[index].data, self._state[index], self._scratch[index]
        steps = self._counts[index]
        if not state:
            state.update(mean=np.zeros_like(x), square=np.zeros_like(x))
        mean, square = state["mean"], state["square"]
        np.multiply(gradient, 1 - first, out=scratch)
        np.multiply(mean, first, out=mean)
        np.add(mean, scratch, out=mean)
        np.multiply(gradient, gradient, out=scratch)
        np.multiply(scratch, 1 - second, out=scratch)
        np.multiply(square, second, out=square)
        np.add(square, scratch, out=square)
        np.sqrt(square, out=scratch)
        np.divide(scratch, math.sqrt(1 - second**steps), out=scratch)
        np.add(scratch, self.eps, out=scratch)
        np.divide(mean, scratch, out=scratch)
        np.multiply(scratch, self.lr / (1 - first**steps), out=scratch)
        np.subtract(x, scratch, out=x)


def _checked(params: Iterable[PureTensor]) -> list[PureTensor]:
    found = [params] if isinstance(params, PureTensor) else list(params)
    if not found:
        raise DataError("params: there is no parameter to move; give model.parameters()")
    for index, one in enumerate(found):
        if not isinstance(one, PureTensor):
            raise KindError(f"params[{index}]: {type(one).__name__} is not a PureTensor")
        if one.node is not None:
            raise DataError(f"params[{index}]: is a result, whose values are computed")
        if not one.data.flags.writeable:
            raise DataError(f"params[{index}]: its array is read-only; give the tensor a copy")
    return found


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise DataError(f"{name}: {value!r} is not a number >= 0")
    return float(value)
