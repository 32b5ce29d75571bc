"""Packing of token sequences, one behind the other, into rows of one length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.kernels import _loading
from shimhub.kernels._reference import packing_tokens as reference
from shimhub.kernels._reference.packing import integer

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = ("input_ids", "labels", "attention_mask")


def pack_sequences(
    sequences: Sequence[Sequence[int]],
    max_length: int,
    pad_token_id: int,
    eos_token_id: int,
    label_pad_id: int = -100,
    *,
    lists: bool = False,
) -> dict[str, Any]:
    """Concatenate sequences, each closed by eos and pad, into rows of ``max_length`` tokens.

    Returns ``input_ids``, ``labels`` and ``attention_mask``: int64 arrays of shape (rows,
    max_length), or with ``lists`` lists of lists, whose ints are those of ``sequences``. A
    sequence that does not fit what is left of a row begins a new one, and the rest is filled with
    ``pad_token_id``, ``label_pad_id`` and 0. Labels are the tokens, eos is one, and its pad is
    ``label_pad_id`` and 0. ``sequences`` are lists or tuples of ints (``True`` counts as 1), or
    anything with ``tolist()``, such as arrays. O(rows * max_length).

    These are the rows of axolotl's ``encode_streaming`` after its tokenizer and of
    ``fast_axolotl.pack_sequences``, which panics where this raises ``ValueError``: for a sequence
    that is longer than ``max_length`` - 2 (with its place), or ``max_length`` below 1. Raises
    ``TypeError`` for what is no integer and ``OverflowError`` for what does not fit int64, with
    the place.
    """
    _check_sequences(sequences=sequences)
    eos = integer(eos_token_id, "eos_token_id")
    options = _options(max_length, pad_token_id, label_pad_id, eos)
    return _rows((sequences, None, None), options, lists)


def concatenate_and_pack(
    input_ids: Sequence[Sequence[int]],
    labels: Sequence[Sequence[int]],
    attention_masks: Sequence[Sequence[int]],
    max_length: int,
    pad_token_id: int,
    label_pad_id: int = -100,
    *,
    lists: bool = False,
) -> dict[str, Any]:
    """Concatenate sequences with labels and masks of their own; nothing is put between them.

    As :func:`pack_sequences` otherwise; a sequence may have ``max_length`` tokens. Raises
    ``ValueError`` too if the three are not of the same lengths, with the place.
    """
    _check_sequences(input_ids=input_ids, labels=labels, attention_masks=attention_masks)
    options = _options(max_length, pad_token_id, label_pad_id, None)
    return _rows((input_ids, labels, attention_masks), options, lists)


def _check_sequences(**sources: Any) -> None:
    for name, source in sources.items():
        if not hasattr(source, "__iter__"):
            raise TypeError(f"{name}: expected a list of sequences, got {type(source).__name__}")


def _options(
    max_length: int, pad_token_id: int, label_pad_id: int, eos: int | None
) -> reference.Options:
    options = reference.Options(
        integer(max_length, "max_length"),
        integer(pad_token_id, "pad_token_id"),
        integer(label_pad_id, "label_pad_id"),
        eos,
    )
    if options.max_length < 1:
        raise ValueError(f"max_length: {options.max_length} is less than 1")
    return options


def _rows(sources: tuple[Any, Any, Any], options: reference.Options, lists: bool) -> dict[str, Any]:
    native = _loading.native()
    if native is None:
        try:
            found = reference.pack_rows(sources, options)
        except MemoryError as error:
            raise MemoryError("max_length: no memory for rows of so many tokens") from error
        return dict(zip(_NAMES, found if lists else map(_array(options), found), strict=True))
    made = native.pack_rows(*sources, *options, lists)
    if lists:
        return dict(zip(_NAMES, made, strict=True))
    shape = (-1, options.max_length)
    arrays = (np.frombuffer(one, np.int64).reshape(shape) for one in made)
    return dict(zip(_NAMES, arrays, strict=True))


def _array(options: reference.Options) -> Any:
    return lambda rows: np.array(rows, np.int64).reshape(len(rows), options.max_length)
