"""What the proofs of axolotl's replacements call them with: small, made in memory."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

#: Of the logger that old versions of transformers use once for each tokenizer.
_ADVICE = "Asking-to-pad-a-fast-tokenizer"
WORDS = ("a", "b", "c", "of", "on", "the", "cat", "dog", "sat", "ran", ".", ",")


@functools.cache
def tokenizer(side: str = "right", names: tuple[str, ...] = ("input_ids", "attention_mask")) -> Any:
    """Return a fast tokenizer of words that pads with 1, as real ones are made; it logs nothing."""
    vocabulary = {"[UNK]": 0, "[PAD]": 1, "[BOS]": 2, "[EOS]": 3}
    vocabulary |= {word: number for number, word in enumerate(WORDS, len(vocabulary))}
    model = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    model.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "bos", "eos")}
    found = PreTrainedTokenizerFast(tokenizer_object=model, padding_side=side, **special)
    found.model_input_names = list(names)
    found.deprecation_warnings = {_ADVICE: True}
    return found


def feature(length: int, first: int = 5, without: tuple[str, ...] = ()) -> dict[str, list[int]]:
    """Return a row of a tokenized data set, with labels that begin with what is masked."""
    ids = [(first * 7 + at * 3) % 5000 for at in range(length)]
    row = {
        "input_ids": ids,
        "attention_mask": [1] * length,
        "position_ids": list(range(length)),
        "labels": [-100] * (length // 3) + ids[length // 3 :],
    }
    return {name: items for name, items in row.items() if name not in without}


def batch(*lengths: int, without: tuple[str, ...] = ()) -> list[dict[str, list[int]]]:
    """Return rows of these lengths."""
    return [feature(length, number, without) for number, length in enumerate(lengths, 5)]


def bins() -> Iterator[Any]:
    """Yield what collators of packed rows are given: one bin, several, rows that are arrays."""
    yield batch(4, 7)
    yield [batch(5)]
    yield [batch(5, 2, 3), batch(4, 4)]
    yield [batch(5, 2, without=("attention_mask",)), batch(4, without=("attention_mask",))]
    yield [[{name: np.array(row) for name, row in one.items()} for one in batch(3, 6)]]
    yield [[{**one, "length": 9} for one in batch(3, 6)], batch(8)]


def collated(kind: Any, features: Any, side: str = "right", **options: Any) -> Callable[..., Any]:
    """Return a case: what a collator of this kind makes of features, and what it leaves of them."""

    def case(function: Callable[..., Any]) -> Any:
        given = copy.deepcopy(features)
        return function(kind(tokenizer(side), **options), given), given

    return case
