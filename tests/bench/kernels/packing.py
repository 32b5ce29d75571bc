"""Packing of lengths into bins, and of tables into packed tables."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.bench.kernels import data, rivals
from tests.bench.kernels.harness import Call, Row

_MEAN, _LONGEST = 295, 2048
#: axolotl's own: sample_packing_group_size, sample_packing_bin_size.
_GROUP, _BIN = 100_000, 200
#: Of pack_sequences: length of a row, pad, end.
_OPTIONS = (4096, 0, 2)
_THREE = ("input_ids", "labels", "attention_mask")


def rows(*, small: bool) -> list[Row]:
    """Return the rows of this area."""
    million, thousands = (5_000, 2_000) if small else (1_000_000, 100_000)
    return [
        _multipack(million, 2048),
        _multipack(million, 8192),
        _strategies(million),
        _bfd_table(thousands),
        _lists(min(thousands, 20_000)),
    ]


def _multipack(count: int, capacity: int) -> Row:
    lengths = functools.cache(lambda: data.lengths(count, _MEAN, _LONGEST))
    return Row(
        id=f"multipack {capacity}",
        title=f"First fit as axolotl's multipack, {count:,} lengths into bins of {capacity}",
        calls={
            "shimhub": lambda: _ours_multipack(lengths(), capacity),
            "shimhub, as lists": lambda: _ours_multipack(lengths(), capacity, lists=True),
            "axolotl pack_parallel": lambda: _axolotl(lengths(), capacity),
        },
        rounds=5,
        amount=count / 1e6,
        unit="M lengths",
    )


def _ours_multipack(lengths: np.ndarray, capacity: int, *, lists: bool = False) -> Call:
    pack = rivals.ours("pack_multipack")

    def run() -> Any:
        packed = pack(lengths, capacity, group_size=_GROUP, bin_size=_BIN)
        return packed.tolist() if lists else packed

    return Call(run, answer=_bins, tells=functools.partial(_fill, lengths, capacity))


def _axolotl(lengths: np.ndarray, capacity: int) -> Call:
    run = functools.partial(
        rivals.axolotl("utils.samplers.multipack").pack_parallel,
        lengths,
        bin_capacity=capacity,
        group_size=_GROUP,
        bin_size=_BIN,
        num_processes=1,
    )
    return Call(run, answer=_bins, tells=functools.partial(_fill, lengths, capacity))


def _bins(packed: Any) -> dict[str, np.ndarray]:
    """Return bins, CSR or lists, as the places in order and where each bin ends."""
    if not isinstance(packed, list):
        return {"places": np.asarray(packed.items), "ends": np.asarray(packed.offsets)[1:]}
    places = np.fromiter((place for one in packed for place in one), np.int64)
    return {"places": places, "ends": np.cumsum([len(one) for one in packed])}


def _fill(lengths: np.ndarray, capacity: int, packed: Any) -> str:
    bins = len(_bins(packed)["ends"])
    return f"fill {lengths.sum() / (bins * capacity):.3%}"


def _strategies(count: int) -> Row:
    lengths = functools.cache(lambda: data.lengths(count, _MEAN, _LONGEST))
    ours = ("best_fit_decreasing", "first_fit_decreasing", "first_fit", "next_fit")
    calls: dict[str, Callable[[], Call]] = {
        f"shimhub {one.replace('_', ' ')}": functools.partial(_strategy, lengths, one)
        for one in ours
    }
    calls["axolotl allocate_sequentially (next fit)"] = lambda: _sequential(lengths())
    return Row(
        id="strategies",
        title=f"Strategies, {count:,} lengths into bins of 2048",
        calls=calls,
        rounds=5,
        amount=count / 1e6,
        unit="M lengths",
    )


def _strategy(lengths: Callable[[], np.ndarray], strategy: str) -> Call:
    pack = rivals.ours("pack")
    run = functools.partial(pack, lengths(), 2048, strategy=strategy)
    answer = _bins if strategy == "next_fit" else None
    tells = functools.partial(_fill, lengths(), 2048)
    return Call(run, answer=answer, tells=tells, note="" if answer else "bins of its own")


def _sequential(lengths: np.ndarray) -> Call:
    allocate = rivals.axolotl("utils.samplers.multipack").allocate_sequentially
    run = functools.partial(allocate, lengths, 0, 2048, 1)
    return Call(
        run,
        answer=lambda got: _bins(got[0]),
        tells=lambda got: _fill(lengths, 2048, got[0]),
    )


def _table(count: int) -> Any:
    """Return a table of ``input_ids`` and ``labels``, lists of int32, one chunk each."""
    pa = rivals.load("pyarrow")
    arrays = data.token_arrays(count, _MEAN, _LONGEST)
    offsets = pa.array(np.cumsum([0, *map(len, arrays)]).astype(np.int32))
    ids = pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(arrays)))
    return pa.table({"input_ids": ids, "labels": ids})


def _bfd_table(count: int) -> Row:
    table = functools.cache(lambda: _table(count))
    return Row(
        id="bfd table",
        title=f"Best fit decreasing, table to table, {count:,} rows of 2 columns into 2048",
        calls={
            "shimhub pack_table": lambda: _ours_table(table()),
            "trl _pack_bfd": lambda: _trl(table()),
        },
        rounds=3,
        amount=count / 1e6,
        unit="M rows",
    )


def _ours_table(table: Any) -> Call:
    run = functools.partial(rivals.ours("pack_table"), table, 2048)
    return Call(run, answer=_lists_of)


def _trl(table: Any) -> Call:
    run = functools.partial(rivals.load("trl.data_utils", "trl")._pack_bfd, table, 2048)
    return Call(run, answer=_lists_of)


def _lists_of(table: Any) -> dict[str, dict[str, np.ndarray]]:
    """Return each column of lists as its lengths and its values, whatever its width and chunks."""
    found = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        found[name] = {
            "lengths": np.asarray(column.value_lengths()),
            "values": np.asarray(column.flatten()),
        }
    return found


def _lists(count: int) -> Row:
    arrays = functools.cache(lambda: [one.tolist() for one in data.token_arrays(count)])
    return Row(
        id="sequences",
        title=f"{count:,} lists of tokens, one behind the other, into rows of 4096",
        calls={
            "shimhub pack_sequences": lambda: _ours_sequences(arrays()),
            "shimhub pack_sequences, lists out": lambda: _ours_sequences(arrays(), lists=True),
            "pure Python, lists out": lambda: _pure_python(arrays()),
            "fast-axolotl pack_sequences, lists out": lambda: _fast_axolotl(arrays()),
        },
        rounds=5,
        amount=count / 1e6,
        unit="M rows",
    )


def _ours_sequences(arrays: list[list[int]], *, lists: bool = False) -> Call:
    run = functools.partial(rivals.ours("pack_sequences"), lists=lists)
    return Call(run, (arrays, *_OPTIONS), answer=_three)


def _fast_axolotl(arrays: list[list[int]]) -> Call:
    return Call(rivals.fast_axolotl().pack_sequences, (arrays, *_OPTIONS), answer=_three)


def _pure_python(arrays: list[list[int]]) -> Call:
    return Call(_concatenate, (arrays, *_OPTIONS), answer=_three)


def _three(got: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(got[name]) for name in _THREE}


def _concatenate(arrays: list[list[int]], longest: int, pad: int, end: int) -> Any:
    """Fill rows with sequences, ``end`` and ``pad`` behind each, while they fit."""
    rows_, row = [], _empty_row()
    for one in arrays:
        if len(row[0]) + len(one) + 2 > longest:
            rows_.append(_padded(row, longest, pad))
            row = _empty_row()
        ids, labels, mask = row
        ids.extend(one)
        ids += (end, pad)
        labels.extend(one)
        labels += (end, -100)
        mask += [1] * (len(one) + 1)
        mask.append(0)
    rows_.append(_padded(row, longest, pad))
    return dict(zip(_THREE, zip(*rows_, strict=True), strict=True))


def _empty_row() -> tuple[list[int], list[int], list[int]]:
    return [], [], []


def _padded(row: tuple[list[int], ...], longest: int, pad: int) -> tuple[list[int], ...]:
    rest = longest - len(row[0])
    fills = zip(row, (pad, -100, 0), strict=True)
    return tuple(values + [fill] * rest for values, fill in fills)
