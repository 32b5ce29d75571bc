"""Packing of token sequences, in plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shimhub.kernels._reference.packing import integer

if TYPE_CHECKING:
    from collections.abc import Sequence

    Rows = list[list[int]]


class Options(NamedTuple):
    """What :func:`shimhub.kernels.pack_sequences` is told; without eos, nothing is put between."""

    max_length: int
    pad: int
    label_pad: int
    eos: int | None


def pack_rows(sources: tuple[Any, Any, Any], options: Options) -> tuple[Rows, Rows, Rows]:
    """Return rows of tokens, labels and masks; see :func:`shimhub.kernels.pack_sequences`."""
    names = ("sequences" if sources[1] is None else "input_ids", "labels", "attention_masks")
    ids = _read(sources[0], names[0])
    labels = ids if sources[1] is None else _read(sources[1], names[1])
    ones = [[1] * len(row) for row in ids]
    masks = ones if sources[2] is None else _read(sources[2], names[2])
    for name, field in zip(names[1:], (labels, masks), strict=True):
        _check_lengths((names[0], ids), (name, field))
    tails: list[list[int]] = [[], [], []]
    if options.eos is not None:
        tails = [[options.eos, options.pad], [options.eos, options.label_pad], [1, 0]]
    _check_room(names[0], ids, tails[0], options)
    pads = (options.pad, options.label_pad, 0)
    made = [
        _concatenate([row + tail for row in field], options.max_length, pad)
        for field, tail, pad in zip((ids, labels, masks), tails, pads, strict=True)
    ]
    return made[0], made[1], made[2]


def _read(source: Sequence[Any], name: str) -> Rows:
    rows = [_listed(row, f"{name}[{at}]") for at, row in enumerate(source)]
    return [
        [integer(item, f"{name}[{at}][{i}]") for i, item in enumerate(row)]
        for at, row in enumerate(rows)
    ]


def _listed(row: Any, where: str) -> list[Any]:
    if hasattr(row, "tolist"):
        row = row.tolist()
    try:
        return list(row)
    except TypeError:
        raise TypeError(f"{where}: expected a sequence of integers") from None


def _check_lengths(first: tuple[str, Rows], other: tuple[str, Rows]) -> None:
    (name, rows), (other_name, others) = first, other
    if len(others) != len(rows):
        raise ValueError(f"{other_name}: {len(others)} sequences, but {name} has {len(rows)}")
    for at, (row, beside) in enumerate(zip(rows, others, strict=True)):
        if len(row) != len(beside):
            raise ValueError(
                f"{other_name}[{at}]: {len(beside)} items, but {name}[{at}] has {len(row)}"
            )


def _check_room(name: str, rows: Rows, tail: list[int], options: Options) -> None:
    for at, row in enumerate(rows):
        if len(row) + len(tail) > options.max_length:
            with_tail = " with eos and pad" if tail else ""
            raise ValueError(
                f"{name}[{at}]: {len(row)} items{with_tail} do not fit max_length "
                f"{options.max_length}"
            )


def _concatenate(rows: Rows, max_length: int, pad: int) -> Rows:
    made: Rows = []
    for row in rows:
        if row and (not made or len(made[-1]) + len(row) > max_length):
            made.append([])
        if row:
            made[-1] += row
    return [row + [pad] * (max_length - len(row)) for row in made]
