"""``AsyncSaveResponse``, which ``async_save`` returns from torch 2.9 on when staging is not done.

Origin: https://github.com/pytorch/pytorch/pull/156207 (new in torch 2.9).
On torch 2.8 nothing makes one: TorchTitan imports it to annotate and to test what it got.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future


@dataclass
class AsyncSaveResponse:
    """The end of the local copy, and the end of the save."""

    staging_completion: Future[None]
    upload_completion: Future[None]
