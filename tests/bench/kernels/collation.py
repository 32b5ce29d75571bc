"""A batch of token lists made into padded arrays: input_ids, attention_mask, labels."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.bench.kernels import data, rivals
from tests.bench.kernels.harness import Call, Row

FIELDS = ("input_ids", "attention_mask", "labels")
_FILLS = {"input_ids": 0, "attention_mask": 0, "labels": -100}

Features = list[dict[str, list[int]]]


def rows(*, small: bool) -> list[Row]:
    """Return the rows of this area: batches of 1, 8 and 64, and one field of 64."""
    return [*(_batch(size) for size in ((1, 3) if small else (1, 8, 64))), _one_field(64)]


def _features(size: int) -> Features:
    """Return features of ``size`` rows; in labels, the first third is masked."""
    found = []
    for ids in data.token_arrays(size):
        labels = ids.copy()
        labels[: len(ids) // 3] = -100
        lists = (ids.tolist(), [1] * len(ids), labels.tolist())
        found.append(dict(zip(FIELDS, lists, strict=True)))
    return found


def _batch(size: int) -> Row:
    features = functools.cache(lambda: _features(size))
    return Row(
        id=f"B={size}",
        title=f"3 fields, B={size}, lists of int to int64",
        calls={
            "shimhub": lambda: _ours(features()),
            "shimhub, Arrow in": lambda: _ours_arrow(features()),
            "axolotl DataCollatorForSeq2Seq": lambda: _axolotl(features()),
            "transformers DataCollatorForSeq2Seq": lambda: _transformers(features()),
            "transformers tokenizer.pad, 2 fields, to numpy": lambda: _pad(features()),
            "numpy fill loop": lambda: Call(_numpy_fill, (features(),), answer=_arrays),
            "pure Python, then numpy.array": lambda: Call(_python_arrays, (features(),)),
            "pure Python, lists out": lambda: Call(_python_lists, (features(),), answer=_arrays),
            "fast-axolotl pad_sequences, lists out": lambda: _fast_axolotl(features()),
        },
        rounds=25,
        amount=3 * sum(len(one["labels"]) for one in features()) / 1e6,
        unit="M values",
    )


def _ours(features: Features) -> Call:
    return Call(rivals.ours("collate"), (features,), answer=_arrays)


def _ours_arrow(features: Features) -> Call:
    pa, collate = rivals.load("pyarrow"), rivals.ours("collate")
    columns = {
        name: pa.array([one[name] for one in features], pa.list_(pa.int32())) for name in FIELDS
    }
    return Call(collate, (pa.table(columns),), answer=_arrays)


def _arrays(batch: Any) -> dict[str, np.ndarray]:
    """Return a batch of any kind as int64 arrays."""
    return {name: np.asarray(batch[name], dtype=np.int64) for name in FIELDS}


@functools.cache
def tokenizer() -> Any:
    """Return a tokenizer of transformers, made here; collators ask it for padding alone."""
    transformers = rivals.load("transformers")
    tokenizers = rivals.load("tokenizers")
    model = tokenizers.models.WordLevel({"<pad>": 0, "<unk>": 1}, unk_token="<unk>")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(model), pad_token="<pad>", unk_token="<unk>"
    )


def _copies(features: Features) -> tuple[Features]:
    """Return new dicts of the same lists: collators put padded labels into what they are given."""
    return ([dict(one) for one in features],)


def _axolotl(features: Features) -> Call:
    batching = rivals.axolotl("utils.collators.batching")
    run = batching.DataCollatorForSeq2Seq(tokenizer())
    return Call(run, fresh=functools.partial(_copies, features), answer=_arrays, note="torch out")


def _transformers(features: Features) -> Call:
    run = rivals.load("transformers").DataCollatorForSeq2Seq(tokenizer())
    return Call(run, fresh=functools.partial(_copies, features), answer=_arrays, note="torch out")


def _pad(features: Features) -> Call:
    names = FIELDS[:2]
    fewer = [{name: one[name] for name in names} for one in features]
    run = functools.partial(tokenizer().pad, return_tensors="np")
    return Call(
        run, fresh=functools.partial(_copies, fewer), answer=None, note="two of the three fields"
    )


def _numpy_fill(features: Features) -> dict[str, np.ndarray]:
    longest = max(len(one["input_ids"]) for one in features)
    batch = {}
    for name in FIELDS:
        filled = np.full((len(features), longest), _FILLS[name], np.int64)
        for row, one in zip(filled, features, strict=True):
            values = one[name]
            row[: len(values)] = values
        batch[name] = filled
    return batch


def _python_lists(features: Features) -> dict[str, list[list[int]]]:
    longest = max([len(one["input_ids"]) for one in features])
    batch = {}
    for name in FIELDS:
        fill = [_FILLS[name]]
        batch[name] = [one[name] + fill * (longest - len(one[name])) for one in features]
    return batch


def _python_arrays(features: Features) -> dict[str, np.ndarray]:
    return {name: np.array(one, np.int64) for name, one in _python_lists(features).items()}


def _fast_axolotl(features: Features) -> Call:
    pad = rivals.fast_axolotl().pad_sequences

    def run(features: Features) -> dict[str, list[list[int]]]:
        return {name: pad([one[name] for one in features], None, _FILLS[name]) for name in FIELDS}

    return Call(run, (features,), answer=_arrays)


def _one_field(size: int) -> Row:
    rows_ = functools.cache(lambda: [one.tolist() for one in data.token_arrays(size)])
    arrays = functools.cache(lambda: [np.asarray(one, np.int64) for one in rows_()])
    return Row(
        id="one field",
        title=f"One field, B={size}, to int64",
        calls={
            "shimhub pad, lists in": lambda: Call(rivals.ours("pad"), (rows_(),), answer=_one),
            "shimhub pad, arrays in": lambda: Call(rivals.ours("pad"), (arrays(),), answer=_one),
            "torch pad_sequence, tensors in": lambda: _torch(arrays()),
            "torch.tensor each, pad_sequence": lambda: _torch_each(rows_()),
        },
        rounds=25,
        amount=sum(map(len, rows_())) / 1e6,
        unit="M values",
    )


def _one(padded: Any) -> np.ndarray:
    return np.asarray(padded, dtype=np.int64)


def _pad_sequence() -> Callable[..., Any]:
    torch = rivals.load("torch")
    torch.set_num_threads(1)
    return functools.partial(torch.nn.utils.rnn.pad_sequence, batch_first=True)


def _torch(arrays: list[np.ndarray]) -> Call:
    run = _pad_sequence()
    tensors = [rivals.load("torch").from_numpy(one) for one in arrays]
    return Call(run, (tensors,), answer=_one)


def _torch_each(lists: list[list[int]]) -> Call:
    pad, tensor = _pad_sequence(), rivals.load("torch").tensor
    return Call(lambda: pad([tensor(one) for one in lists]), answer=_one)
