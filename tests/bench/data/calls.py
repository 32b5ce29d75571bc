"""The readers: each a function that opens a file and yields what it makes of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.data.files import BATCH
from tests.bench.kernels import rivals
from tests.bench.kernels.harness import Call, NotHere

Batches = Iterator[Any]


def ours(path: Path, output: str) -> Batches:
    """Yield shimhub's batches of a thousand rows."""
    from shimhub.data import streaming_dataset_reader

    return iter(streaming_dataset_reader(str(path), batch_size=BATCH, output=output))


def sliced(batches: Iterator[Any]) -> Batches:
    """Yield slices of at most a thousand rows of what pyarrow's readers give."""
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH):
            yield batch.slice(start, BATCH)


def parquet(path: Path, **options: Any) -> Batches:
    """Yield ``ParquetFile(path).iter_batches(1000)``."""
    return iter(rivals.load("pyarrow.parquet").ParquetFile(path, **options).iter_batches(BATCH))


def arrow_file(path: Path) -> Batches:
    """Yield the batches of ``ipc.open_file`` over a memory map."""
    pa = rivals.load("pyarrow")
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    return sliced(reader.get_batch(i) for i in range(reader.num_record_batches))


def arrow_stream(path: Path) -> Batches:
    """Yield the batches of ``ipc.open_stream`` over a memory map."""
    pa = rivals.load("pyarrow")
    return sliced(pa.ipc.open_stream(pa.memory_map(str(path))))


def validated(batches: Batches) -> Batches:
    """Yield the batches after ``validate(full=True)``, without which damage goes unseen."""
    for batch in batches:
        batch.validate(full=True)
        yield batch


def jsonl(path: Path) -> Batches:
    """Yield the batches of ``pyarrow.json.open_json``, decompressed by ``pa.input_stream``."""
    pa = rivals.load("pyarrow")
    return sliced(rivals.load("pyarrow.json").open_json(pa.input_stream(str(path))))


def json_array(path: Path) -> Batches:
    """Yield the batches of ``pa.Table.from_pylist(orjson.loads(...))``: pyarrow reads no arrays."""
    rows = rivals.load("orjson").loads(path.read_bytes())
    return iter(rivals.load("pyarrow").Table.from_pylist(rows).to_batches(BATCH))


def delimited(path: Path, delimiter: str) -> Batches:
    """Yield the batches of ``pyarrow.csv.open_csv`` with all columns as strings."""
    pa, csv = rivals.load("pyarrow"), rivals.load("pyarrow.csv")
    with pa.input_stream(str(path)) as head:
        names = head.read(4096).split(b"\n")[0].decode().strip().replace('"', "").split(delimiter)
    reader = csv.open_csv(
        pa.input_stream(str(path)),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return sliced(reader)


def text(path: Path) -> Batches:
    """Yield the batches of ``pyarrow.csv.open_csv`` with a column that nothing delimits."""
    pa, csv = rivals.load("pyarrow"), rivals.load("pyarrow.csv")
    reader = csv.open_csv(
        pa.input_stream(str(path)),
        read_options=csv.ReadOptions(column_names=["text"]),
        parse_options=csv.ParseOptions(
            delimiter="\x01", quote_char=False, ignore_empty_lines=False
        ),
        convert_options=csv.ConvertOptions(column_types={"text": pa.string()}),
    )
    return sliced(reader)


def fast_axolotl(path: Path) -> Batches:
    """Yield fast-axolotl's dicts of columns of a thousand rows."""
    reader = rivals.fast_axolotl().streaming_dataset_reader
    told = path.name.split(".", 1)[1].replace("txt", "text").replace("tsv", "csv")
    return iter(reader(str(path), told, BATCH))


_BUILDERS = {
    "parquet": "parquet", "arrow": "arrow", "feather": "arrow", "jsonl": "json", "json": "json",
    "csv": "csv", "tsv": "csv", "txt": "text",
}  # fmt: skip


def streamed(path: Path, form: str | None = None) -> Any:
    """Return ``load_dataset(..., streaming=True)`` of datasets over the file."""
    datasets = rivals.load("datasets")
    kind = path.name.split(".")[1]
    options = {"sep": "\t"} if kind == "tsv" else {}
    made = datasets.load_dataset(
        _BUILDERS[kind], data_files=str(path), split="train", streaming=True, **options
    )
    return made if form is None else made.with_format(form)


def cached(path: Path, form: str | None = None) -> Any:
    """Return ``Dataset.from_file`` of datasets over its cache file."""
    made = rivals.load("datasets").Dataset.from_file(str(path))
    return made if form is None else made.with_format(form)


def drained(open_it: Callable[[], Iterator[Any]], count: Callable[[Any], int]) -> Callable[[], int]:
    """Return a function that reads all there is, and returns how many rows it saw."""

    def run() -> int:
        rows = 0
        for one in open_it():
            rows += count(one)
        return rows

    return run


def call(
    open_it: Callable[[], Iterator[Any]],
    count: Callable[[Any], int],
    look: Callable[[Iterator[Any]], Any] | None,
    note: str = "",
) -> Call:
    """Return a call that drains; before it is timed, what ``look`` makes of it is its answer.

    The timed run keeps nothing of what it reads: the answer is made apart, once.
    """
    answer = None if look is None else look(open_it())
    return Call(
        drained(open_it, count),
        answer=None if answer is None else lambda _rows: answer,
        note=note,
        tells=None if look else lambda rows: f"{rows} rows",
    )


def guarded(build: Callable[[], Call]) -> Callable[[], Call]:
    """Return the builder; a rival that fails on the file is told as missing, with its error."""

    def made() -> Call:
        try:
            found = build()
            found.run()
        except NotHere:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a rival raises, it is told
            raise NotHere(f"fails: {type(error).__name__}: {str(error)[:80]}") from None
        return found

    return made


def quiet_environment(cache: Path) -> dict[str, str]:
    """Return the environment for datasets: no network, no bars, its caches in the folder."""
    return {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(cache),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
