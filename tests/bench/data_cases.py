"""Files that readers of training data get wrong, and what is in them by another reader.

A case writes a file, and its oracle reads it as rows; a case without an oracle must be an error
that matches ``error``.
"""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import json
from typing import Final

import numpy as np
import pyarrow as pa

from tests.bench.data_files import (
    CHATS,
    DAY,
    NOON,
    SMALL,
    TEXT,
    Case,
    arrow,
    cached,
    data,
    feather,
    head,
    lines,
    of_csv,
    of_datasets,
    of_file,
    of_gzipped,
    of_json,
    of_json_lines,
    of_parquet,
    of_stream,
    of_text,
    of_tsv,
    of_zstd_arrow,
    of_zstd_lines,
    packed,
    parquet,
    saved,
    table,
    with_byte,
    zstd,
)

#: A Parquet or Arrow column of each type.
TYPES: Final[dict[str, pa.Array]] = {
    "struct": pa.array([{"x": 1, "y": "a"}, None]),
    "list<struct> (chat messages)": CHATS["messages"].combine_chunks(),
    "dictionary": pa.array(["a", "b", "a", None]).dictionary_encode(),
    "binary": pa.array([b"\x00\xff", b"", None]),
    "timestamp": pa.array([NOON.replace(tzinfo=None), None], pa.timestamp("us")),
    "timestamp with zone": pa.array([NOON], pa.timestamp("us", "UTC")),
    "date": pa.array([DAY, None]),
    "time": pa.array([NOON.time()], pa.time64("us")),
    "duration": pa.array([dt.timedelta(days=1, microseconds=1)], pa.duration("us")),
    "decimal": pa.array([decimal.Decimal("1.10"), decimal.Decimal("-99999999.99")]),
    "int8": pa.array([-128, 127, None], pa.int8()),
    "int16": pa.array([-32768, 32767], pa.int16()),
    "uint64": pa.array([0, 2**64 - 1], pa.uint64()),
    "int64 beyond double": pa.array([2**53 + 1, -(2**63)]),
    "float16": pa.array(np.array([0.5, -2.0], np.float16)),
    "float32": pa.array([0.5, None], pa.float32()),
    "bool": pa.array([True, False, None]),
    "large_list": pa.array([[1, 2], [], None], pa.large_list(pa.int64())),
    "fixed_size_list": pa.array([[1, 2], None], pa.list_(pa.int32(), 2)),
    "list<list>": pa.array([[[1], []], None]),
    "map": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    "large_string": pa.array(["a", None], pa.large_string()),
    "string_view": pa.array(["a", "longer than twelve bytes", None], pa.string_view()),
    "null": pa.nulls(3),
}
_CODECS: Final = ("snappy", "gzip", "zstd", "lz4", "brotli", "none")
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_POINTER: Final = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
_GZIPPED: Final = gzip.compress(TEXT * 50, mtime=0)

