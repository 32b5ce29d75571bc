"""``torch._shimhub_speed()``: what was tried on the steps of this script, and what was kept.

Origin: https://github.com/pytorch/pytorch/pull/89176 (hooks of every optimizer's step)
The work is in shimhub.speed.vivo; this row begins it when torch has been imported, and ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from shimhub.hub import current
from shimhub.speed import vivo


def build(original: None, ctx: Any) -> Callable[[], list[str]]:
    """Begin, and return a function that tells what came of it so far."""
    hub = current()
    session = vivo.begin(hub.config.speed, partial(hub.tell_event, ctx.shim))
    ctx.on_revert(session.close)

    def _shimhub_speed() -> list[str]:
        return list(session.lines)

    return _shimhub_speed
