"""``ScheduleDualPipeV``: can be imported, compared and subclassed; running it needs torch 2.9.

Origin: https://github.com/pytorch/pytorch/pull/159591 (new in torch 2.9).
"""

from __future__ import annotations

from typing import Any


def build(original: None, ctx: Any) -> type:
    """Return the class; it stands under ``PipelineScheduleMulti`` as the real one does."""
    torch = ctx.version("torch")

    class ScheduleDualPipeV(ctx.module.PipelineScheduleMulti):
        """Placeholder of the DualPipeV pipeline schedule; see ``ScheduleZBVZeroBubble``."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            raise NotImplementedError(
                "The pipeline schedule DualPipeV needs torch 2.9 or later, and this is torch "
                f"{torch}. Use another one, such as ZBVZeroBubble, which places its stages in a V "
                "too, or Interleaved1F1B; or install torch>=2.9."
            )

    return ScheduleDualPipeV
