"""Sizes from which torch was measured to be faster: this machine's, or those that we ship.

The file of this machine's calibration is read once, when a size is asked for the first time.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from shimhub.accel import table
from shimhub.accel.table import Entry, Key, Table


class _Found(NamedTuple):
    source: str
    entry: Entry


_ours: dict[Key, _Found] | None = None
#: Why there is no calibration in use; empty where there is.
_why_not = ""
#: Of what nothing was measured: tensors stay where they are, and so does all else.
_DEFAULTS: Final = {"tensor": 0.0}


def crossover(op: str, kind: str, dtype: str) -> float:
    """Return the size above which torch computes, in the unit of thresholds; of tensors from which.

    ``math.inf`` is never, 0 always. O(1) but for the first call, which reads a file.
    """
    found = in_use().get((op, kind, dtype))
    return _DEFAULTS.get(kind, math.inf) if found is None else found.entry.threshold


def tensor_range(op: str, dtype: str, short: bool = False) -> tuple[float, float]:
    """Return the works from which on, and up to which, tensors stay in torch.

    ``short`` tells that their rows are so. ``(0, math.inf)`` is always, ``(math.inf, math.inf)``
    never.
    """
    found = in_use().get((op, "tensor", dtype))
    if found is None:
        return 0.0, math.inf
    entry = found.entry
    return entry.short if short and entry.rows else (entry.threshold, entry.until)


def source(op: str, kind: str, dtype: str) -> str:
    """Return who measured that: "calibrated" on this machine, "shipped", or "default" for none."""
    found = in_use().get((op, kind, dtype))
    return "default" if found is None else found.source


def predicted_us(op: str, kind: str, dtype: str, backend: str, work: float) -> float | None:
    """Return the microseconds that the measurements tell for a call, None without any."""
    found = in_use().get((op, kind, dtype))
    return None if found is None else found.entry.time_us(backend, work)


def in_use() -> dict[Key, _Found]:
    """Return all entries, each with who measured it."""
    if _ours is None:
        use(*table.load())
    assert _ours is not None
    return _ours


def why_not_calibrated() -> str:
    """Return why no calibration of this machine is in use; empty where one is."""
    in_use()
    return _why_not


def use(calibrated: Table | None, why_not: str = table.NEW) -> None:
    """Use a calibration, or None: the table that we ship, and why there is no calibration."""
    global _ours, _why_not
    _why_not = why_not if calibrated is None else ""
    found = {key: _Found("shipped", one) for key, one in table.shipped().entries.items()}
    if calibrated is not None:
        found |= {key: _Found("calibrated", one) for key, one in calibrated.entries.items()}
    _ours = found


def forget() -> None:
    """Read the files again when a size is asked next."""
    global _ours
    _ours = None
