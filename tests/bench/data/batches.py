"""Record batches of a thousand rows, 50,000 rows of 1.2 KB, from each format.

pyarrow's own call does the same work: batches of at most a thousand rows, decoded and
decompressed, of the same types. It is `ParquetFile(path).iter_batches(1000)`, also with
`pre_buffer=False, buffer_size=1 MB` (which shimhub's reader uses, as it holds less memory);
`ipc.open_file` and `ipc.open_stream` over a memory map, batch by batch, alone and with
`validate(full=True)`, without which a damaged file is an answer or a crash and no error;
`pyarrow.json.open_json`, `pyarrow.csv.open_csv` with all columns as strings (one column that
nothing delimits for text) over `pa.input_stream`, which decompresses; for an array of JSON, which
pyarrow does not read, `pa.Table.from_pylist(orjson.loads(bytes))`. fast-axolotl gives dicts of
columns, not record batches: another answer, as long as it gives one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.data import calls, files
from tests.bench.kernels import rivals
from tests.bench.kernels.harness import Call, Row

OURS = "shimhub arrow"
PYARROW = "pyarrow"
SMALL_BUFFER = "pyarrow, buffer_size=1 MB"
CHECKED = "pyarrow, validate(full=True)"
_MB = 1 << 20


def _pyarrows() -> dict[str, dict[str, Callable[[Path], Iterator[Any]]]]:
    small = functools.partial(calls.parquet, pre_buffer=False, buffer_size=_MB)
    mapped = {PYARROW: calls.arrow_file, CHECKED: _checked(calls.arrow_file)}
    comma = functools.partial(calls.delimited, delimiter=",")
    tab = functools.partial(calls.delimited, delimiter="\t")
    stream = {PYARROW: calls.arrow_stream, CHECKED: _checked(calls.arrow_stream)}
    plain: dict[str, Callable[[Path], Iterator[Any]]] = {
        **dict.fromkeys(("data.jsonl", "data.jsonl.gz", "data.jsonl.zst"), calls.jsonl),
        "data.json": calls.json_array,
        **dict.fromkeys(("data.csv", "data.csv.gz", "data.csv.zst"), comma),
        "data.tsv": tab,
        **dict.fromkeys(("data.txt", "data.txt.gz", "data.txt.zst"), calls.text),
    }
    return {
        "data.parquet": {PYARROW: calls.parquet, SMALL_BUFFER: small},
        "data.arrow": mapped,
        "cache.arrow": stream,
        "lz4.feather": mapped,
        "zstd.feather": mapped,
        **{name: {PYARROW: read} for name, read in plain.items()},
    }


def _checked(read: Callable[[Path], Iterator[Any]]) -> Callable[[Path], Iterator[Any]]:
    return lambda path: calls.validated(read(path))


def rows(folder: Path, *, small: bool) -> list[Row]:
    """Return a row for each file."""
    amount = files.ROWS // 50 if small else files.ROWS
    return [
        Row(
            id=name,
            title=name,
            calls=_calls(folder / name, theirs),
            rounds=5,
            amount=amount / 1e3,
            unit="krow",
        )
        for name, theirs in _pyarrows().items()
    ]


def _calls(
    path: Path, theirs: dict[str, Callable[[Path], Iterator[Any]]]
) -> dict[str, Callable[[], Call]]:
    found = {OURS: functools.partial(calls.ours, output="arrow"), **theirs}
    built = {
        name: calls.guarded(functools.partial(_call, functools.partial(read, path)))
        for name, read in found.items()
    }
    fast = functools.partial(calls.fast_axolotl, path)
    return {
        **built,
        "fast-axolotl": calls.guarded(lambda: calls.call(fast, _first_length, None)),
    }


def _call(open_it: Callable[[], Iterator[Any]]) -> Call:
    return calls.call(open_it, lambda batch: int(batch.num_rows), _whole)


def _whole(batches: Iterator[Any]) -> Any:
    """Return a digest of all columns, whatever batches they come in."""
    from shimhub import kernels

    table = rivals.load("pyarrow").Table.from_batches(list(batches))
    return {
        name: kernels.hash_rows(table.column(name)).tobytes().hex()[:4096]
        for name in table.column_names
    } | {"rows": table.num_rows, "types": [str(one) for one in table.schema.types]}


def _first_length(columns: dict[str, Any]) -> int:
    return len(next(iter(columns.values())))
