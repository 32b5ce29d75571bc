"""``torch._C._dynamo.eval_frame._set_lru_cache``: accepted, and nothing changes before torch 2.10.

Origin: https://github.com/pytorch/pytorch/pull/167038 (the switch, a cure for the issue below).
Dynamo puts the compiled code that it used last first. Turning that off keeps the order of
compilation, which selective checkpointing of FlexAttention under pipeline parallelism wants
(https://github.com/pytorch/pytorch/issues/166926). Here the order always is that of last use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: None, ctx: Any) -> Callable[[bool], None]:
    """Return the function; without an argument it fails as the C function does."""

    def _set_lru_cache(enabled: bool, /) -> None:
        """Accept the wish; the cache keeps its order of last use."""

    return _set_lru_cache
