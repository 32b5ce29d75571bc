"""Cases of files: what writes them, and the oracles (pyarrow, ``datasets``, json, csv) of rows."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """A file, how it is made, and what reading it gives."""

    name: str
    file: str
    make: Callable[[Path], None]
    oracle: Callable[[Path], Rows] | None = None
    by: str = ""
    #: What the error says, as a regular expression, where there is no oracle.
    error: str = ""
    #: Options of streaming_dataset_reader.
    asked: dict[str, Any] = field(default_factory=dict)


def data(content: bytes) -> Callable[[Path], None]:
    """Write bytes."""
    return lambda path: path.write_bytes(content) and None


def zstd(content: bytes) -> bytes:
    """Compress as one zstd frame."""
    return pa.compress(content, codec="zstd", asbytes=True)


def lines(*rows: dict[str, Any] | str) -> bytes:
    """Return JSON lines; a str is a line as it is."""
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows).encode()


# Oracles


def of_json_lines(path: Path) -> Rows:
    """Return the rows by json, with None where a key is missing."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]


def of_zstd_lines(path: Path) -> Rows:
    """Return the rows by json, of zstd frames."""
    with pa.input_stream(str(path), compression="zstd") as stream:
        return [json.loads(line) for line in stream.read().splitlines()]


def of_json(path: Path) -> Rows:
    """Return what json.load gives."""
    found: Rows = json.loads(path.read_text("utf-8-sig"))
    return found


def of_csv(path: Path, delimiter: str = ",") -> Rows:
    """Return what csv.DictReader gives: text."""
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def of_tsv(path: Path) -> Rows:
    """Return what csv.DictReader gives with tabs."""
    return of_csv(path, "\t")


def of_text(path: Path) -> Rows:
    """Return lines as ``datasets``'s text builder names them."""
    with path.open(encoding="utf-8-sig") as file:
        return [{"text": line.rstrip("\n")} for line in file]


def of_parquet(path: Path) -> Rows:
    """Return pyarrow's rows."""
    return _rows(pq.ParquetFile(path).read())


def of_stream(path: Path) -> Rows:
    """Return pyarrow's rows of an IPC stream."""
    with pa.ipc.open_stream(path.read_bytes()) as reader:
        return _rows(reader.read_all())


def of_file(path: Path) -> Rows:
    """Return pyarrow's rows of an IPC file."""
    return _rows(pf.read_table(path))


def _rows(table: pa.Table) -> Rows:
    return table.to_pylist()


def of_gzipped(path: Path) -> Rows:
    """Return pyarrow's rows of a Parquet file inside gzip."""
    return _rows(pq.read_table(pa.BufferReader(gzip.decompress(path.read_bytes()))))


def of_zstd_arrow(path: Path) -> Rows:
    """Return pyarrow's rows of an IPC file inside zstd."""
    with pa.input_stream(str(path), compression="zstd") as stream:
        return _rows(pf.read_table(pa.BufferReader(stream.read())))


def of_datasets(path: Path) -> Rows:
    """Return the rows of a saved Dataset by ``datasets``."""
    import datasets

    found = datasets.load_from_disk(str(path))
    return list(found["train"] if isinstance(found, dict) else found)


# Makers


def table(**columns: Any) -> pa.Table:
    """Return a table."""
    return pa.table(columns)


def parquet(content: pa.Table, **options: Any) -> Callable[[Path], None]:
    """Write as Parquet."""
    return lambda path: pq.write_table(content, path, **options)


def arrow(content: pa.Table, rows: int = 1 << 20, stream: bool = False) -> Callable[[Path], None]:
    """Write as an IPC file or stream in batches of ``rows``."""

    def make(path: Path) -> None:
        new = pa.ipc.new_stream if stream else pa.ipc.new_file
        with new(str(path), content.schema) as writer:
            writer.write_table(content, max_chunksize=rows)

    return make


def feather(compression: str) -> Callable[[Path], None]:
    """Write as Feather."""
    return lambda path: pf.write_feather(SMALL, path, compression=compression)


def packed(make: Callable[[Path], None]) -> Callable[[Path], None]:
    """Compress what another writes, as a whole."""

    def pack(path: Path) -> None:
        make(path)
        whole = path.read_bytes()
        path.write_bytes(zstd(whole) if path.suffix == ".zst" else gzip.compress(whole))

    return pack


def saved(is_dict: bool) -> Callable[[Path], None]:
    """Save as ``datasets`` does."""

    def make(path: Path) -> None:
        import datasets

        datasets.disable_progress_bars()
        one = datasets.Dataset.from_list(CHATS.to_pylist())
        (datasets.DatasetDict({"train": one, "test": one}) if is_dict else one).save_to_disk(path)

    return make


def cached(path: Path) -> None:
    """Write what a builder of ``datasets`` leaves in its cache: an IPC stream."""
    import datasets

    builder = datasets.Dataset.from_list(CHATS.to_pylist())
    with pa.ipc.new_stream(str(path), builder.data.schema) as writer:
        writer.write_table(builder.data.table)


def head(make: Callable[[Path], None], share: float) -> Callable[[Path], None]:
    """Keep the first share of what another writes."""

    def cut(path: Path) -> None:
        make(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])

    return cut


def with_byte(content: bytes, at: int, byte: int) -> bytes:
    """Replace a byte."""
    changed = bytearray(content)
    changed[at] = byte
    return bytes(changed)


SMALL: Final = table(a=[1, 2, 3, 4, 5], b=["x", "y", "ä", None, ""])
CHATS: Final = table(
    messages=[[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}], []]
)
TEXT: Final = lines({"a": 1, "b": "x"}, {"a": 2, "b": "y"})
DAY: Final = dt.date(2024, 2, 29)
NOON: Final = dt.datetime(2024, 2, 29, 12, 30, 5, 123456, dt.timezone.utc)