BINARY_CASES: Final = [
    *(
        Case(f"Parquet {name}", "a.parquet", parquet(table(c=column)), of_parquet, "pyarrow")
        for name, column in TYPES.items()
    ),
    *(
        Case(f"Arrow {name}", "a.arrow", arrow(table(c=column)), of_file, "pyarrow")
        for name, column in TYPES.items()
    ),
    *(
        Case(
            f"Parquet, {codec}",
            "a.parquet",
            parquet(SMALL, compression=codec),
            of_parquet,
            "pyarrow",
        )
        for codec in _CODECS
    ),
    Case(
        "Parquet, many row groups",
        "a.parquet",
        parquet(table(n=list(range(100))), row_group_size=7),
        of_parquet,
        "pyarrow",
    ),
    Case("Parquet, no rows", "a.parquet", parquet(SMALL.slice(0, 0)), of_parquet, "pyarrow"),
    Case("Parquet, truncated", "a.parquet", head(parquet(SMALL), 0.6), error=r"a\.parquet"),
    Case("Parquet that is text", "a.parquet", data(b"<html>not found"), error=r"a\.parquet"),
    Case("Parquet that is empty", "a.parquet", data(b""), error=r"a\.parquet"),
    Case(
        "IPC file, more record batches than batch_size",
        "a.arrow",
        arrow(table(n=list(range(100))), 10),
        of_file,
        "pyarrow",
    ),
    Case("IPC file, one record batch", "a.arrow", arrow(SMALL), of_file, "pyarrow"),
    Case("IPC file, truncated", "a.arrow", head(arrow(SMALL), 0.7), error=r"a\.arrow"),
    Case("IPC stream", "a.arrow", arrow(SMALL, 2, stream=True), of_stream, "pyarrow"),
    Case("IPC stream, truncated", "a.arrow", head(arrow(SMALL, 2, True), 0.7), error=r"a\.arrow"),
    *(
        Case(f"Feather, {codec}", "a.feather", feather(codec), of_file, "pyarrow")
        for codec in ("lz4", "zstd", "uncompressed")
    ),
    Case("Hugging Face, save_to_disk", "saved", saved(False), of_datasets, "datasets"),
    Case(
        "Hugging Face, DatasetDict",
        "dict",
        saved(True),
        of_datasets,
        "datasets",
        asked={"split": "train"},
    ),
    Case("Hugging Face, cache file", "a-train.arrow", cached, of_stream, "pyarrow"),
]
JSON_CASES: Final = [
    Case(
        "JSONL, missing keys",
        "a.jsonl",
        data(lines({"a": 1, "b": 2}, {"c": 5}, {"a": 3, "b": 4})),
        of_json_lines,
        "json",
    ),
    Case("JSONL, malformed line", "a.jsonl", data(TEXT + b"{oops}\n" + TEXT), error="line 3"),
    Case("JSONL, truncated last line", "a.jsonl", data(TEXT + b'{"a": 3, "b'), error="line 3"),
    Case("JSONL, no newline at the end", "a.jsonl", data(TEXT[:-1]), of_json_lines, "json"),
    Case("JSONL, CRLF", "a.jsonl", data(TEXT.replace(b"\n", b"\r\n")), of_json_lines, "json"),
    Case("JSONL, blank lines", "a.jsonl", data(TEXT + b"\n  \n" + TEXT), of_json_lines, "json"),
    Case("JSONL, empty", "a.jsonl", data(b""), of_json_lines, "json"),
    Case(
        "JSONL, NaN and infinities",
        "a.jsonl",
        data(lines('{"a": NaN}', '{"a": -Infinity}', '{"a": 1.5}')),
        of_json_lines,
        "json",
    ),
    Case("JSONL, BOM", "a.jsonl", data(b"\xef\xbb\xbf" + TEXT), of_json_lines, "json"),
    Case(
        "JSONL, lone surrogate",
        "a.jsonl",
        data(lines({"a": "x"}, '{"a": "\\ud800"}')),
        error="line 2",
    ),
    Case("JSONL, not UTF-8", "a.jsonl", data(TEXT + b'{"a": 3, "b": "\xff"}\n'), error="line 3"),
    Case("JSONL, integer beyond uint64", "a.jsonl", data(lines({"a": 2**64})), error="line 1"),
    Case("JSONL, integer below int64", "a.jsonl", data(lines({"a": -(2**63) - 1})), error="line 1"),
    Case(
        "JSONL, uint64 and negative",
        "a.jsonl",
        data(lines({"a": 2**64 - 1, "b": -(2**63)}, {"a": 0, "b": 2**63 - 1})),
        of_json_lines,
        "json",
    ),
    Case(
        "JSONL, text that looks like a date or number",
        "a.jsonl",
        data(lines({"a": "2024-02-29", "b": "007"}, {"a": "2024-02-29T12:00:00Z", "b": "1e5"})),
        of_json_lines,
        "json",
    ),
    Case(
        "JSONL, nested, keys missing inside",
        "a.jsonl",
        data(
            lines({"m": [{"r": "u", "t": {"k": [1]}}]}, {"m": [{"r": "a", "t": None}]}, {"m": []})
        ),
        of_json_lines,
        "json",
    ),
    Case(
        "JSONL, unicode",
        "a.jsonl",
        data('{"ключ": "日本語 \U0001f600"}\n{"ключ": "\\ud83d\\ude00\\u0000"}\n'.encode()),
        of_json_lines,
        "json",
    ),
    Case("JSONL, a line that is no object", "a.jsonl", data(TEXT + b"[1]\n"), error="line 3"),
    Case(
        "JSONL, two values on a line",
        "a.jsonl",
        data(TEXT + b'{"a": 1} {"a": 2}\n'),
        error="line 3",
    ),
    Case("JSONL, int column that gets text", "a.jsonl", data(TEXT + b'{"a": "z"}\n'), error="'a'"),
    Case(
        "JSON, array", "a.json", data(b"\xef\xbb\xbf" + b'[{"a": 1}, {"a": null}]'), of_json, "json"
    ),
    Case(
        "JSON, pretty",
        "a.json",
        data(json.dumps(SMALL.to_pylist(), indent=2).encode()),
        of_json,
        "json",
    ),
    Case("JSON, lines in .json", "a.json", data(TEXT), of_json_lines, "json"),
    Case("JSON, truncated", "a.json", data(b'[{"a": 1}, {"a": '), error=r"a\.json"),
    Case("JSON, empty", "a.json", data(b""), error=r"a\.json"),
]
TEXT_CASES: Final = [
    Case("CSV, numbers are text", "a.csv", data(b"a,b\n007,1e5\nnan,inf\n,+1\n"), of_csv, "csv"),
    Case("CSV, mixed columns", "a.csv", data(b"a,b\n1,x\ntwo,3.5\n,\n"), of_csv, "csv"),
    Case("CSV, quotes", "a.csv", data(b'a,b\n"x,""y""","line\nbreak"\n"",z\n'), of_csv, "csv"),
    Case("CSV, BOM and CRLF", "a.csv", data(b"\xef\xbb\xbfa,b\r\n1,2\r\n"), of_csv, "csv"),
    Case("CSV, ragged", "a.csv", data(b"a,b\n1,2\n3\n"), error=r"a\.csv.*"),
    Case("CSV, too many fields", "a.csv", data(b"a,b\n1,2\n3,4,5\n"), error=r"a\.csv.*"),
    Case("CSV, open quote", "a.csv", data(b'a,b\n1,"2\n'), error=r"a\.csv"),
    Case("CSV, header only", "a.csv", data(b"a,b\n"), of_csv, "csv"),
    Case("TSV", "a.tsv", data(b"a\tb\n1,5\tx\n2\t\n"), of_tsv, "csv"),
    Case("text", "a.txt", data(b"one\n\n{three\n4"), of_text, "datasets"),
    Case("text, CRLF and BOM", "a.txt", data(b"\xef\xbb\xbfone\r\ntwo\r\n"), of_text, "datasets"),
    Case("text, not UTF-8", "a.txt", data(b"one\ntw\xff\n"), error="line 2"),
]
PACKED_CASES: Final = [
    Case("gzip", "a.jsonl.gz", data(gzip.compress(TEXT)), of_json_lines, "json"),
    Case(
        "gzip, many members",
        "a.jsonl.gz",
        data(gzip.compress(TEXT[:9]) + gzip.compress(b"") + gzip.compress(TEXT[9:] + TEXT)),
        of_json_lines,
        "json",
    ),
    Case("gzip, truncated", "a.jsonl.gz", data(_GZIPPED[:-12]), error=r"a\.jsonl\.gz"),
    Case(
        "gzip, bad CRC",
        "a.jsonl.gz",
        data(with_byte(_GZIPPED, -6, _GZIPPED[-6] ^ 1)),
        error=r"a\.jsonl\.gz",
    ),
    Case(
        "gzip, garbage after it", "a.jsonl.gz", data(_GZIPPED + b"garbage!"), error=r"a\.jsonl\.gz"
    ),
    Case("Parquet in gzip", "a.parquet.gz", packed(parquet(SMALL)), of_gzipped, "pyarrow"),
    Case("Arrow in zstd", "a.arrow.zst", packed(arrow(SMALL)), of_zstd_arrow, "pyarrow"),
    Case("Parquet in gzip, damaged", "a.parquet.gz", head(packed(parquet(SMALL)), 0.7), error="gz"),
    Case("gzip without .gz", "a.jsonl", data(gzip.compress(TEXT)), of_json_lines, "json"),
    Case("zstd", "a.jsonl.zst", data(zstd(TEXT)), of_zstd_lines, "json"),
    Case(
        "zstd, many frames",
        "a.jsonl.zst",
        data(zstd(TEXT) + b"\x50\x2a\x4d\x18\x02\x00\x00\x00zz" + zstd(TEXT)),
        of_zstd_lines,
        "json",
    ),
    Case("zstd, truncated", "a.jsonl.zst", data(zstd(TEXT * 50)[:-5]), error=r"a\.jsonl\.zst"),
    Case("zstd, garbage", "a.jsonl.zst", data(_ZSTD_MAGIC + b"\xff" * 20), error=r"a\.jsonl\.zst"),
    Case("zstd, plain text named so", "a.jsonl.zst", data(TEXT), of_json_lines, "json"),
]
NAME_CASES: Final = [
    Case("missing file", "gone.jsonl", lambda path: None, error=r"gone\.jsonl"),
    Case("git-lfs pointer", "a.parquet", data(_POINTER), error="git lfs pull"),
    Case("Parquet named .jsonl", "a.jsonl", parquet(SMALL), of_parquet, "pyarrow"),
]
CASES: Final = [*BINARY_CASES, *JSON_CASES, *TEXT_CASES, *PACKED_CASES, *NAME_CASES]
