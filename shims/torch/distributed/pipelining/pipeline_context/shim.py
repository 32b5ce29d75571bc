"""``_PipelineContext``: what a custom function of a pipeline schedule is told.

Origin: https://github.com/pytorch/pytorch/pull/162016
A plain record. torch's own schedules hand it out from 2.10 on; before, it serves annotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


def build(original: None, ctx: Any) -> type:
    """Return the record."""

    @dataclass
    class _PipelineContext:
        """Context passed to custom functions during pipeline execution."""

        schedule_ref: Any
        arg_mbs: list[tuple[Any, ...]] | None = None
        kwarg_mbs: list[dict[str, Any]] | None = None
        target_mbs: list[Any] | None = None
        losses: list[Any] | None = None

    return _PipelineContext
