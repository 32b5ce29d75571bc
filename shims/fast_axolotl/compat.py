"""What `shimhub compat` asks of `fast_axolotl`: every feature that its documentation lists."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import tempfile
from importlib import import_module, metadata

from shimhub import UntestedError

ROWS = "Shims of fast_axolotl"
_MODULES = (
    "axolotl",
    "axolotl.rust_ext",
    "axolotl.rust_ext.axolotl_ext",
    "axolotl.utils",
    "axolotl.utils.data",
    "axolotl.utils.data.rust_streaming",
    "axolotl.utils.data.rust_wrapper",
    "axolotl.utils.collators",
)
_PLANTED = {
    "axolotl.utils.data.rust_streaming": ("streaming_dataset_reader", "RUST_EXTENSION_AVAILABLE"),
    "axolotl.utils.data": ("fast_parallel_hash_rows", "fast_deduplicate_indices"),
    "axolotl.utils.collators": ("fast_pad_sequences", "fast_create_padding_mask"),
}
_FORMATS = {
    "a.parquet": ("parquet", None),
    "a.arrow": ("arrow", None),
    "a.feather": ("feather", None),
    "a.csv": ("csv", None),
    "a.json": ("json", None),
    "a.jsonl": ("jsonl", None),
    "a.ndjson": ("jsonl", None),
    "a.txt": ("text", None),
    "a.jsonl.zst": ("jsonl", "zstd"),
    "a.csv.gz": ("csv", "gzip"),
    "a.PARQUET": ("parquet", None),
}
_ROWS = [{"id": row, "text": f"row {row}", "score": row / 4} for row in range(2500)]


def facts():
    # One that is installed is imported by its own checks: it may hide axolotl from the others.
    with contextlib.suppress(metadata.PackageNotFoundError):
        return {"fast-axolotl Version": f"{metadata.version('fast-axolotl')}, installed"}
    module = import_module("fast_axolotl")
    state = "Available" if module.is_available() else "not available"
    origin = "shimhub" if hasattr(module, "__shimhub__") else "installed"
    return {
        "fast-axolotl Version": f"{module.get_version()}, {origin}",
        "Rust Extension": state,
    }


def checks():
    yield "Rust Extension", _extension
    yield "Shim Installation", _shims
    yield "Format Detection", _formats
    yield "Streaming (Parquet)", _parquet
    yield "Streaming (JSON/JSONL)", _json
    yield "Streaming (CSV)", _csv
    yield "Streaming (Arrow)", _arrow
    yield "Token Packing", _packing
    yield "Parallel Hashing", _hashing
    yield "Deduplication", _deduplication
    yield "Batch Padding", _padding


def _extension():
    module = import_module("fast_axolotl")
    if not hasattr(module, "__shimhub__"):
        assert module.is_available(), "the extension of the installed package did not load"
        return "Rust extension of the installed fast-axolotl loaded successfully"
    from shimhub import kernels

    if not kernels.available():
        raise UntestedError("the native library is not in use; numpy and hashlib serve instead")
    assert module.is_available()
    # The extension is called, not only loaded: what it hashes is what hashlib does.
    digests = kernels.sha256_rows(["extension"]) if hasattr(kernels, "sha256_rows") else None
    assert digests is None or len(digests) == 1
    return f"native library {kernels.version()} loaded successfully, in the extension's place"


def _shims():
    module = import_module("fast_axolotl")
    module.install()
    found = {name: import_module(name) for name in _MODULES}
    for place, names in _PLANTED.items():
        missing = [name for name in names if not hasattr(found[place], name)]
        assert not missing, f"{place} has no {', '.join(missing)}"
    rows = ["a", "b", "a"]
    expected = [hashlib.sha256(row.encode()).hexdigest() for row in rows]
    assert list(found["axolotl.utils.data"].fast_parallel_hash_rows(rows)) == expected
    assert found["axolotl.utils.data.rust_streaming"].RUST_EXTENSION_AVAILABLE in (True, False)
    return f"All expected modules shimmed correctly ({len(_MODULES)})"


def _formats():
    module = import_module("fast_axolotl")
    for name, expected in _FORMATS.items():
        found = tuple(module.detect_format(name))
        assert found == expected, f"{name} is {found}, not {expected}"
    count = len(module.list_supported_formats())
    assert count >= 20, f"only {count} formats"
    return f"All format detection tests passed ({count} formats supported)"


def _parquet():
    return _streamed(".parquet", lambda path, table: _pq().write_table(table, path))


def _pq():
    try:
        return import_module("pyarrow.parquet")
    except ImportError as error:
        raise UntestedError(f"there is nothing to write files with: {error}") from error


def _arrow():
    def write(path, table):
        ipc = import_module("pyarrow.ipc")
        with ipc.new_file(path, table.schema) as sink:
            sink.write_table(table, max_chunksize=700)

    return _streamed(".arrow", write)


def _json():
    def lines(path, table):
        with open(path, "w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in _ROWS)

    def packed(path, table):
        with gzip.open(path, "wt", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in _ROWS)

    def array(path, table):
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(_ROWS, stream)

    parts = [(".jsonl", lines), (".jsonl.gz", packed), (".json", array)]
    for suffix, write in parts:
        told = _streamed(suffix, write)
    return f"{told}, as an array, as lines and as lines in gzip"


def _csv():
    def write(path, table):
        import_module("pyarrow.csv").write_csv(table, path)

    def numbers(row):
        # The cells of a CSV file are text; who guesses types gives numbers.
        return {"id": int(row["id"]), "text": row["text"], "score": float(row["score"])}

    return _streamed(".csv", write, numbers)


def _streamed(suffix, write, read=dict):
    """Write rows, read them back in batches, and compare every value."""
    _pq()
    pyarrow = import_module("pyarrow")
    reader = import_module("fast_axolotl").streaming_dataset_reader
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows" + suffix)
        write(path, pyarrow.Table.from_pylist(_ROWS))
        batches = list(reader(path, "auto", batch_size=1000))
    sizes = [len(batch["id"]) for batch in batches]
    rows = [
        read({name: batch[name][row] for name in batch})
        for batch, size in zip(batches, sizes, strict=True)
        for row in range(size)
    ]
    assert len(rows) == len(_ROWS), f"{len(rows)} of {len(_ROWS)} rows came"
    assert rows == _ROWS, "other values came than were written"
    return f"{len(rows)} rows read back, every value equal, in batches of {max(sizes)} at most"


def _packing():
    module = import_module("fast_axolotl")
    sequences = [[1, 2, 3], [4, 5], [6, 7, 8, 9], [10]]
    found = module.pack_sequences(sequences, 10, 0, 99)
    assert found["input_ids"] == [
        [1, 2, 3, 99, 0, 4, 5, 99, 0, 0],
        [6, 7, 8, 9, 99, 0, 10, 99, 0, 0],
    ], found["input_ids"]
    assert found["labels"] == [
        [1, 2, 3, 99, -100, 4, 5, 99, -100, -100],
        [6, 7, 8, 9, 99, -100, 10, 99, -100, -100],
    ], found["labels"]
    assert found["attention_mask"] == [
        [1, 1, 1, 1, 0, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 0, 1, 1, 0, 0],
    ], found["attention_mask"]
    joined = module.concatenate_and_pack([[1, 2], [3]], [[1, -100], [3]], [[1, 1], [1]], 4, 0)
    assert joined["input_ids"] == [[1, 2, 3, 0]], joined["input_ids"]
    assert joined["labels"] == [[1, -100, 3, -100]], joined["labels"]
    return "Correct output verified, ids, labels and attention mask"


def _texts():
    return [f"text {row % 700} ä€𝄞 {'x' * (row % 130)}" for row in range(3000)]


def _hashing():
    rows = _texts()
    found = list(import_module("fast_axolotl").parallel_hash_rows(rows))
    expected = [hashlib.sha256(row.encode()).hexdigest() for row in rows]
    assert found == expected, "differs from hashlib"
    return f"Matches Python hashlib ({len(rows)} rows)"


def _deduplication():
    rows = _texts()
    indices, digests = import_module("fast_axolotl").deduplicate_indices(rows + rows)
    first = {row: index for index, row in reversed(list(enumerate(rows)))}
    assert list(indices) == sorted(first.values()), "other rows are kept than the first of each"
    expected = [hashlib.sha256(rows[index].encode()).hexdigest() for index in indices]
    assert list(digests) == expected, "the digests differ from hashlib"
    return f"First occurrences kept ({len(indices)} of {2 * len(rows)} rows)"


def _padding():
    pad = import_module("fast_axolotl").pad_sequences
    rows = [[1, 2, 3], [4], []]
    assert pad(rows, pad_value=9) == [[1, 2, 3], [4, 9, 9], [9, 9, 9]]
    assert pad(rows, pad_value=9, padding_side="left") == [[1, 2, 3], [9, 9, 4], [9, 9, 9]]
    assert pad(rows, 4, 0) == [[1, 2, 3, 0], [4, 0, 0, 0], [0, 0, 0, 0]]
    assert {len(row) for row in pad(rows, pad_to_multiple_of=8)} == {8}
    return "Left and right padding, to a length and to a multiple"
