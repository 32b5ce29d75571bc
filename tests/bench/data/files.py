"""The files that are read: the same rows in each format, and the same in every run."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.kernels import data, rivals

ROWS = 50_000
TOKEN_ROWS = 20_000
#: As ``datasets`` writes its caches.
BATCH = 1000
#: Rows of a group: 8 MB, so that a reader need not hold more than that and its output.
GROUP = 8_000
_TEXT_BYTES = 1_080


def table(rows: int) -> Any:
    """Return rows of 1.2 KB in six columns: three of text, an int, a float and a count."""
    pa = rivals.load("pyarrow")
    draw = np.random.default_rng(7)
    texts = data.texts(rows, _TEXT_BYTES)
    numbers = np.arange(rows)
    return pa.table(
        {
            "id": numbers,
            "text": texts,
            "source": [("common-crawl", "wikipedia", "books")[i % 3] for i in range(rows)],
            "url": [f"https://example.org/{i:09d}/{'path' * 8}" for i in range(rows)],
            "score": draw.random(rows).round(6),
            "characters": rivals.load("pyarrow.compute").binary_length(texts).cast(pa.int64()),
        }
    )


def tokens(rows: int) -> Any:
    """Return rows of ``input_ids`` and ``labels``, lists of int32 with about 300 ids each."""
    pa = rivals.load("pyarrow")
    lists = data.token_arrays(rows)
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int32)
    values = pa.array(np.concatenate(lists))
    made = pa.ListArray.from_arrays(pa.array(offsets), values)
    return pa.table({"input_ids": made, "labels": made})


def write_all(folder: Path, *, small: bool) -> None:
    """Write the table in each format, and the tokens, into the folder."""
    made = table(ROWS // 50 if small else ROWS)
    for name, write in _WRITERS.items():
        write(made, folder / name)
    compress(folder)
    ids = tokens(TOKEN_ROWS // 50 if small else TOKEN_ROWS)
    _parquet(ids, folder / "tokens.parquet")
    _stream(ids, folder / "tokens-cache.arrow")


def write_large(folder: Path, eighths: int, *, small: bool) -> Path:
    """Write a Parquet file of ``eighths`` of 500 MB (decoded), and return its path."""
    pq = rivals.load("pyarrow.parquet")
    path = folder / f"large-{eighths}.parquet"
    made = table(ROWS // 50 if small else ROWS)
    with pq.ParquetWriter(path, made.schema) as writer:
        for _ in range(eighths):
            writer.write_table(made, row_group_size=GROUP)
    return path


def _parquet(made: Any, path: Path) -> None:
    rivals.load("pyarrow.parquet").write_table(made, path, row_group_size=GROUP)


def _file(made: Any, path: Path) -> None:
    with rivals.load("pyarrow").ipc.new_file(path, made.schema) as writer:
        writer.write_table(made, max_chunksize=BATCH)


def _stream(made: Any, path: Path) -> None:
    with rivals.load("pyarrow").ipc.new_stream(path, made.schema) as writer:
        writer.write_table(made, max_chunksize=BATCH)


def _feather(compression: str) -> Callable[[Any, Path], None]:
    def write(made: Any, path: Path) -> None:
        rivals.load("pyarrow.feather").write_feather(made, path, compression, chunksize=BATCH)

    return write


def _jsonl(made: Any, path: Path) -> None:
    path.write_text("".join(f"{line}\n" for line in _lines(made)), encoding="utf-8")


def _json(made: Any, path: Path) -> None:
    path.write_text(f"[{','.join(_lines(made))}]", encoding="utf-8")


def _lines(made: Any) -> Iterable[str]:
    return (json.dumps(row, ensure_ascii=False) for row in made.to_pylist())


def _delimited(delimiter: str) -> Callable[[Any, Path], None]:
    def write(made: Any, path: Path) -> None:
        csv = rivals.load("pyarrow.csv")
        csv.write_csv(made, path, csv.WriteOptions(delimiter=delimiter, quoting_style="needed"))

    return write


def _text(made: Any, path: Path) -> None:
    lines = made.column("text").to_pylist()
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


_WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "data.parquet": _parquet,
    "data.arrow": _file,
    "cache.arrow": _stream,
    "lz4.feather": _feather("lz4"),
    "zstd.feather": _feather("zstd"),
    "data.jsonl": _jsonl,
    "data.json": _json,
    "data.csv": _delimited(","),
    "data.tsv": _delimited("\t"),
    "data.txt": _text,
}


def compress(folder: Path) -> None:
    """Write a .gz and a .zst beside each file of text."""
    pa = rivals.load("pyarrow")
    for name in ("data.jsonl", "data.csv", "data.txt"):
        raw = (folder / name).read_bytes()
        (folder / f"{name}.gz").write_bytes(gzip.compress(raw, 6, mtime=0))
        with pa.CompressedOutputStream(str(folder / f"{name}.zst"), "zstd") as out:
            out.write(raw)
