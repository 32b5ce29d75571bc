"""Measure on this machine from which size on torch is faster, for each operation.

Both ways of a call are timed in turns, for inputs of 2 x 2 and larger, one operation, kind of
input and dtype after the other. It takes a minute of one core, and is never done unasked: only
:func:`calibrate` and ``shimhub accel calibrate`` do it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shimhub.accel import _workloads, crossovers, logs, stats, table, thresholds, torch_ffi
from shimhub.accel._fitting import TIE, TIE_OF_LISTS, Point, crossover_of, range_of
from shimhub.accel._machine import validators
from shimhub.accel._timing import pair_us
from shimhub.accel.errors import AccelError, TorchMissingError
from shimhub.accel.model import BY_ROWS, GROUPS, OPS
from shimhub.accel.table import Entry, Key, Table
from shimhub.errors import nearest

#: Inputs are so large: N x N.
SIZES: Final = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
#: Lists larger than that are rare, and take seconds.
_LARGEST_LIST: Final = 256
#: Sizes are told from 2 x 2 up to where a call takes this share of what an entry may take.
_SHARE_OF_CALL: Final = 1 / 14
#: So many elements, N x N, are timed in short rows, too.
_ROW_SIZES: Final = (4, 8, 16, 32, 64, 128, 256)
#: Whatever the budget, crossovers below this size are seen.
_LEAST_SIZE: Final = 64
_FORMS: Final = (
    ("ndarray", "float32"),
    ("ndarray", "float64"),
    ("tensor", "float32"),
    ("tensor", "float64"),
    ("list", "float64"),
)


class CalibrationError(AccelError, ValueError):
    """What cannot be: an operation that does not exist, a budget of nothing, a file that stays."""


@dataclass(frozen=True)
class Calibration:
    """What was measured: the table now in use, its file, and why that was not written, if so."""

    table: Table
    measured: tuple[Entry, ...]
    file: str
    not_kept: str
    seconds: float


def calibrate(
    ops: Iterable[str] | None = None,
    *,
    budget_s: float = 60.0,
    keep: bool = True,
    told: Callable[[Entry], object] | None = None,
) -> Calibration:
    """Measure, use what was measured, and keep it for later processes; return it.

    ``ops`` are operations or groups of them, all by default; what is not among them stays as it
    was. ``budget_s`` are the seconds of all; a short budget, or a busy machine, is not held to:
    each size up to 64 x 64 is timed five times. ``told`` is called with each entry. A crossover
    that was in use stays if it is within 15 % of the measured one. Calls are not counted and not
    told meanwhile, whoever makes them. Run it on a quiet machine, with as many threads as the
    program will have. Raises :class:`CalibrationError`, and :class:`TorchMissingError` where there
    is nothing to compare.
    """
    names = _names(ops)
    if not budget_s > 0:
        raise CalibrationError(f"budget_s is {budget_s}: name the seconds that it may take")
    if not torch_ffi.torch_available():
        raise TorchMissingError(f"torch: not installed, so nothing else computes; {torch_ffi.CURE}")
    start, machine = time.perf_counter(), validators()
    keys = [(name, *form) for name in names for form in _FORMS]
    measured = []
    with stats.hidden(), logs.silent():
        for key in keys:  # one that takes longer than its share takes nothing from the others
            entry = measure(key, budget_s / len(keys))
            measured.append(entry)
            if told is not None:
                told(entry)
    made = Table(machine, {**_before(machine), **{one.key: one for one in measured}})
    not_kept = table.store(made) if keep else ""
    crossovers.use(made)
    thresholds.changed()
    seconds = time.perf_counter() - start
    return Calibration(made, tuple(measured), table.path_of(machine), not_kept, seconds)


def forget() -> list[str]:
    """Remove all kept calibrations; return their files. The shipped table serves again.

    Raises :class:`CalibrationError` for a file that cannot be removed.
    """
    try:
        files = table.remove()
    except OSError as error:
        raise CalibrationError(f"{error.filename}: {error.strerror}") from error
    crossovers.use(None)
    thresholds.changed()
    return files


def measure(key: Key, budget_s: float) -> Entry:
    """Return the entry of an operation, kind and dtype, measured."""
    op, kind, dtype = key
    points: list[Point] = []
    rows: list[Point] = []
    end = time.perf_counter() + budget_s
    sizes = [one for one in SIZES if kind != "list" or one <= _LARGEST_LIST]
    for number, size in enumerate(sizes):
        arms = _workloads.arms(op, kind, dtype, _workloads.square(op, size))
        left = end - time.perf_counter()
        if size > _LEAST_SIZE and _seconds(arms) > left * _SHARE_OF_CALL:
            break
        share = max(left, 0.0) / (len(sizes) - number)
        is_both = op in BY_ROWS and kind == "tensor" and size in _ROW_SIZES
        points.append(_point(arms, share / 2 if is_both else share))
        if is_both:
            arms = _workloads.arms(op, kind, dtype, _workloads.short_rows(size))
            rows.append(_point(arms, share / 2))
    return _entry(key, points, rows)


def _entry(key: Key, points: Sequence[Point], rows: Sequence[Point]) -> Entry:
    """Return what follows from the times, and from what is in use."""
    before = _in_use(key)
    if key[1] == "tensor":
        low, high = range_of(points, None if before is None else (before.threshold, before.until))
        short = range_of(rows, None if before is None else before.short)
        return Entry(*key, low, tuple(points), high, tuple(rows), short)
    tie = TIE_OF_LISTS if key[1] == "list" else TIE
    size = crossover_of(points, None if before is None else before.threshold, tie)
    return Entry(*key, size, tuple(points))


def _point(arms: _workloads.Arms, budget_s: float) -> Point:
    """Return the times of both ways, in whole nanoseconds as files have them."""
    ours, theirs = pair_us(arms.pure.sample_ns, arms.torch.sample_ns, budget_s)
    return Point(arms.work, max(round(ours, 3), 0.001), max(round(theirs, 3), 0.001))


def _seconds(arms: _workloads.Arms) -> float:
    """Return how long a call takes in both ways."""
    return sum(arm.sample_ns(1) for arm in (arms.pure, arms.torch)) / 1e9


def _in_use(key: Key) -> Entry | None:
    """Return what was measured here before, and is in use."""
    found = crossovers.in_use().get(key)
    return found.entry if found is not None and found.source == "calibrated" else None


def _before(machine: dict[str, Any]) -> dict[Key, Entry]:
    """Return the entries of this machine's last calibration."""
    found, _ = table.load(machine)
    return {} if found is None else dict(found.entries)


def _names(ops: Iterable[str] | None) -> Sequence[str]:
    asked = OPS if ops is None else [ops] if isinstance(ops, str) else list(ops)
    known = {**GROUPS, **{op: (op,) for op in OPS}}
    for name in asked:
        if name not in known:
            hint = nearest(name, known)
            raise CalibrationError(f"ops: {name!r} is no operation and no group of them{hint}")
    found = dict.fromkeys(op for name in asked for op in known[name])
    if not found:
        raise CalibrationError(f"ops: names none; there are {', '.join(OPS)}")
    return tuple(found)
