"""Damage Parquet and Arrow files and read them: ``python -m tests.fuzz_data_binary SECONDS``.

Each file is cut off, has bits flipped, words set to extremes, or parts zeroed or moved. To hold:
no crash, no time above 20 s, no memory above 3 GB more than pyarrow itself takes; an error is a
DataError; what is read without one is valid by pyarrow's own full check, apart from UTF-8; and
where damage is in page data that has checksums, it is the rows that were written. Elsewhere, in
footers, page headers and all of Arrow IPC, there are no checksums, and other values may come.
Cases run in child processes: the number of the case that ended one is told.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from shimhub.data import DataError
from shimhub.data._model import Skipped
from tests import data_binary as lab

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
SECONDS_A_CASE = 20
MEMORY = 3 << 30


@dataclass
class Told:
    """What the children saw."""

    cases: int = 0
    errors: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, found: dict[str, Any]) -> None:
        """Add what one child told."""
        self.cases += found["cases"]
        self.errors += found["errors"]
        self.problems += found["problems"]


@dataclass(frozen=True)
class File:
    """A sound file: its rows, and the bytes in which a change must not go unseen."""

    name: str
    format: str
    data: bytes
    table: pa.Table
    guarded: tuple[range, ...] = ()


def _parquet(name: str, columns: dict[str, Any], guarded: bool = True, **options: Any) -> File:
    table, sink = pa.table(columns), pa.BufferOutputStream()
    pq.write_table(table, sink, write_page_checksum=guarded, row_group_size=4, **options)
    data = sink.getvalue().to_pybytes()
    table = pq.read_table(pa.BufferReader(data))
    return File(name, "parquet", data, table, _page_data(data) if guarded else ())


def _page_data(data: bytes) -> tuple[range, ...]:
    """Return the end of each chunk: it is page data, as a header has some 30 bytes."""
    metadata = pq.read_metadata(pa.BufferReader(data))
    found = []
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            size = chunk.total_compressed_size
            end = (chunk.dictionary_page_offset or chunk.data_page_offset) + size
            found.append(range(end - (min(8, size // 4) if size < 500 else size // 2), end))
    return tuple(found)


def _parquets() -> list[File]:
    some = {name: column for name, column in lab.parquet_columns().items() if "int" not in name}
    codecs = ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]
    found = [
        _parquet(f"{codec} {version}", some, compression=codec, data_page_version=version)
        for codec in codecs
        for version in ("1.0", "2.0")
    ]
    plain = {"use_dictionary": False, "compression": "none"}
    rng = random.Random(0)
    long = {"long": [rng.randbytes(200).hex() for _ in range(20)], "n": [rng.random()] * 20}
    return [
        _parquet("long", long, **plain),
        _parquet("long zstd", long, compression="zstd"),
        *found,
        _parquet("plain", lab.parquet_columns(), **plain),
        _parquet("no checksums", lab.parquet_columns(), guarded=False),
        _parquet("no checksums, plain", lab.parquet_columns(), guarded=False, **plain),
    ]


def _ipc(name: str, table: pa.Table, make: Callable[..., Any], codec: str | None) -> File:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with make(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=4)
    return File(f"{name} {codec}", "arrow", sink.getvalue().to_pybytes(), table)


def _ipcs() -> list[File]:
    every = pa.table(lab.ipc_columns())
    plain = every.drop_columns(["dictionary", "lists_of_codes", "dense_union", "sparse_union"])
    few = plain.select(["string", "list", "messages"])
    makers = {"file": pa.ipc.new_file, "stream": pa.ipc.new_stream}
    tables = {"every": every, "plain": plain, "few": few}
    return [
        _ipc(f"{made} {name}", table, make, codec)
        for made, make in makers.items()
        for name, table in tables.items()
        # A file has no other dictionaries than its first.
        for codec in (None, "lz4", "zstd")
        if (made, name) != ("file", "every")
    ] + [_ipc("file codes", every.slice(0, 4), pa.ipc.new_file, None)]


FILES: dict[str, Callable[[], list[File]]] = {"parquet": _parquets, "ipc": _ipcs}


def damage(data: bytes, rng: random.Random) -> tuple[bytes, list[int]]:
    """Return the bytes with some damage, and the places that differ; none where it is cut."""
    kind = rng.choice(["cut", "bit", "bit", "bits", "word", "word", "zeros", "moved"])
    if kind == "cut":
        return data[: rng.randrange(len(data))], []
    made = bytearray(data)
    at = rng.randrange(len(data))
    if kind in ("bit", "bits"):
        for _ in range(1 if kind == "bit" else rng.randrange(2, 9)):
            made[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "word":
        form = rng.choice(["<b", "<h", "<i", "<q"])
        size = struct.calcsize(form)
        top = 1 << (8 * size - 1)
        value = rng.choice([0, -1, 1, top - 1, -top, top // 2, rng.randrange(-top, top)])
        at -= at % size if rng.random() < 0.7 else 0
        made[at : at + size] = struct.pack(form, value)
    elif kind == "zeros":
        made[at : at + rng.randrange(1, 64)] = bytes(min(len(data) - at, rng.randrange(1, 64)))
    else:
        part = data[at : at + rng.randrange(1, 64)]
        to = rng.randrange(len(data))
        made[to : to + len(part)] = part
    made = made[: len(data)]
    return bytes(made), [i for i, (a, b) in enumerate(zip(data, made, strict=False)) if a != b]


def problem(file: File, data: bytes, places: list[int], path: Path, rng: random.Random) -> str:
    """Read the damaged file; return what does not hold, or ``error`` or nothing."""
    path.write_bytes(data)
    source = lab.source(path, file.format)
    options: dict[str, Any] = {
        "batch_size": rng.choice([1, 3, 1000]),
        "span": rng.choice([1, 1 << 30]),
    }
    if rng.random() < 0.3:
        options["columns"] = tuple(rng.sample(file.table.column_names, rng.randrange(1, 3)))
    if rng.random() < 0.3:
        options |= {"on_error": "skip", "skipped": Skipped()}
    try:
        found = lab.read(source, **options)
        _materialised(found)
    except DataError:
        return "error"
    except Exception as error:  # noqa: BLE001 - any other is what is looked for
        return f"{type(error).__name__}: {error}"
    skipped = options.get("skipped")
    if places and all(any(at in part for part in file.guarded) for at in places):
        expected = file.table.select(options["columns"]) if "columns" in options else file.table
        if not (skipped and skipped.first) and repr(expected.to_pylist()) != repr(
            found.to_pylist()
        ):
            return "other rows, though the pages have checksums"
    return ""


def _materialised(table: pa.Table) -> None:
    """Look at every value: as bytes of text, as a letter that is none is no damage of places."""
    from shimhub.data.formats import _array_checks

    for batch in table.to_batches():
        _array_checks.check(batch)
        try:
            batch.to_pylist()
        except (ArithmeticError, ValueError):
            continue  # no UTF-8, no day of Python's calendar, no decimal


def child(kind: str, seed: int, cases: int) -> None:
    """Run cases; tell on stdout which, and at the end what did not hold."""
    files, rng = FILES[kind](), random.Random(seed)
    told: dict[str, Any] = {"cases": 0, "errors": 0, "problems": []}
    used = (
        int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        * resource.getpagesize()
    )
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(cases):
            file = rng.choice(files)
            data, places = damage(file.data, rng)
            _tell({"at": number, "file": file.name})
            signal.alarm(SECONDS_A_CASE)
            found = problem(file, data, places, Path(folder) / "file", rng)
            signal.alarm(0)
            told["cases"] += 1
            told["errors"] += found == "error"
            if found not in ("", "error"):
                told["problems"].append(f"{kind} {seed} {number} {file.name}: {found}")
    _tell(told)


def _tell(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def in_children(kind: str, seeds: list[int], cases: int) -> Told:
    """Run that many cases for each seed, a process each; return what they saw."""
    told = Told()
    for seed in seeds:
        command = [sys.executable, "-m", "tests.fuzz_data_binary", kind, str(seed), str(cases)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        if done.returncode:
            last = lines[-1] if lines else ""
            told.problems.append(
                f"{kind} {seed}: exit {done.returncode} at {last}: {done.stderr[-600:]}"
            )
        else:
            told.add(json.loads(lines[-1]))
    return told


def main(seconds: float) -> int:
    """Fuzz for so long; print what does not hold, and how much was tried."""
    told, end, rng = Told(), time.monotonic() + seconds, random.SystemRandom()
    while time.monotonic() < end:
        for kind in FILES:
            before = len(told.problems)
            found = in_children(kind, [rng.randrange(1 << 30)], 500)
            told.add({"cases": found.cases, "errors": found.errors, "problems": found.problems})
            for line in told.problems[before:]:
                print(line, flush=True)  # noqa: T201 - a program
    print(f"{told.cases} cases, {told.errors} errors, {len(told.problems)} problems")  # noqa: T201
    return bool(told.problems)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit(main(float(sys.argv[1])))
    child(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
