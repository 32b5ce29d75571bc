"""Fuzz the readers of text: ``python -m tests.fuzz_data_text SECONDS [SEED]``.

Valid files of each format are cut, flipped, repeated and packed. Reading must end in bounded time
with rows or with an error of ours; both ways of JSONL and JSON must agree; and a packed file
that was changed must give the rows of what Python's gzip takes it for, or an error. (A flip inside
of a value of plain text is valid data: that it is another value cannot be told.)
"""

from __future__ import annotations

import gzip
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from shimhub.data._model import Options, Source, Span
from shimhub.data.errors import DataError
from shimhub.data.formats._formats import format_of
from tests.data_text import listed

SLOWEST = 20.0
VALUES: tuple[Any, ...] = (None, True, 1, -1, 2**63, 1.5, "x", 'ä\n"\\', [1], [], {"b": 1}, {}, "")


def content(chance: random.Random, kind: str) -> bytes:
    """Return a file of the format."""
    count = chance.choice([0, 1, 5, 100, 3000])
    if kind in ("json", "jsonl"):
        shape = [chance.choice(VALUES) for _ in range(3)]
        rows = [dict(zip("abc", shape, strict=True)) for _ in range(count)]
        text = json.dumps(rows) if kind == "json" else "\n".join(map(json.dumps, rows))
        return text.encode()
    mark = {"csv": ",", "tsv": "\t", "text": " "}[kind]
    fields = ["x", "007", '"a""b"', '"c\nd"', "", "ä"]
    lines = [f"a{mark}b", *(mark.join(chance.choices(fields, k=2)) for _ in range(count))]
    return chance.choice(["\n", "\r\n"]).join(lines).encode()


def harmed(chance: random.Random, data: bytes) -> bytes:
    """Return the bytes with a few changes."""
    changed = bytearray(data)
    for _ in range(chance.choice([0, 1, 1, 2, 5])):
        at = chance.randrange(len(changed) + 1)
        what = chance.randrange(4)
        if what == 0:
            del changed[at:]
        elif what == 1 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif what == 2:
            changed[at:at] = chance.choice([b"\0", b'"', b"\n", b"{", b"]", b" null ", b"\xff"])
        else:
            changed[at:at] = changed[: chance.randrange(200)]
    return bytes(changed)


def read(source: Source, way: str, on_error: str) -> Any:
    """Return the rows, or the error."""
    options = Options(on_error=on_error, max_line=1 << 22)
    module = format_of(source)
    try:
        if way == "rows":
            return [row for rows, _ in module.rows(source, Span(), options) for row in rows]
        parts = module.batches(source, Span(), options)
        return [row for part in parts for row in listed(part.batch)]
    except (DataError, OSError) as error:
        return f"{type(error).__name__}: {error}"


def try_one(chance: random.Random, folder: Path) -> None:
    """Make a file, read it in each way, and look that all is as told above."""
    kind = chance.choice(["json", "jsonl", "csv", "tsv", "text"])
    plain = content(chance, kind)
    packed = chance.random() < 0.3
    data = harmed(chance, gzip.compress(plain, mtime=0) if packed else plain)
    path = folder / f"file.{kind}"
    path.write_bytes(data)
    source = Source(str(path), kind, "gzip" if packed else None, len(data))
    on_error = chance.choice(["raise", "skip"])
    started = time.process_time()
    found = read(source, "batches", on_error)
    if kind in ("json", "jsonl"):
        assert repr(found) == repr(read(source, "rows", on_error)), data[:2000]
    if packed and on_error == "raise" and isinstance(found, list):
        path.write_bytes(gzip.decompress(data))  # such as a member that comes twice
        again = read(Source(str(path), kind), "batches", "raise")
        assert repr(found) == repr(again), data[:2000]
    assert time.process_time() - started < SLOWEST, data[:2000]


def main(seconds: float, seed: int) -> None:
    """Fuzz for so long, and tell how often."""
    chance, end, count = random.Random(seed), time.monotonic() + seconds, 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            try_one(chance, Path(folder))
            count += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(f"{count} files in {seconds:.0f} s, seed {seed}: ok, peak {peak} MiB\n")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
