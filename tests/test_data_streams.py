"""Decompression: exact, of any number of members, and loud where a file is damaged."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")

from shimhub.data._model import Options, Source, Span  # noqa: E402
from shimhub.data.errors import DataError, DecodeError, LimitError  # noqa: E402
from shimhub.data.formats import _streams  # noqa: E402 - needs pyarrow
from shimhub.data.formats._streams import open_decompressed, open_raw  # noqa: E402
from shimhub.data.formats._text import batches  # noqa: E402
from tests.data_text import arrow_rows, outcome, written  # noqa: E402

LINES = b"".join(json.dumps({"i": i, "t": "text" * (i % 9)}).encode() + b"\n" for i in range(9000))
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


def _zstd(data: bytes) -> bytes:
    found: bytes = pa.compress(data, "zstd", asbytes=True)
    return found


PACKED = {"gzip": gzip.compress(LINES, mtime=0), "zstd": _zstd(LINES)}


def _read(source: Source, size: int = 1 << 16, **options: int) -> bytes:
    with open_decompressed(source, Options(**options)) as stream:
        found = []
        while part := stream.read(size):
            found.append(part)
            assert len(part) <= size
    return b"".join(found)


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_many_members_are_read_to_the_end(tmp_path: Path, codec: str, size: int) -> None:
    """Members and frames follow each other; skippable frames of zstd are skipped."""
    small = LINES[:5000]
    pack = gzip.compress if codec == "gzip" else _zstd
    middle = SKIPPABLE if codec == "zstd" else b""
    source = written(tmp_path, middle + pack(small) + middle + pack(small) + middle, "text", codec)
    assert small * 2 == _read(source, size)


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_truncation_is_an_error_at_any_byte(tmp_path: Path, codec: str) -> None:
    """No prefix of a file is taken for all of it."""
    packed = PACKED[codec]
    for cut in (*random.Random(1).sample(range(len(packed)), 40), 0, 1, 3, len(packed) - 1):
        source = written(tmp_path, packed[:cut], "text", codec)
        with pytest.raises(DecodeError, match=r"truncated|is read as") as caught:
            _read(source)
        assert caught.value.path == source.path


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("tail", [b"garbage", b"\0" * 20])
def test_what_follows_the_last_member_is_an_error(tmp_path: Path, codec: str, tail: bytes) -> None:
    """The error tells how far the compressed bytes were read, and what came out of them."""
    source = written(tmp_path, PACKED[codec] + tail, "text", codec)
    with pytest.raises(DecodeError, match="compressed byte") as caught:
        _read(source)
    assert len(LINES) >= (caught.value.offset or 0) > 0


def test_flips_in_gzip_are_found(tmp_path: Path) -> None:
    """One bit wrong behind the header is an error: the CRC is of all content."""
    packed = bytearray(PACKED["gzip"])
    for bit in random.Random(2).sample(range(8 * 10, 8 * len(packed)), 60):
        packed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DecodeError):
            _read(written(tmp_path, bytes(packed), "text", "gzip"))
        packed[bit // 8] ^= 1 << bit % 8


def test_flips_in_zstd_with_a_checksum_are_found(tmp_path: Path) -> None:
    """As for gzip; frames without a checksum cannot tell."""
    zstandard = pytest.importorskip("zstandard")
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(LINES))
    for bit in random.Random(3).sample(range(8 * 4, 8 * len(packed)), 60):
        packed[bit // 8] ^= 1 << bit % 8
        found = outcome(_read, written(tmp_path, bytes(packed), "text", "zstd"))
        # A bit of the header may mean nothing.
        assert found == LINES or issubclass(found[0], DecodeError)
        packed[bit // 8] ^= 1 << bit % 8


def test_rows_before_damage_are_kept_where_errors_are_skipped(tmp_path: Path) -> None:
    """They are a prefix, and what could not be read is counted."""
    for codec in ("gzip", "zstd"):
        source = written(tmp_path, PACKED[codec][:-20], "jsonl", codec)
        options = Options(on_error="skip", schema=pa.schema([("i", pa.int64()), ("t", "string")]))
        from shimhub.data.formats._jsonl import batches as of_jsonl

        rows = [r for part in of_jsonl(source, Span(), options) for r in part.batch.to_pylist()]
        assert [json.loads(line) for line in LINES.splitlines()][: len(rows)] == rows
        assert len(rows) < 9000
        assert 1 == len(options.skipped.first)
        assert 0 == options.skipped.rows


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_bombs_are_refused(tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes than ``max_ratio`` for each are refused, once they are more than a few."""
    monkeypatch.setattr(_streams, "FREE", 1 << 20)
    zeros = bytes(1 << 20) * 8
    packed = gzip.compress(zeros) if codec == "gzip" else _zstd(zeros)
    source = written(tmp_path, packed, "text", codec)
    with pytest.raises(LimitError, match="max_ratio"):
        _read(source, max_ratio=100)
    assert zeros == _read(source, max_ratio=10_000_000)
    with pytest.raises(LimitError, match="max_line"):
        list(batches(source, Span(), Options(max_ratio=10_000_000, max_line=1 << 20)))


def test_plain_content_is_not_decompressed(tmp_path: Path) -> None:
    """A file that is not of its compression is told as such."""
    for codec in ("gzip", "zstd"):
        for content in (b"", b"{}", b'{"a": 1}\n'):
            with pytest.raises(DecodeError, match=f"is read as {codec}"):
                _read(written(tmp_path, content, "text", codec))


def test_urls_are_opened_by_fsspec(tmp_path: Path) -> None:
    """Any protocol that fsspec knows; others are errors that say so."""
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://shimhub/file.jsonl.gz", "wb") as file:
        file.write(PACKED["gzip"])
    source = Source("memory://shimhub/file.jsonl.gz", "jsonl", "gzip", -1, True)
    assert LINES == _read(source)
    assert 9000 == len(arrow_rows(source))
    with open_raw(source, Options()) as raw:
        assert PACKED["gzip"][-8:] == raw.read()[-8:]
    with pytest.raises(DataError, match="fsspec cannot open"):
        open_raw(Source("nonsense://x", "text", is_remote=True), Options())
    assert tmp_path.exists()
