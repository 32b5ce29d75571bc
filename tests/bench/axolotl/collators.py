"""Calls of axolotl's collators, the originals beside what replaces them; the pack must be on.

Each call collates all of its batches, made anew from the same rows: collators change features.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

BATCHING = "axolotl.utils.collators.batching"
#: Tokens of a row: mean about 300, as in 100,000 rows of an instruction data set.
MEAN, SPREAD, LONGEST = 5.4, 0.75, 2048

#: What axolotl adds where it packs, and only there.
_PACKED = ["position_ids"]

Call = Callable[[], Any]
Calls = tuple[str, Call, Call]


def originals() -> ModuleType:
    """Execute axolotl's file under another name: its classes are what nobody has patched."""
    name = BATCHING + "_as_it_is"
    spec = importlib.util.spec_from_file_location(name, sys.modules[BATCHING].__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def lengths(count: int, seed: int = 0) -> Any:
    """Return the numbers of tokens of so many rows."""
    found = np.random.default_rng(seed).lognormal(MEAN, SPREAD, count).astype(np.int64)
    return found.clip(8, LONGEST)


def dataset(count: int, seed: int = 0) -> Any:
    """Return a tokenized data set, with position ids, as axolotl has it before it trains."""
    import datasets
    import pyarrow as pa

    sizes = lengths(count, seed)
    ends = np.concatenate([[0], sizes.cumsum()])
    ids = np.random.default_rng(seed + 1).integers(3, 32000, ends[-1])
    places = np.arange(ends[-1]) - np.repeat(ends[:-1], sizes)
    columns = {
        "input_ids": ids.astype(np.int32),
        "attention_mask": np.ones(len(ids), np.int8),
        "labels": np.where(places < np.repeat(sizes // 3, sizes), -100, ids),
        "position_ids": places,
    }
    arrays = {
        name: pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(values))
        for name, values in columns.items()
    }
    return datasets.Dataset(pa.table(arrays))


def tokenizer() -> Any:
    """Return a tokenizer that pads, as collators need it; no file or network is asked."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    model = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1}, unk_token="[UNK]"))
    found = PreTrainedTokenizerFast(tokenizer_object=model, pad_token="[PAD]", unk_token="[UNK]")
    found.model_input_names = ["input_ids", "attention_mask"]
    found.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True
    return found


def unpacked(data: Any, *, sizes: tuple[int, ...] = (8, 16, 32, 64)) -> Iterator[Calls]:
    """Yield calls of ``DataCollatorForSeq2Seq`` on four batches of each size."""
    data = data.remove_columns(_PACKED)
    for size in sizes:
        batches = [data[at : at + size] for at in range(0, 4 * size, size)]
        rows = [_rows(batch) for batch in batches]
        yield _calls(f"collator bs={size}", "DataCollatorForSeq2Seq", rows, {})


def packed(
    data: Any, *, shapes: tuple[tuple[int, int], ...] = ((1, 2048), (4, 4096), (1, 8192))
) -> Iterator[Calls]:
    """Yield calls of ``V2BatchSamplerDataCollatorForSeq2Seq`` on four batches of full bins."""
    rows = iter(_rows(data[:1000]))
    for bins, capacity in shapes:
        batches = [[_bin(rows, capacity) for _ in range(bins)] for _ in range(4)]
        name = f"packed V2 {bins}x{capacity}"
        options = {"pad_to_multiple_of": capacity}
        yield _calls(name, "V2BatchSamplerDataCollatorForSeq2Seq", batches, options)


def loaders(data: Any, *, batches: int = 8) -> Iterator[Calls]:
    """Yield passes over the first batches of a DataLoader, unpacked and packed."""
    from axolotl.monkeypatch.data.batch_dataset_fetcher import patch_fetchers

    patch_fetchers()  # as axolotl's trainer does: batches of bins
    yield _loader(
        "loader bs=32", data.remove_columns(_PACKED), _plain_batches(data, 32, batches), "", {}
    )
    for bins, capacity in ((1, 8192), (4, 4096)):
        sampler = _packed_batches(data, bins, capacity, batches)
        options = {"pad_to_multiple_of": capacity}
        yield _loader(f"loader packed {bins}x{capacity}", data, sampler, "V2BatchSampler", options)


def _rows(columns: Any) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _bin(rows: Iterator[dict[str, Any]], capacity: int) -> list[dict[str, Any]]:
    """Return the next rows that fit; what does not is left out."""
    found: list[dict[str, Any]] = []
    left = capacity
    for row in rows:
        left -= len(row["input_ids"])
        if left < 0:
            break
        found.append(row)
    return found


def _copied(feature: Any) -> Any:
    return [_copied(one) for one in feature] if isinstance(feature, list) else dict(feature)


def _calls(name: str, kind: str, batches: list[Any], options: dict[str, Any]) -> Calls:
    def call(module: ModuleType) -> Call:
        collator = getattr(module, kind)(tokenizer(), **options)
        return lambda: [collator(_copied(batch)) for batch in batches]

    return name, call(originals()), call(sys.modules[BATCHING])


def _loader(name: str, data: Any, sampler: Any, kind: str, options: dict[str, Any]) -> Calls:
    from torch.utils.data import DataLoader

    def call(module: ModuleType) -> Call:
        collator = getattr(module, kind + "DataCollatorForSeq2Seq")(tokenizer(), **options)
        loader = DataLoader(data, batch_sampler=sampler, collate_fn=collator)
        return lambda: list(loader)

    return name, call(originals()), call(sys.modules[BATCHING])


def _plain_batches(data: Any, size: int, count: int) -> list[list[int]]:
    return (
        np.random.default_rng(7).permutation(len(data))[: size * count].reshape(-1, size).tolist()
    )


def _packed_batches(data: Any, bins: int, capacity: int, count: int) -> list[Any]:
    """Return batches of bins of indices, filled in a drawn order."""
    order = iter(np.random.default_rng(8).permutation(len(data)).tolist())
    return [[_indices(data, order, capacity) for _ in range(bins)] for _ in range(count)]


def _indices(data: Any, order: Iterator[int], capacity: int) -> list[int]:
    found: list[int] = []
    offsets = data.data.table.column("input_ids").chunk(0).offsets
    left = capacity
    for at in order:
        left -= offsets[at + 1].as_py() - offsets[at].as_py()
        if left < 0:
            break
        found.append(at)
    return found


def calls(data: Any, _lengths: Any) -> Iterator[Calls]:
    """Yield all calls of this module."""
    yield from unpacked(data)
    yield from packed(data)
    yield from loaders(data)
