"""The state of a training step, saved and brought back in place: to the bit, and by identity.

Saved are models with their buffers, gradients and plain attributes, optimizers, schedulers and
gradient scalers with all they keep, generators of random numbers, and the step's own variables:
what its closure, its globals and its object reach. Iterators move on and cannot be brought back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shimhub.speed._generators import process_settings
from shimhub.speed._saved import SavedTensor
from shimhub.speed._walking import Walker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import torch


class TrainingState:
    """All that was found, as it was when ``capture`` was called."""

    def __init__(self, walker: Walker) -> None:
        self.models = tuple(walker.models)
        self.optimizers = tuple(walker.optimizers)
        self.scalers = tuple(walker.scalers)
        #: Names of what moves on with each call of the step.
        self.iterators = tuple(walker.iterators)
        #: The step's own functions.
        self.codes = tuple(walker.codes)
        self._saved = (*walker.saved, *process_settings())
        self._copies = {
            id(one.tensor): one.copy for one in self._saved if isinstance(one, SavedTensor)
        }

    @classmethod
    def capture(
        cls,
        step: Callable[[], Any] | None = None,
        *,
        models: Iterable[torch.nn.Module] = (),
        optimizers: Iterable[torch.optim.Optimizer] = (),
        also: Iterable[Any] = (),
    ) -> TrainingState:
        """Save the state of what is given, and of what the step reaches by itself.

        Raises MeasureError where a parameter has no shape yet.
        """
        walker = Walker()
        for name, things in (("model", models), ("optimizer", optimizers), ("state", also)):
            given = list(things)
            for place, thing in enumerate(given):
                where = name if len(given) == 1 else f"{name}[{place}]"
                walker.visit_given(thing, where)
        if step is not None:
            walker.visit_step(step)
        walker.finish()
        return cls(walker)

    def restore(self) -> None:
        """Bring everything back, in place; a Ctrl-C in between is raised when it is done."""
        try:
            self._restore()
        except KeyboardInterrupt:
            self._restore()
            raise

    def _restore(self) -> None:
        for one in self._saved:
            one.restore()

    def before(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return what a tensor held, of those that were saved. Raises KeyError for others."""
        return self._copies[id(tensor)]

    def differences(self) -> list[str]:
        """Return the names of what is not what it was, to the bit."""
        return [one.where for one in self._saved if one.differs()]
