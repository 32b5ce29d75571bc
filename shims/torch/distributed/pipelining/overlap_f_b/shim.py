"""``OVERLAP_F_B``: the kind of pipeline action that only DualPipeV schedules have.

Origin: https://github.com/pytorch/pytorch/pull/159591
The enumeration of torch 2.8 has no such member and none can be added, so it is the one member of
an enumeration of its own. No schedule of torch 2.8 makes or takes such an action.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

_VALUE = 11  # the next free number of torch 2.8's _ComputationType, and 2.9's own


class _OverlapType(Enum):
    """Stands beside ``_ComputationType`` and prints as its members do."""

    OVERLAP_F_B = _VALUE

    def __str__(self) -> str:
        return self.name


def build(original: None, ctx: Any) -> _OverlapType:
    """Return the member."""
    return _OverlapType.OVERLAP_F_B
