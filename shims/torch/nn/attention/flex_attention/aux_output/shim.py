"""``AuxOutput`` and ``AuxRequest`` of FlexAttention, with the fields that torch 2.9 gave them.

Origin: https://github.com/pytorch/pytorch/pull/161667 (new in torch 2.9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class AuxOutput(NamedTuple):
    """What FlexAttention returns beside its output; None for what was not requested."""

    lse: Tensor | None = None
    max_scores: Tensor | None = None


class AuxRequest(NamedTuple):
    """What FlexAttention is to return beside its output."""

    lse: bool = False
    max_scores: bool = False
