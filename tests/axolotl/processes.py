"""What the tests of processes run: an axolotl collator in workers and in ranks.

Each process fails where the collator's method is not the pack's.

``python processes.py map fork``, ``map spawn``, ``loader fork``, ``loader spawn``, ``rank``.
"""

from __future__ import annotations

import os
import sys

ROWS = [{"input_ids": [1] * size, "labels": [2] * size} for size in (3, 5, 2, 7, 4, 1)]


def tokenizer():
    """Return a tokenizer of two words that pads with 0."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    model = Tokenizer(models.WordLevel({"[PAD]": 0, "a": 1}, unk_token="a"))
    return PreTrainedTokenizerFast(tokenizer_object=model, pad_token="[PAD]", unk_token="a")


class Collate:
    """axolotl's collator, in the process that calls it; the id of that process with its batch."""

    def __init__(self):
        self.tokenizer = tokenizer()

    def __call__(self, features):
        """Return the batch and the process."""
        from axolotl.utils.collators.batching import DataCollatorForSeq2Seq

        assert DataCollatorForSeq2Seq.__call__.__shimhub__.shim.startswith("axolotl/")
        batch = DataCollatorForSeq2Seq(self.tokenizer)([dict(row) for row in features])
        return {**batch, "process": os.getpid()}


def mapped(rows):
    """Collate a batch of rows of a data set, as a map function."""
    names = ("input_ids", "labels")
    features = [
        dict(zip(names, row, strict=True)) for row in zip(*map(rows.get, names), strict=True)
    ]
    found = Collate()(features)
    return {
        "width": [found["input_ids"].shape[1]] * len(features),
        "process": [found["process"]] * len(features),
    }


def of_map(method):
    """Map in two processes, started by ``method``."""
    import multiprocess
    from datasets import Dataset

    multiprocess.set_start_method(method, force=True)
    rows = Dataset.from_list(ROWS).map(mapped, batched=True, num_proc=2)
    assert [5, 5, 5, 7, 7, 7] == rows["width"][:]
    return set(rows["process"][:])


def of_loader(method):
    """Load batches in two workers, started by ``method``."""
    from torch.utils.data import DataLoader

    options = {"num_workers": 2, "collate_fn": Collate(), "multiprocessing_context": method}
    batches = list(DataLoader(ROWS, batch_size=3, **options))
    assert [(3, 5), (3, 7)] == [tuple(batch["input_ids"].shape) for batch in batches]
    return {batch["process"] for batch in batches}


def of_rank():
    """Collate in a rank, and say so to the other ranks over gloo."""
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=True)
    found = Collate()(ROWS[: 2 + state.process_index])
    total = torch.tensor([found["input_ids"].shape[1] + found["input_ids"].shape[0]])
    torch.distributed.all_reduce(total)
    assert "gloo" == torch.distributed.get_backend()
    assert [5 + 2 + 5 + 3] == total.tolist()
    return {os.getpid()}


def main():
    """Print which processes called the function; this one is none of them but as a rank."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    what, *how = sys.argv[1:]
    found = {"map": of_map, "loader": of_loader, "rank": of_rank}[what](*how)
    assert what == "rank" or os.getpid() not in found
    sys.stdout.write(f"processes {' '.join(map(str, sorted(found)))}\n")


if __name__ == "__main__":
    main()
