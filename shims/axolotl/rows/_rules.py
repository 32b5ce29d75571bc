"""What axolotl's functions for ``filter`` and ``map`` do, by their bodies: said of Arrow's columns.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/trainer.py
A function that has another body than these is called as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from shimhub import Decline
from shimhub.data import hf_lists, hf_steps
from shimhub.fingerprint import fingerprint

IGNORED = -100


def rules(original: Any, trainable: str = "") -> hf_steps.Rules:
    """Return what is known of the functions that ``original`` names.

    ``trainable`` is what its own ``drop_no_trainable_tokens`` keeps.
    """
    known = _known(original)

    def mask(function: Any, batched: bool) -> Any:
        code = getattr(function, "__code__", original)  # a partial has none; None is a constant
        if code in original.__code__.co_consts and trainable:
            return partial(_TRAINABLE[trainable], batched)
        told = function.keywords if isinstance(function, partial) else {}
        tell = _MASKS.get(known.get(_bare(function), ""))
        return tell and partial(tell, batched, **told)

    def columns(function: Any, batched: bool) -> Any:
        make = _COLUMNS.get(known.get(function, "")) if callable(function) else None
        return make and make(batched)

    return hf_steps.Rules(mask, columns)


def served(original: Any, known: hf_steps.Rules, *datasets: Any) -> tuple[Any, ...]:
    """Return datasets whose filters and maps are quick; declines where the first one is not."""
    made = tuple(one and hf_steps.quick(one, known) for one in datasets)
    if made[0] is datasets[0]:
        raise Decline("no plain dataset")
    return made


def _bare(function: Any) -> Any:
    if isinstance(function, partial):
        return None if function.args else function.func
    return function


def _known(original: Any) -> dict[Any, str]:
    names = ("drop_long_seq", "filter_sequences_by_length", "keep_min_len", "add_position_ids")
    found = (original.__globals__.get(name) for name in (*names, "add_length"))
    return {one: fingerprint(one) for one in found if one is not None}


def _lengths(table: Any, name: str = "input_ids") -> Any:
    return hf_lists.lengths(table.column(name)) if name in table.column_names else None


def _is_number(*values: Any) -> bool:
    return all(type(one) is int for one in values)


def _within_plain(batched: bool, table: Any, sequence_len: Any = 2048, min_sequence_len: Any = 2):
    lengths = None if batched else _lengths(table)
    if lengths is None or not _is_number(sequence_len, min_sequence_len):
        return None
    return (lengths >= min_sequence_len) & (lengths <= sequence_len)


def _within(
    batched: bool,
    table: Any,
    sequence_len: Any = 2048,
    min_sequence_len: Any = 2,
    raise_on_drop: Any = False,
):
    least, lengths = min_sequence_len or 2, _lengths(table)
    if lengths is None or not _is_number(sequence_len, least):
        return None
    if raise_on_drop and (lengths > sequence_len).any():
        return None
    kept = (lengths >= least) & (lengths <= sequence_len)
    return kept if batched else kept & (lengths > 0)


def _long_enough(batched: bool, table: Any, min_sequence_len: Any = 2):
    least, lengths = min_sequence_len or 2, _lengths(table)
    if not batched or lengths is None or not _is_number(least):
        return None
    return lengths >= least


def _with_labels(batched: bool, table: Any):
    """Before 0.7: rows with a label, whether they are in a batch or not."""
    return None if batched else hf_lists.has_other(table.column("labels"), IGNORED)


def _all(batched: bool, table: Any):
    """From 0.7 to 0.18 a list was compared with a number, which is true of each."""
    known = _lengths(table, "labels") is not None
    return np.ones(table.num_rows, bool) if known else None


def _with_labels_or_empty(batched: bool, table: Any):
    """From 0.19 on; a row without labels stays where it is not in a batch."""
    found = hf_lists.has_other(table.column("labels"), IGNORED)
    if found is None or batched:
        return found
    return found | (hf_lists.lengths(table.column("labels")) == 0)


def _positions(batched: bool) -> hf_steps.Added:
    return hf_steps.Added(("position_ids", "length"), partial(_can_add, batched), _numbered)


def _length(batched: bool) -> Any:
    return None if batched else hf_steps.Added(("length",), partial(_can_add, False), _measured)


def _can_add(batched: bool, table: Any, places: Any) -> bool:
    """Whether all rows are lists; an empty one alone is left as it is, and told no type by."""
    lengths = _lengths(table)
    if lengths is None:
        return False
    lengths = lengths if places is None else lengths[places]
    return bool(lengths[:1000].any() if batched else lengths.all())


def _numbered(table: Any) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    return hf_lists.positions(table.column("input_ids")), *_measured(table)


def _measured(table: Any) -> tuple[pa.ChunkedArray, ...]:
    return (pa.chunked_array([pa.array(_lengths(table))]),)


_MASKS: dict[str, Callable[..., Any]] = {
    "sha256:8186cf1418e4fe54": _within_plain,  # drop_long_seq 0.5.2, 0.6.0
    "sha256:5be756731e04aa42": _within,  # 0.8.0 to 0.12.2
    "sha256:089cfdfbe77f17e0": _within,  # 0.13.2, 0.14.0
    "sha256:b7932e8cfd8afea0": _within,  # filter_sequences_by_length 0.15.0 to 0.19.0
    "sha256:cae4015ffac99dd7": _long_enough,  # keep_min_len 0.15.0 to 0.19.0
}
_COLUMNS: dict[str, Callable[[bool], Any]] = {
    "sha256:13b82afdd5c5e384": lambda batched: None if batched else _positions(False),  # 0.5.2
    "sha256:b63cd116e76d6f7c": _positions,  # add_position_ids 0.8.0 to 0.19.0
    "sha256:ae08bdce7784ac5a": _length,  # add_length 0.5.2 to 0.19.0
}
_TRAINABLE: dict[str, Callable[..., Any]] = {
    "with labels": _with_labels,
    "all": _all,
    "with labels or empty": _with_labels_or_empty,
}
