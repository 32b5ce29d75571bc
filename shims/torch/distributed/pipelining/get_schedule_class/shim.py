"""``get_schedule_class("DualPipeV")`` finds the class, in any case of letters, as torch 2.9 does.

Origin: https://github.com/pytorch/pytorch/pull/159591 (new in torch 2.9).
Without it the name ends in "Unknown schedule name", before the class can say what it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: Callable[[str], type], ctx: Any) -> Callable[[str], type]:
    """Return the look-up, which knows one name more."""
    dual_pipe_v = ctx.module.ScheduleDualPipeV

    def get_schedule_class(schedule_name: str) -> Any:
        if schedule_name.lower() == "dualpipev":
            return dual_pipe_v
        return original(schedule_name)

    get_schedule_class.__doc__ = original.__doc__
    return get_schedule_class
