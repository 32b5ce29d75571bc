"""Tables of measured crossovers: as data, as a file for each machine, and the one we ship.

A file is used only if it is this user's own, was made on this machine with these versions, and
has what a table has; else it is left aside, with a reason.
"""

from __future__ import annotations

import functools
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shimhub import _kept, paths
from shimhub.accel._fitting import Line, Point, line_of, time_at
from shimhub.accel._machine import validators
from shimhub.accel.model import DTYPES, KINDS, OPS

_FORM: Final = "shimhub.accel.table/"
#: 2: tensors stay in torch in a range, where 1 had a size from which on.
SCHEMA: Final = f"{_FORM}2"
#: Why there is no table where nothing is wrong.
NEW: Final = "not calibrated here"
SHIPPED: Final = Path(__file__).with_name("shipped.json")
#: A table is well under 100 kilobytes; anything larger is something else.
_MOST_BYTES: Final = 1024 * 1024
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Entry:
    """Of one operation, kind of input and dtype: where torch begins, and what was measured.

    torch computes what is more work than ``threshold``. Tensors stay in torch from ``threshold``
    on, that size with it, and up to ``until``, without that; of others that is infinite.
    ``points`` are of N x N. What works on tensors' rows has times of short ones, too: ``rows``,
    and ``short``, the same two sizes for those.
    """

    op: str
    kind: str
    dtype: str
    threshold: float
    points: tuple[Point, ...] = ()
    until: float = math.inf
    rows: tuple[Point, ...] = ()
    short: tuple[float, float] = (0.0, math.inf)

    @property
    def key(self) -> Key:
        """By what it is looked up."""
        return self.op, self.kind, self.dtype

    def line(self, backend: str) -> Line | None:
        """Return the cost of a backend: pure, or torch."""
        return line_of(self._times(backend)) if self.points else None

    def time_us(self, backend: str, work: float) -> float | None:
        """Return the microseconds of a call, None where nothing was measured."""
        line = self.line(backend)
        return None if line is None else time_at(self._times(backend), line, work)

    def _times(self, backend: str) -> list[tuple[float, float]]:
        return [(one.work, one.torch if backend == "torch" else one.pure) for one in self.points]


@dataclass(frozen=True)
class Table:
    """Crossovers by operation, kind and dtype, and the machine that they are true for."""

    machine: Mapping[str, Any]
    entries: Mapping[Key, Entry] = field(default_factory=dict)


def folder() -> str:
    """Return where calibrations are kept."""
    return _kept.folder("accel")


def path_of(machine: Mapping[str, Any]) -> str:
    """Return the file of a machine's calibration."""
    return _kept.path_of(folder(), machine)


def load(machine: Mapping[str, Any] | None = None) -> tuple[Table | None, str]:
    """Return the calibration of this machine, or None and why there is none."""
    if not os.path.isdir(folder()):
        return None, NEW
    machine = validators() if machine is None else machine
    data, why = _kept.read(path_of(machine), _MOST_BYTES, NEW)
    return (None, why) if why else _checked(data, machine)


def _checked(data: bytes, machine: Mapping[str, Any]) -> tuple[Table | None, str]:
    try:
        found = read(data)
    except ValueError as error:
        return None, f"its file {error}"
    if found.machine != machine:
        return None, "its file is another machine's"
    return found, ""


def store(table: Table) -> str:
    """Keep a calibration, whole or not at all. Return why it was not kept; empty where it was."""
    return _kept.write(path_of(table.machine), text_of(table))


def others() -> dict[str, Table]:
    """Return the calibrations that are kept, by their files; those that can be read."""
    found = {}
    for path in sorted(Path(folder()).glob("*.json")):
        try:
            if paths.is_ours(path.stat()):
                found[str(path)] = read(path.read_bytes())
        except (OSError, ValueError):
            continue  # what is no table is no calibration either
    return found


def remove() -> list[str]:
    """Remove all calibrations that are kept, of other versions too; return their files.

    What an interrupted one has left goes with them. Raises ``OSError`` for one that stays.
    """
    for scratch in Path(folder()).glob("*.json.*"):
        scratch.unlink(missing_ok=True)
    files = sorted(map(str, Path(folder()).glob("*.json")))
    for file in files:
        os.unlink(file)
    return files


