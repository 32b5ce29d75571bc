"""Measure axolotl's functions in this process: original and replacement in turns, CPU time."""

from __future__ import annotations

import gc
import inspect
import statistics
import time
from collections.abc import Callable, Iterator
from importlib import metadata, util
from typing import Any

from tests.axolotl import support

Call = Callable[[], Any]
Calls = tuple[str, Call, Call]

#: Modules beside this one, in the order of the page; each yields calls of its area.
AREAS = ("collators", "multipack", "datasets")
#: A pair is sampled until it has taken so long, in seconds, but for a few rounds at least.
_SECONDS, _LEAST, _MOST = 8.0, 3, 15
#: What is quick runs several times for each sample.
_SAMPLE = 0.02


def measure(rows: int) -> dict[str, Any]:
    """Return for each call the samples' least and median, in seconds, of both sides."""
    support.require()
    _one_thread()
    for name in ("utils.collators.batching", "utils.samplers.multipack", "utils.trainer"):
        support.load(f"axolotl.{name}")
    with support.packed():
        found = [_row(*calls) for calls in _calls(rows)]
    names = ("torch", "transformers", "datasets", "numpy", "pyarrow")
    versions = {name: metadata.version(name) for name in names}
    return {"version": support.version(), "versions": versions, "calls": found}


def _one_thread() -> None:
    import pyarrow as pa
    import torch

    torch.set_num_threads(1)
    pa.set_cpu_count(1)


def _calls(rows: int) -> Iterator[Calls]:
    import importlib

    from tests.bench.axolotl import collators

    data, lengths = collators.dataset(rows), collators.lengths(rows)
    for area in AREAS:
        name = f"tests.bench.axolotl.{area}"
        if util.find_spec(name) is not None:
            yield from importlib.import_module(name).calls(data, lengths)


def _row(name: str, original: Call, replacement: Call) -> dict[str, Any]:
    samples: tuple[list[float], list[float]] = ([], [])
    repeats = [_repeats(one) for one in (original, replacement)]
    began = time.perf_counter()
    while len(samples[0]) < _LEAST or (
        len(samples[0]) < _MOST and time.perf_counter() - began < _SECONDS
    ):
        for kept, call, times in zip(samples, (original, replacement), repeats, strict=True):
            kept.append(_sample(call, times))
    told = [{"min": min(one), "median": statistics.median(one)} for one in samples]
    return {"name": name, "original": told[0], "replacement": told[1], "rounds": len(samples[0])}


def _repeats(call: Call) -> int:
    return max(1, min(10_000, int(_SAMPLE / max(_sample(call, 1), 1e-7))))


def _sample(call: Call, times: int) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        found = call()
        if inspect.isgenerator(found):
            for _ in found:
                pass
    return (time.process_time() - began) / times
