"""``init_process_group(_ranks=[])`` does what it does without the word, before torch 2.10.

Origin: https://github.com/pytorch/pytorch/pull/166182
From 2.10 on the ranks give the default group a name of its own, so that several default groups of
one job can be told apart. None and no ranks mean the usual name, the only one there is here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: Callable[..., None], ctx: Any) -> Callable[..., None]:
    """Return the function with the word accepted."""

    def init_process_group(
        backend: str | None = None,
        init_method: str | None = None,
        timeout: Any = None,
        world_size: int = -1,
        rank: int = -1,
        store: Any = None,
        group_name: str = "",
        pg_options: Any = None,
        device_id: Any = None,
        _ranks: list[int] | None = None,
    ) -> None:
        if _ranks:
            raise NotImplementedError(
                f"init_process_group(_ranks={_ranks}) needs torch >= 2.10 (this is torch "
                f"{ctx.version('torch')}): leave it out, or give an empty list"
            )
        original(
            *(backend, init_method, timeout, world_size, rank, store, group_name),
            *(pg_options, device_id),
        )

    return init_process_group
