"""``PipelineSchedule*.step(return_outputs=False)`` returns None, as from torch 2.10 on.

Origin: https://github.com/pytorch/pytorch/pull/165822
Before, the word falls into the model's keywords and fails inside the model. Where the outputs are
not wanted torch 2.10 also does not keep them; here they live until the next step, as they always
did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: Callable[..., Any], ctx: Any) -> Callable[..., Any]:
    """Return the step with the word taken out."""

    def step(
        self: Any,
        *args: Any,
        target: Any = None,
        losses: list[Any] | None = None,
        return_outputs: bool = True,
        **kwargs: Any,
    ) -> Any:
        outputs = original(self, *args, target=target, losses=losses, **kwargs)
        return outputs if return_outputs else None

    return step
