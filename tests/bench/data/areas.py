"""The areas, and how one is measured: in this process, row by row."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.bench.kernels.harness import Row, measure


@dataclass(frozen=True)
class Area:
    """A heading, and the module whose ``rows`` are measured under it."""

    title: str
    module: str


AREAS = {
    "batches": Area("Record batches", "batches"),
    "rows": Area("Row dicts", "row_dicts"),
    "tokens": Area("Token columns", "token_columns"),
}


def module_of(name: str) -> ModuleType:
    """Return the module of an area; importing it imports no rival."""
    return importlib.import_module(f"tests.bench.data.{AREAS[name].module}")


def measure_here(name: str, folder: Path, *, small: bool) -> dict[str, dict[str, Any]]:
    """Measure an area in this process; rows are dropped as they are done."""
    warnings.simplefilter("ignore")  # the rivals'; tests hold that ours gives none
    found: dict[str, dict[str, Any]] = {}
    waiting: list[Row] = module_of(name).rows(folder, small=small)
    while waiting:
        row = waiting.pop(0)
        found[row.id] = {
            "title": row.title,
            "amount": row.amount,
            "unit": row.unit,
            "calls": measure(row, rounds=2 if small else None),
        }
    return found
