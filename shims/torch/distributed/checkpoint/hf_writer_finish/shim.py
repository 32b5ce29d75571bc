"""``HuggingFaceStorageWriter.finish`` consolidates the shards, where that was asked for.

Origin: https://github.com/pytorch/pytorch/pull/156705 (new in torch 2.9).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def build(original: Callable[..., None], ctx: Any) -> Callable[..., None]:
    """Return the last step of saving, which the coordinating rank takes."""

    def finish(self: Any, metadata: Any, results: list[list[Any]]) -> None:
        # A writer from before the shim has neither.
        asked = getattr(self, "enable_consolidation", False)
        if not (asked and self.save_distributed):
            original(self, metadata, results)
            return
        from torch.distributed.checkpoint import _consolidate_hf_safetensors as module

        module.consolidate_safetensors_files(
            input_dir=str(self.path),
            output_dir=self.consolidated_output_path,
            fqn_to_index_mapping=self.fqn_to_index_mapping
            or dict.fromkeys(metadata.state_dict_metadata, 1),
            num_threads=self.thread_count_consolidation,
        )

    return finish
