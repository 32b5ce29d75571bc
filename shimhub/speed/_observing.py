"""What one step came to: its loss, the gradients that its optimizers saw, and what they changed."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from shimhub.speed._saved import copied
from shimhub.speed._workload import lines_of
from shimhub.speed.errors import MeasureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shimhub.speed.state import TrainingState

#: Calls of a step after which its optimizers are taken to step no more often.
MAX_CALLS: Final = 16
_STEP: Final = " (step "
#: Kinds of tensors that are compared.
GRADIENT: Final = "gradient"
UPDATE: Final = "update"
BUFFER: Final = "buffer"


class UnsupportedStepError(MeasureError):
    """The step does what cannot be compared; it is raised before anything is changed."""


@dataclass
class Outcome:
    """What a step gave; tensors by the names that the user gave them."""

    loss: float | None = None
    #: Tensors by name: gradients, parameters after the step, buffers, and what optimizers keep.
    kinds: dict[str, dict[str, torch.Tensor]] = field(
        default_factory=lambda: {GRADIENT: {}, UPDATE: {}}
    )
    #: How often any optimizer stepped.
    steps: int = 0
    #: Where torch's random numbers are after it.
    random: tuple[torch.Tensor, ...] = ()

    @property
    def gradients(self) -> dict[str, torch.Tensor]:
        """Gradients as the optimizers saw them."""
        return self.kinds[GRADIENT]


class Observer:
    """Runs a step and tells what it came to."""

    def __init__(self, step: Callable[[], Any], state: TrainingState) -> None:
        self.step = step
        self.state = state
        #: How many calls it takes until all its optimizers have stepped.
        self.calls = 1
        #: Kinds of numbers that were kept for the backward pass.
        self.dtypes: set[torch.dtype] = set()
        self.parameters = _parameters(state)
        self._shapes = hashlib.sha256()
        self._names = {id(one): name for name, one in self.parameters.items()}
        self._stepped: list[torch.optim.Optimizer] = []
        self._outcome = Outcome()

    def probe(self) -> None:
        """Call the step until all its optimizers have stepped, and count the calls.

        torch tells which numbers are kept for the backward pass, but inside of ``torch.func``.
        """
        try:
            with torch.autograd.graph.saved_tensors_hooks(self._note, _same):
                self._probe()
        except RuntimeError as error:
            if "saved tensor hooks" not in str(error):
                raise
            self.state.restore()
            self._probe()

    def _probe(self) -> None:
        wanted = {id(one) for one in self.state.optimizers}
        self._begin()
        with self._watching():
            for call in range(1, MAX_CALLS + 1):
                before = {id(one) for one in self._stepped}
                self.step()
                stepped = {id(one) for one in self._stepped}
                self.calls = call if stepped - before else self.calls
                if wanted <= stepped:
                    return

    def observe(self) -> Outcome:
        """Run the step; the outcome's parameters are the live ones."""
        self._begin()
        with self._watching():
            for _ in range(self.calls):
                result = self.step()
        found = self._outcome
        found.loss = loss_of(result)
        self._add_left_gradients(found)
        found.kinds[UPDATE] = {name: one.detach() for name, one in self.parameters.items()}
        found.kinds[BUFFER] = self._buffers()
        self._add_kept(found)
        found.random = _random()
        return found

    def _begin(self) -> None:
        self._outcome = Outcome()
        self._stepped = []

    def workload(self) -> str:
        """Return a digest of the step, its models and optimizers, and all shapes of the probe."""
        found = self._shapes.copy()
        for name, one in self.parameters.items():
            found.update(f"{name} {one.dtype} {tuple(one.shape)} {one.requires_grad}\n".encode())
        state = self.state
        for line in lines_of(state.models, state.optimizers, state.codes):
            found.update(f"{line}\n".encode())
        found.update(f"{self.calls}".encode())
        return found.hexdigest()

    def _note(self, tensor: torch.Tensor) -> torch.Tensor:
        self._shapes.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
        if tensor.is_floating_point():
            self.dtypes.add(tensor.dtype)
        return tensor

    @contextmanager
    def _watching(self) -> Iterator[None]:
        handle = register_optimizer_step_pre_hook(self._before_a_step)
        try:
            yield
        finally:
            handle.remove()

    def _before_a_step(self, optimizer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("closure") is not None or any(callable(one) for one in args[1:]):
            raise UnsupportedStepError(
                f"{type(optimizer).__name__}.step(closure) runs the model several times in one "
                "step, which is not supported"
            )
        if not any(optimizer is one for one in self.state.optimizers):
            raise UnsupportedStepError(
                f"the step uses a {type(optimizer).__name__} that was not given: "
                "pass it as optimizer="
            )
        self._outcome.steps += 1
        self._stepped.append(optimizer)
        self._add_gradients(optimizer)

    def _add_gradients(self, optimizer: Any) -> None:
        """Keep the gradients that an optimizer is about to use; a scaler's factor taken out."""
        again = sum(optimizer is one for one in self._stepped)
        suffix = f"{_STEP}{again})" if again > 1 else ""
        for group in optimizer.param_groups:
            for one in group["params"]:
                if one.grad is not None:
                    gradient = _unscaled(one.grad, getattr(optimizer, "grad_scale", None))
                    self._outcome.gradients[f"{self._names[id(one)]}{suffix}"] = gradient

    def _add_left_gradients(self, found: Outcome) -> None:
        """Keep gradients that no optimizer used, such as those of a step without one."""
        for name, one in self.parameters.items():
            if one.grad is not None and name not in found.gradients:
                found.gradients[name] = copied(one.grad)

    def _buffers(self) -> dict[str, torch.Tensor]:
        return {
            f"{_prefix(self.state, place)}{name}": one.detach()
            for place, model in enumerate(self.state.models)
            for name, one in model.named_buffers()
        }

    def _add_kept(self, found: Outcome) -> None:
        """Add what optimizers keep, such as ``exp_avg``, by that name."""
        for optimizer in self.state.optimizers:
            for parameter, kept in optimizer.state.items():
                name = self._names.get(id(parameter), "")
                for key, value in kept.items():
                    if name and isinstance(value, torch.Tensor):
                        found.kinds.setdefault(key, {})[name] = value.detach()


def parameter_of(name: str) -> str:
    """Return the parameter that a gradient is of: an optimizer may step several times."""
    return name.partition(_STEP)[0]


def _random() -> tuple[torch.Tensor, ...]:
    """Return the states of torch's own generators."""
    cuda: Any = torch.cuda  # whose is_initialized has no types
    return (torch.get_rng_state(), *(cuda.get_rng_state_all() if cuda.is_initialized() else ()))


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _prefix(state: TrainingState, place: int) -> str:
    return f"model[{place}]." if len(state.models) > 1 else ""


def _parameters(state: TrainingState) -> dict[str, torch.Tensor]:
    """Return parameters by name: of the models, and those that optimizers alone know."""
    found: dict[str, torch.Tensor] = {}
    known: set[int] = set()
    for name, one in (*_of_models(state), *_of_optimizers(state)):
        if id(one) not in known:
            known.add(id(one))
            found[name] = one
    return found


def _of_models(state: TrainingState) -> Iterator[tuple[str, torch.Tensor]]:
    for place, model in enumerate(state.models):
        for name, one in model.named_parameters():
            yield f"{_prefix(state, place)}{name}", one


def _of_optimizers(state: TrainingState) -> Iterator[tuple[str, torch.Tensor]]:
    for place, optimizer in enumerate(state.optimizers):
        own = [one for group in optimizer.param_groups for one in group["params"]]
        for index, one in enumerate(own):
            yield f"optimizer[{place}] parameter {index}", one


def _unscaled(gradient: torch.Tensor, scale: torch.Tensor | None) -> torch.Tensor:
    """Return a copy without the factor that a GradScaler hands to a fused optimizer."""
    return copied(gradient) if scale is None else gradient.detach() / scale


def loss_of(result: Any) -> float | None:
    """Return the loss that a step returned: a number, or what has one as ``loss``."""
    if isinstance(result, torch.Tensor):
        return float(result.detach()) if result.numel() == 1 else None
    if isinstance(result, (int, float)) and not isinstance(result, bool):
        return float(result) if abs(result) <= sys.float_info.max else math.inf
    inner = result.get("loss") if isinstance(result, Mapping) else getattr(result, "loss", None)
    return None if inner is None else loss_of(inner)


def is_finite(outcome: Outcome) -> bool:
    """Whether loss, gradients and parameters are numbers."""
    tensors = [one for kind in (GRADIENT, UPDATE) for one in outcome.kinds[kind].values()]
    has_loss = outcome.loss is None or math.isfinite(outcome.loss)
    return has_loss and all(bool(torch.isfinite(dense(one)).all()) for one in tensors)


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor that can be subtracted: sparse ones written out."""
    whole = tensor.detach()
    return whole.to_dense() if whole.layout is not torch.strided else whole