@functools.cache
def shipped() -> Table:
    """Return the table that serves where there is no calibration; empty if it is missing."""
    try:
        return read(SHIPPED.read_bytes())
    except FileNotFoundError:
        return Table({})


def text_of(table: Table) -> str:
    """Return a table as JSON, a line for each entry."""
    lines = [json.dumps(_data_of(one), allow_nan=False) for one in table.entries.values()]
    machine = json.dumps(table.machine, sort_keys=True)
    rows = ",\n".join(f"  {line}" for line in lines)
    return f'{{"schema": "{SCHEMA}",\n "machine": {machine},\n "entries": [\n{rows}\n]}}\n'


def read(data: bytes) -> Table:
    """Return the table of a file's bytes. Raises ``ValueError`` with what is wrong with it."""
    try:
        found = json.loads(data) if len(data) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    found = found if isinstance(found, dict) else {}
    schema = found.get("schema")
    if schema != SCHEMA:
        is_known = isinstance(schema, str) and schema.startswith(_FORM)
        raise ValueError(f"is {schema}, which is not {SCHEMA}" if is_known else f"is not {SCHEMA}")
    machine, rows = found.get("machine"), found.get("entries")
    if not isinstance(machine, dict) or not isinstance(rows, list):
        raise ValueError("has no machine or no entries")
    entries = [_entry(row) for row in rows]
    return Table(machine, {one.key: one for one in entries})


def _entry(row: Any) -> Entry:
    if not isinstance(row, dict):
        raise ValueError("has an entry that is none")
    op, kind, dtype = (row.get(name) for name in ("op", "kind", "dtype"))
    if op not in OPS or kind not in KINDS or dtype not in DTYPES:
        raise ValueError(f"has an entry of {op!r}, {kind!r}, {dtype!r}")
    if "threshold" not in row:
        raise ValueError(f"has an entry of {op} without a threshold or points")
    low, high = _range(row.get("threshold"), row.get("until", "never"), op)
    points, rows = _points(row.get("points"), op), _points(row.get("rows", []), op)
    if kind != "tensor" and (rows or not math.isinf(high)):
        raise ValueError(f"has an entry of {op} with a range that cannot be")
    short = _range(*_pair(row.get("short", [0.0, "never"])), op)
    return Entry(op, kind, dtype, low, points, high, rows, short)


def _pair(told: Any) -> tuple[Any, Any]:
    low, high = told if isinstance(told, list) and len(told) == len(Entry.short) else (None, None)
    return low, high


def _range(low: Any, high: Any, op: str) -> tuple[float, float]:
    start, end = _size(low), _size(high)
    if start is None or end is None:
        raise ValueError(f"has an entry of {op} without a threshold or points")
    if start > end:
        raise ValueError(f"has an entry of {op} with a range that cannot be")
    return start, end


def _points(told: Any, op: str) -> tuple[Point, ...]:
    if not isinstance(told, list):
        raise ValueError(f"has an entry of {op} without a threshold or points")
    return tuple(_point(one, op) for one in told)


def _size(told: Any) -> float | None:
    """Return a size as it is told, None where it is none."""
    size = math.inf if told == "never" else told
    return float(size) if _is_size(size, least=0.0, infinite=True) else None


def _point(told: Any, op: str) -> Point:
    is_one = isinstance(told, list) and len(told) == len(Point._fields)
    if not is_one or not all(_is_size(one, least=1e-9) for one in told):
        raise ValueError(f"has a point of {op} that cannot be")
    return Point(*map(float, told))


def _is_size(value: Any, least: float, *, infinite: bool = False) -> bool:
    if type(value) not in {int, float}:
        return False
    most = math.inf if infinite and type(value) is float else sys.float_info.max
    return bool(least <= value <= most)


def _data_of(entry: Entry) -> dict[str, Any]:
    rows = {
        "short": [_told(one) for one in entry.short],
        "rows": [list(one) for one in entry.rows],
    }
    return {
        "op": entry.op,
        "kind": entry.kind,
        "dtype": entry.dtype,
        "threshold": _told(entry.threshold),
        **({"until": _told(entry.until)} if entry.kind == "tensor" else {}),
        "points": [list(one) for one in entry.points],
        **(rows if entry.rows else {}),
    }


def _told(size: float) -> float | str:
    return "never" if math.isinf(size) else size
