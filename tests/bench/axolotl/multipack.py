"""Calls of axolotl's packing, lengths and counts, the originals beside their replacements.

The pack must be on. Each function yields (name, the original's call, the replacement's call).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

MULTIPACK = "axolotl.utils.samplers.multipack"
LENGTHS = "axolotl.utils.samplers.utils"
TRAINER = "axolotl.utils.trainer"
#: Rows of a record batch, as ``datasets`` writes them.
ROWS = 1000

Call = Callable[[], Any]
Calls = tuple[str, Call, Call]


def original(name: str) -> ModuleType:
    """Execute a file of axolotl's under another name: its functions are what nobody patched."""
    copy = name + "_as_it_is"
    spec = importlib.util.spec_from_file_location(copy, sys.modules[name].__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[copy] = module
    spec.loader.exec_module(module)
    return module


def chunked(dataset: Any) -> Any:
    """Return a data set in record batches, with the columns that ``get_dataset_lengths`` reads."""
    import datasets
    import pyarrow as pa

    table = dataset.data.table
    lengths = np.diff(table.column("input_ids").chunk(0).offsets.to_numpy())
    table = table.append_column("length", pa.array(lengths))
    parts = [table.slice(start, ROWS) for start in range(0, len(table), ROWS)]
    # With a fingerprint: to make one, the whole table would be pickled once for each slice of it.
    return datasets.Dataset(pa.concat_tables(parts), fingerprint="chunked")


def parallel(
    lengths: Any, *, capacities: tuple[int, ...] = (2048, 4096, 8192, 16384)
) -> Iterator[Calls]:
    """Yield calls of ``pack_parallel``, in one process; from axolotl 0.9.2 on."""
    given = np.asarray(lengths, np.int32)
    pair = original(MULTIPACK), sys.modules[MULTIPACK]
    for capacity in capacities:
        options = {"bin_capacity": capacity, "group_size": 100_000, "bin_size": 200}
        options |= {"num_processes": 1}
        yield _pair(f"pack_parallel {capacity}", "pack_parallel", pair, given, **options)


def in_order(lengths: Any, *, capacity: int = 2048) -> Iterator[Calls]:
    """Yield a call of ``allocate_sequentially``; from axolotl 0.8 on."""
    pair = original(MULTIPACK), sys.modules[MULTIPACK]
    given = np.asarray(lengths, np.int32), 0, capacity, 1
    yield _pair(f"allocate_sequentially {capacity}", "allocate_sequentially", pair, *given)


def allocated(lengths: Any, *, capacities: tuple[int, ...] = (2048, 16384)) -> Iterator[Calls]:
    """Yield calls of ``allocate`` as its sampler makes them; up to axolotl 0.8."""
    given = np.asarray(lengths, np.int64)
    pair, sums = (original(MULTIPACK), sys.modules[MULTIPACK]), np.cumsum(given)
    for capacity in capacities:
        yield _pair(f"allocate {capacity}", "allocate", pair, given, sums, 0, capacity, 1)


def sampler_lengths(lengths: Any, *, capacity: int = 2048) -> Iterator[Calls]:
    """Yield ``len()`` of a new sampler that shuffles."""
    from torch.utils.data import RandomSampler

    def call(module: ModuleType) -> Call:
        options = {"batch_size": 1, "batch_max_len": capacity, "bin_size": 200, "drop_last": True}

        def run() -> int:
            order = RandomSampler(range(len(lengths)))
            return len(module.MultipackBatchSampler(order, lengths=lengths, **options))

        return run

    yield f"len(sampler) {capacity}", call(original(MULTIPACK)), call(sys.modules[MULTIPACK])


def dataset_lengths(dataset: Any) -> Iterator[Calls]:
    """Yield calls of ``get_dataset_lengths`` for each column it can read; ``dataset`` is chunked.

    Rows in their order, and half of them by an index, as a split has them.
    """
    pair = original(LENGTHS), sys.modules[LENGTHS]
    order = np.random.default_rng(5).permutation(len(dataset))[: len(dataset) // 2]
    for told, data in (("", dataset), (", selected", dataset.select(order))):
        for column in ("length", "position_ids", "input_ids"):
            given = data.select_columns([column])
            yield _pair(f"lengths by {column}{told}", "get_dataset_lengths", pair, given)
    given, options = dataset.select_columns(["input_ids"]), {"from_arrow": True}
    yield _pair("lengths from Arrow", "get_dataset_lengths", pair, given, **options)


def steps(dataset: Any) -> Iterator[Calls]:
    """Yield calls of ``calculate_total_num_steps`` without packing; up to axolotl 0.17."""
    from axolotl.utils.dict import DictDefault

    ones = ("sequence_parallel_degree", "context_parallel_size", "tensor_parallel_size")
    given = {"num_epochs": 1, "batch_size": 8, **dict.fromkeys(ones, 1)}

    def call(module: ModuleType) -> Call:
        return lambda: module.calculate_total_num_steps(DictDefault(given), dataset)

    yield "calculate_total_num_steps", call(original(TRAINER)), call(sys.modules[TRAINER])


def _pair(
    name: str, function: str, modules: tuple[ModuleType, ModuleType], *args: Any, **options: Any
) -> Calls:
    def call(module: ModuleType) -> Call:
        found = getattr(module, function)
        return lambda: found(*args, **options)

    return name, call(modules[0]), call(modules[1])


def calls(data: Any, lengths: Any) -> Iterator[Calls]:
    """Yield all calls of this module that the installed axolotl has."""
    module = sys.modules[MULTIPACK]
    if hasattr(module, "pack_parallel"):
        yield from parallel(lengths)
    if hasattr(module, "allocate_sequentially"):
        yield from in_order(lengths)
    if hasattr(module, "allocate"):
        yield from allocated(lengths)
    yield from sampler_lengths(lengths)
    yield from dataset_lengths(chunked(data))
    yield from steps(data)
