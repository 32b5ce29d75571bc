"""Optimizers: SGD with momentum, and Adam; each rule is that of torch's optimizer of its name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.pure._making import unmasked
from shimhub.pure.errors import DataError, KindError
from shimhub.pure.tensor import PureTensor

if TYPE_CHECKING:
    from shimhub.pure._making import Array


#: Elements that are moved together: of four arrays or five they stay in a core's own cache.
_AT_ONCE: Final = 2**15


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
        self._scratch = [np.empty_like(one.data[_first_rows(one.data)]) for one in self.params]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for tensor in self.params:
            tensor.gradient = None

    def step(self) -> None:
        """Move each parameter that has a gradient; of values that are too large come infinite ones.

        numpy's errors of arithmetic are off meanwhile, which would leave a step half done.
        """
        names = self._names()
        with np.errstate(all="ignore"):
            for index, tensor in enumerate(self.params):
                gradient = tensor.gradient
                if gradient is None:
                    continue
                self._counts[index] += 1
                kept = [self._kept(index, name) for name in names]
                self._move_all(index, tensor.data, gradient, kept)
                tensor.wrote()

    def _names(self) -> tuple[str, ...]:
        """Return the names of the arrays that the rule keeps as it is set now."""
        return self.kept

    def _kept(self, index: int, name: str) -> Array:
        state = self._state[index]
        if name not in state:
            state[name] = np.zeros_like(self.params[index].data)
        return state[name]

    def _move_all(self, index: int, x: Array, gradient: Array, kept: list[Array]) -> None:
        """Move a parameter, a few rows at a time, so that each is fetched from memory once."""
        scratch, count = self._scratch[index], self._counts[index]
        if x.size <= _AT_ONCE:
            return self._move_decayed(x, gradient, kept, scratch, count)
        for start in range(0, len(x), len(scratch)):
            rows = slice(start, start + len(scratch))
            part, some = x[rows], [one[rows] for one in kept]
            self._move_decayed(part, gradient[rows], some, scratch[: len(part)], count)
        return None

    def _move_decayed(
        self, x: Array, gradient: Array, kept: list[Array], scratch: Array, count: int
    ) -> None:
        if self.weight_decay:
            np.multiply(x, self.weight_decay, out=scratch)
            gradient = gradient + scratch
        self._move(x, gradient, kept, scratch, count)

    def _move(
        self, x: Array, gradient: Array, kept: list[Array], scratch: Array, count: int
    ) -> None:
        """Move ``x``, what it keeps too; ``count`` from 1. The gradient is only read."""
        raise NotImplementedError(f"{type(self).__name__} has no method _move")

    @property
    def steps(self) -> int:
        """How many steps moved the parameter that was moved most often."""
        return max(self._counts)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of what the rule keeps, as "0.momentum", and of each one's steps."""
        found: dict[str, Array] = {"steps": np.array(self._counts)}
        for index, count in enumerate(self._counts):
            for name in self._names() if count else ():
                self._kept(index, name)  # zeros, if momentum was switched on after the last step
            found |= {f"{index}.{name}": one.copy() for name, one in self._state[index].items()}
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a ``state_dict`` of an optimizer of such parameters; all of it or none."""
        loaded: list[dict[str, Array]] = [{} for _ in self.params]
        for key, value in state.items():
            if key != "steps":
                index, name = self._place(key)
                loaded[index][name] = self._value(key, index, value)
        counts = self._steps_of(state)
        for index, name in itertools.product(range(len(counts)), self._names()):
            if counts[index] and name not in loaded[index]:
                raise DataError(
                    f"state: {index}.{name} is missing, of a parameter that was moved "
                    f"{counts[index]} times; {type(self).__name__} as it is set now keeps it"
                )
        self._counts, self._state = counts, loaded

    def _steps_of(self, state: Mapping[str, Any]) -> list[int]:
        if "steps" not in state:
            raise DataError("state: steps is missing")
        found = np.asarray(unmasked("steps", state["steps"]))
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
        found = np.asarray(unmasked(key, value))
        if found.shape != like.shape:
            raise DataError(f"state: {key} has the shape {found.shape}, not {like.shape}")
        if found.dtype.kind not in "iuf":
            raise DataError(f"state: {key} has {found.dtype} values")
        return np.array(found, like.dtype)


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

    def _names(self) -> tuple[str, ...]:
        return self.kept if self.momentum else ()

    def _move(
        self, x: Array, gradient: Array, kept: list[Array], scratch: Array, count: int
    ) -> None:
        if kept:
            gradient = self._velocity(gradient, kept[0], scratch)
        np.multiply(gradient, self.lr, out=scratch)
        np.subtract(x, scratch, out=x)

    def _velocity(self, gradient: Array, velocity: Array, scratch: Array) -> Array:
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

    def _move(
        self, x: Array, gradient: Array, kept: list[Array], scratch: Array, count: int
    ) -> None:
        first, second = self.betas
        mean, square = kept
        np.multiply(gradient, 1 - first, out=scratch)
        np.multiply(mean, first, out=mean)
        np.add(mean, scratch, out=mean)
        np.multiply(gradient, gradient, out=scratch)
        np.multiply(scratch, 1 - second, out=scratch)
        np.multiply(square, second, out=square)
        np.add(square, scratch, out=square)
        np.sqrt(square, out=scratch)
        np.divide(scratch, math.sqrt(1 - second**count), out=scratch)
        np.add(scratch, self.eps, out=scratch)
        np.divide(mean, scratch, out=scratch)
        np.multiply(scratch, self.lr / (1 - first**count), out=scratch)
        np.subtract(x, scratch, out=x)


def _first_rows(x: Array) -> Any:
    """Return the place of as many rows as are moved together: all of them, where those are few."""
    if x.size <= _AT_ONCE:
        return ...
    return slice(max(1, _AT_ONCE * len(x) // x.size))


def _checked(params: Iterable[PureTensor]) -> list[PureTensor]:
    found = [params] if isinstance(params, PureTensor) else list(params)
    if not found:
        raise DataError("params: there is no parameter to move; give model.parameters()")
    places: dict[int, int] = {}
    for index, one in enumerate(found):
        if not isinstance(one, PureTensor):
            raise KindError(f"params[{index}]: {type(one).__name__} is not a PureTensor")
        if one.node is not None:
            raise DataError(f"params[{index}]: is a result, whose values are computed")
        if not one.data.flags.writeable:
            raise DataError(f"params[{index}]: its array is read-only; give the tensor a copy")
        if (first := places.setdefault(id(one), index)) != index:
            raise DataError(
                f"params[{index}]: is params[{first}] again, which each step would move twice"
            )
    return found


def _number(name: str, value: Any) -> float:
    number = isinstance(value, int | float | np.integer | np.floating)
    if isinstance(value, bool) or not number or not 0 <= value < math.inf:
        raise DataError(f"{name}: {value!r} is not a number >= 0")
    return float(value)
