"""JSONL as dicts: many lines at once by orjson, where that is there and certain to be right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shimhub.data.formats._json_lines import DEPTH
from shimhub.kernels.lines import count_pairs, json_scan
from shimhub.kernels.rows import conform

if TYPE_CHECKING:
    from collections.abc import Callable

    from shimhub.data.formats._json_context import Context
    from shimhub.data.formats._pieces import Quick


def quick_rows(context: Context) -> Quick:
    """Return what reads many lines as dicts of the context's schema."""
    loads = _loads()

    def quick(data: bytes | memoryview, _count: int | None) -> tuple[int, Any] | None:
        if loads is None:
            return None
        scan = json_scan(data, DEPTH)
        if not scan.is_certain:
            return None
        rows = _parsed(bytes(data), scan.rows, loads)
        # A key that comes twice is one in a dict.
        if rows is None or _pairs(context, rows) != scan.pairs:
            return None
        return None if conform(rows, context.fields) is not None else (scan.rows, rows)

    return quick


def _loads() -> Callable[[bytes], Any] | None:
    try:
        import orjson
    except ImportError:
        return None
    found: Callable[[bytes], Any] = orjson.loads
    return found


def _parsed(data: bytes, count: int, loads: Callable[[bytes], Any]) -> list[Any] | None:
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if len(lines) != count:
        lines = [line for line in lines if line.strip(b" \t\r")]
    try:
        return list(map(loads, lines))
    except ValueError:  # orjson.JSONDecodeError
        return None


def _pairs(context: Context, rows: list[Any]) -> int:
    return sum(map(len, rows)) if context.is_flat else count_pairs(rows)


def rows_of(context: Context, rows: list[Any]) -> list[dict[str, Any]]:
    """Return the rows of a piece with the chosen columns alone."""
    names = context.columns
    return rows if names is None else [{name: row[name] for name in names} for row in rows]
