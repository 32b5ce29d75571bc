"""What both of axolotl's encoders of streamed text share: rows packed of a tokenizer's answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shimhub import Decline, Raised, kernels

#: What the kernel refuses, and the original raises something for, or makes other rows of.
_REFUSED = (TypeError, ValueError, OverflowError)
#: Tokens of a row that has one of the text: two are added to each text.
_LEAST = 3


class _Answered:
    """A tokenizer as the encoders see it, that was asked already."""

    def __init__(self, tokenizer: Any, answer: Any) -> None:
        self._tokenizer, self._answer = tokenizer, answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self._answer


def packer(original: Any) -> Callable[..., Any]:
    """Return what makes packed rows of texts; it declines where the original makes others.

    ``again`` calls the original with another tokenizer: one that has its answer.
    """
    names = original.__globals__

    def packed(texts: Any, tokenizer: Any, max_tokens: Any, has_labels: bool, again: Any) -> Any:
        pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
        _check_numbers(max_tokens, pad, eos)
        options = {"truncation": True, "max_length": max_tokens - 2, "add_special_tokens": True}
        found = Raised.by(tokenizer, texts, **options)
        try:
            rows = _rows(found, max_tokens, pad, eos)
        except Decline as error:
            raise Decline(error.reason, lambda: again(_Answered(tokenizer, found))) from error
        if not has_labels:
            rows["labels"] = [row.copy() for row in rows["input_ids"]]
        names["LOG"].debug(len(rows["input_ids"]))
        return rows

    return packed


def _check(ids: Any, masks: Any) -> None:
    """Decline sequences without tokens, which turn rows into floats, and masks that hide some."""
    if type(ids) is not list or type(masks) is not list or len(ids) != len(masks):
        raise Decline("no lists of sequences")
    for row, mask in zip(ids, masks, strict=True):
        if type(row) is not list or type(mask) is not list or not row or len(row) != len(mask):
            raise Decline("a sequence without tokens, or no list")
        if _as_bytes(mask) != b"\1" * len(mask):
            raise Decline("tokens that are masked")


def _as_bytes(mask: list[Any]) -> bytes:
    """Return a mask of small ints as bytes; 1.0 is none."""
    try:
        return bytes(mask)
    except (TypeError, ValueError) as error:
        raise Decline("a mask of other values") from error


def _check_numbers(max_tokens: Any, pad: Any, eos: Any) -> None:
    """Decline what is known before the tokenizer is asked."""
    if any(type(one) is not int for one in (max_tokens, pad, eos)):
        raise Decline("no whole numbers")
    if max_tokens < _LEAST:
        raise Decline("rows without room for a token")


def _rows(found: Any, max_tokens: int, pad: int, eos: int) -> dict[str, Any]:
    ids, masks = found["input_ids"], found["attention_mask"]
    _check(ids, masks)
    try:
        return kernels.pack_sequences(ids, max_tokens, pad, eos, lists=True)
    except _REFUSED as error:
        raise Decline("sequences that do not fit, or other tokens") from error


def samples(ctx: Any) -> Iterator[tuple[Any, list[str], int]]:
    """Yield tokenizers, texts and row lengths: full rows, none, a text too long, one without."""
    tokenizer = ctx.load("shims/axolotl/_cases.py").tokenizer()
    texts = ["the cat sat on the dog .", "a", "b ran", "of the cat", "a b c of on the cat dog"]
    yield from ((tokenizer, texts * 3, length) for length in (4, 6, 9, 10, 40))
    yield tokenizer, [], 8
    yield tokenizer, ["a b", ""], 8
    yield tokenizer, ["a b c"], 3
    yield tokenizer, ["a b"], 2
