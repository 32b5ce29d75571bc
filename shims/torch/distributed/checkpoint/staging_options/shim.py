"""``StagingOptions`` with the four fields that torch 2.9 gave it.

Origin: https://github.com/pytorch/pytorch/pull/156207 (new in torch 2.9).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class StagingOptions:
    """How a checkpoint is copied to the CPU; ``DefaultStager`` says what torch 2.8 can do of it."""

    use_pinned_memory: bool = True
    use_shared_memory: bool = True
    use_async_staging: bool = True
    use_non_blocking_copy: bool = True
