"""``HuggingFaceStorageWriter`` takes the keywords that it has in torch 2.9.

Origin: https://github.com/pytorch/pytorch/pull/156705 (new in torch 2.9).
torch 2.8 calls `save_distributed` `save_sharded`, and knows nothing of consolidation; the names
that it has stay in their places. With consolidation, shards go into the folder `sharded`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: Callable[..., None], ctx: Any) -> Callable[..., None]:
    """Return the initializer of both releases' keywords."""

    def __init__(
        self: Any,
        path: str,
        fqn_to_index_mapping: dict[str, int] | None = None,
        token: str | None = None,
        save_sharded: bool = False,
        *,
        thread_count: int = 1,
        save_distributed: bool = False,
        enable_consolidation: bool = False,
        thread_count_consolidation: int = 1,
    ) -> None:
        _check(path, token, enable_consolidation, ctx.version("torch"))
        is_sharded = save_sharded or save_distributed
        original(self, path, fqn_to_index_mapping, token, is_sharded)
        self.thread_count = thread_count
        self.fqn_to_index_mapping = fqn_to_index_mapping
        self.save_distributed = is_sharded
        self.enable_consolidation = enable_consolidation
        self.thread_count_consolidation = thread_count_consolidation
        self.consolidated_output_path = str(path) if enable_consolidation else None
        if enable_consolidation:
            self.path = self.fs.concat_path(self.path, "sharded")

    return __init__


def _check(path: str, token: Any, enable_consolidation: bool, torch: str) -> None:
    if token is not None and not isinstance(token, str):
        raise TypeError(
            f"the third argument of HuggingFaceStorageWriter is `token` in torch {torch}, "
            f"not {token!r}: pass thread_count by name"
        )
    if enable_consolidation and "://" in str(path):
        raise ValueError(
            f"enable_consolidation=True needs a local folder, not {path}: save there without it, "
            "or save locally and upload"
        )
