"""Calls of axolotl's work on tokenized data sets, the originals beside what replaces them.

The pack must be on. Each function yields (name, the original's call, the replacement's call).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

UTILS = "axolotl.utils.data.utils"
TRAINER = "axolotl.utils.trainer"
#: The encoder of text for pretraining: the module, the function, and the order of its arguments.
ENCODERS = (
    ("axolotl.utils.data.streaming", "encode_streaming", True),
    ("axolotl.utils.data.pretraining", "encode_pretraining", False),
)
#: One row in so many is there twice.
REPEATS = 50

Call = Callable[[], Any]
Calls = tuple[str, Call, Call]


def calls(data: Any, _lengths: Any) -> Iterator[Calls]:
    """Yield all calls of this module."""
    yield from deduplicated(repeated(data))
    yield from filtered(chunked(data))
    yield from prepared(chunked(data))
    yield from encoded(data)


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


def chunked(data: Any) -> Any:
    """Return the data set in record batches of a thousand rows, as ``datasets`` writes them."""
    import datasets
    import pyarrow as pa

    # Through a stream: slices of one table would be pickled with all of it, once for each.
    sink = pa.BufferOutputStream()
    table = data.data.table
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=1000)
    table = pa.ipc.open_stream(sink.getvalue()).read_all()
    return datasets.Dataset(table, fingerprint="batches")


def repeated(data: Any) -> Any:
    """Return the data set with some of its rows a second time at its end."""
    import datasets

    table = data.data.table
    again = table.take(list(range(0, len(table), REPEATS)))
    both = datasets.table.concat_tables([data.data, datasets.table.InMemoryTable(again)])
    return datasets.Dataset(both.combine_chunks(), fingerprint="repeated")


def deduplicated(data: Any) -> Iterator[Calls]:
    """Yield exact deduplication of tokenized rows, a second time with the hashes of the first."""
    modern = hasattr(import_module(UTILS), "_deduplicate_dataset")
    name = "_deduplicate_dataset" if modern else "deduplicate_dataset"

    def call(module: ModuleType) -> Call:
        function = getattr(module, name)
        return lambda: function(data) if modern else function(data, {})

    yield "dedup", call(original(UTILS)), call(sys.modules[UTILS])


def filtered(data: Any, *, longest: int = 1024) -> Iterator[Calls]:
    """Yield what drops rows that are too long, or too short."""
    module = import_module(UTILS)
    modern = hasattr(module, "handle_long_seq_in_dataset")
    name = "handle_long_seq_in_dataset" if modern else "drop_long_seq_in_dataset"
    given = (data, longest, _config(longest)) if modern else (data, _config(longest))
    yield _pair("filter", UTILS, name, *given)


def prepared(data: Any, *, longest: int = 2048) -> Iterator[Calls]:
    """Yield the preparation for packing: position ids, and rows that train nothing left out."""
    plain = data.remove_columns(["position_ids"])
    given = (_config(longest), plain, None)
    name = "process_datasets_for_packing"
    yield _pair("position ids", TRAINER, name, *given)


class Encoded:
    """A tokenizer whose work is done already, as it would drown what is measured."""

    eos_token_id, pad_token_id, bos_token_id = 2, 0, 1

    def __init__(self, rows: list[list[int]]) -> None:
        self.rows = rows

    def __call__(self, texts: Any, max_length: int = 0, **_: Any) -> dict[str, Any]:
        """Return the rows, cut as a tokenizer cuts them."""
        ids = [row[:max_length] for row in self.rows]
        return {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids]}


def encoded(
    data: Any, *, rows: int = 2000, lengths: tuple[int, ...] = (512, 2048)
) -> Iterator[Calls]:
    """Yield the packing of texts, their tokenization excluded."""
    given = {"text": [""] * rows}
    tokenizer = Encoded(data[:rows]["input_ids"])
    module, name, is_first = next(one for one in ENCODERS if _has(*one[:2]))
    for length in lengths:
        order = (given, tokenizer, length) if is_first else (tokenizer, length, given)
        label = name if length == lengths[0] else f"{name} {length}"
        yield _pair(label, module, name, *order)


def _has(module: str, name: str) -> bool:
    try:
        return hasattr(import_module(module), name)
    except ModuleNotFoundError:
        return False


def _config(longest: int) -> Any:
    """Return a config without numbers of processes: ``datasets`` then maps in this process."""
    told = {"sequence_len": longest, "sample_packing": True, "min_sample_len": 2}
    told |= {"is_preprocess": True, "sequence_parallel_degree": 1}
    return import_module("axolotl.utils.dict").DictDefault(told)


def _pair(label: str, module: str, name: str, *given: Any) -> Calls:
    import_module(module)

    def call(found: ModuleType) -> Call:
        function = getattr(found, name)
        return lambda: function(*given)

    return label, call(original(module)), call(sys.modules[module])
