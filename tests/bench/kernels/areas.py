"""The areas, and how one is measured: in a process of its own."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tests.bench.kernels import machine
from tests.bench.kernels.harness import AnswersDiffer, Measured, Row, measure

#: Rounds of the calls that are timed once more with as many threads as they like.
_ROUNDS_THREADED = 3


@dataclass(frozen=True)
class Area:
    """A heading, and the module whose ``rows`` are measured under it."""

    title: str
    module: str


AREAS = {
    "dedup": Area("Exact deduplication", "dedup"),
    "hashing": Area("Hashes of rows", "hashing"),
    "minhash": Area("MinHash signatures", "minhash"),
    "collation": Area("Padding and collation", "collation"),
    "packing": Area("Packing", "packing"),
    "linalg": Area("Linear algebra for small sizes", "linalg"),
    "abi": Area("abi3 or one build for each Python", "abi"),
}


def module_of(name: str) -> ModuleType:
    """Return the module of an area; importing it imports no rival."""
    return importlib.import_module(f"tests.bench.kernels.{AREAS[name].module}")


def rows_of(name: str, *, small: bool) -> list[Row]:
    """Return the rows of an area, none of their calls built yet."""
    found: list[Row] = module_of(name).rows(small=small)
    return found


def measure_here(name: str, *, small: bool) -> dict[str, dict[str, Any]]:
    """Measure an area in this process; with threads let loose, only what uses them.

    Rows are dropped as they are done, and their data with them.
    """
    found: dict[str, dict[str, Any]] = {}
    waiting = rows_of(name, small=small)
    while waiting:
        row = waiting.pop(0)
        if machine.threads():
            calls = measure(row, rounds=2 if small else None)
        elif row.threaded:
            calls = measure(row, only=row.threaded, rounds=_ROUNDS_THREADED)
        else:
            continue
        found[row.id] = {
            "title": row.title,
            "amount": row.amount,
            "unit": row.unit,
            "calls": calls,
        }
    return found


def measure_apart(name: str, *, small: bool) -> dict[str, dict[str, Any]]:
    """Measure an area on one thread in a new process; then, in another, what uses more.

    Raises :class:`AnswersDiffer` with what the process said of it.
    """
    found = _process(name, small=small, one_thread=True)
    if any(row.threaded for row in rows_of(name, small=small)):
        for id_, row in _process(name, small=small, one_thread=False).items():
            _add_walls(found[id_]["calls"], row["calls"])
    return found


def _add_walls(calls: Measured, threaded: Measured) -> None:
    for call, told in threaded.items():
        if "wall" in told:
            calls[call]["wall, all threads"] = told["wall"]


def _process(name: str, *, small: bool, one_thread: bool) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-m", "tests.bench.kernels", "--measure", name]
    done = subprocess.run(
        [*command, "--small"] if small else command,
        env=machine.environment(one_thread=one_thread),
        stdout=subprocess.PIPE,
        text=True,
        check=False,  # its exit status is told below, with what it said on stderr before
    )
    if done.returncode:
        raise AnswersDiffer(f"{name}: measuring ended with {done.returncode}; see above")
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found
