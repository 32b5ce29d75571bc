"""Applying a configuration under the names of torch_speedkit; ``shimhub.speed`` does the work."""

from __future__ import annotations

from contextlib import AbstractContextManager

from shimhub.speed import SpeedContext, apply_speedups

__all__ = ["SpeedContext", "apply_speedups", "autocast_context", "sdp_context"]


def autocast_context(ctx: SpeedContext) -> AbstractContextManager[None]:
    """Return the context of a forward pass, as ``ctx.autocast()``."""
    return ctx.autocast()


def sdp_context(ctx: SpeedContext) -> AbstractContextManager[None]:
    """Return the context in which attention has the backends of the configuration alone."""
    return ctx.sdp()
