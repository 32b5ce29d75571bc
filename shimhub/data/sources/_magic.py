"""What the first bytes of a file say: formats, compressions, and what is not read here."""

from __future__ import annotations

import json
import re
from typing import Final

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
#: Skippable frames of zstd: 0x184D2A50 to 0x184D2A5F (RFC 8878, 3.1.2).
_SKIPPABLE: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_BOM: Final = b"\xef\xbb\xbf"

#: First bytes of files that are recognised and not read, with what they are and the cure.
_FOREIGN: Final = (
    (
        b"version https://git-lfs.github.com/spec/",
        "a git-lfs pointer, not the data: run `git lfs pull`",
    ),
    (b"PARE", "an encrypted Parquet file: decrypt it with pyarrow first"),
    (b"FEA1", "a Feather file of version 1: write it again with pyarrow.feather.write_feather"),
    (b"PK\x03\x04", "a zip archive: unpack it, or name zip://NAME::PATH"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xfd7zXZ\x00", "compressed by xz: run `unxz`, then `zstd` or `gzip` if it is to stay small"),
    (b"\x04\x22\x4d\x18", "compressed by lz4: run `unlz4`, then `zstd` or `gzip`"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!\x1a\x07", "a RAR archive: unpack it"),
    (b"SQLite format 3\x00", "an SQLite database: export its table as Parquet or CSV"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file: convert it with pandas or h5py"),
    (b"\x93NUMPY", "a numpy array: convert it with pyarrow"),
    (b"Obj\x01", "an Avro file: convert it with polars or fastavro"),
    (b"ORC", "an ORC file: convert it with pyarrow.orc"),
    (b"%PDF-", "a PDF"),
    (b"\x7fELF", "a program"),
)
#: A level, and the first block or the end of the stream.
_BZIP2: Final = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_PICKLE: Final = re.compile(rb"\x80[\x02-\x05](?:[\x95\]}(c]|[\x00-\x7f])")
#: 8 bytes of length, and a JSON object of that length.
_SAFETENSORS: Final = re.compile(rb".{4}[\x00-\x0f]\x00{3}\{\s*\"", re.DOTALL)
#: An IPC message since format version 0.15: ff ff ff ff, and a length that is not negative.
_STREAM: Final = re.compile(rb"\xff{4}.{3}[\x00-\x7f]", re.DOTALL)
_WORD: Final = re.compile(rb"[\t\r\n\x20-\x7e]*")
_TAR: Final = (257, b"ustar")


def packed_by(head: bytes) -> str | None:
    """Return "gzip" or "zstd" where the first bytes are certain."""
    if head.startswith(_GZIP):
        return "gzip"
    return "zstd" if _is_zstd(head) else None


def _is_zstd(head: bytes) -> bool:
    at = 0
    while _SKIPPABLE.match(head, at):
        at += 8 + int.from_bytes(head[at + 4 : at + 8], "little")
        if at >= len(head):
            return True
    return head[at : at + 4] == _ZSTD


def foreign(head: bytes) -> str | None:
    """Return what a file is that cannot be read here, and the cure; None for others."""
    for magic, what in _FOREIGN:
        if head.startswith(magic) and not _is_word(head, magic):
            return what
    if head[_TAR[0] : _TAR[0] + 5] == _TAR[1]:
        return "a tar archive: unpack it"
    if _BZIP2.match(head):
        return "compressed by bzip2: run `bunzip2`, then `zstd` or `gzip` if it is to stay small"
    if _PICKLE.match(head):
        return "a pickle, which runs code when it is read: export it as Parquet where it was made"
    if _SAFETENSORS.match(head):
        return "a safetensors file, which has tensors, not rows"
    return None


def _is_word(head: bytes, magic: bytes) -> bool:
    """Whether letters that are a magic number are just the beginning of a text."""
    after = head[len(magic) : len(magic) + 8]
    return magic in {b"ORC", b"PARE", b"FEA1"} and _WORD.fullmatch(after) is not None


def format_of_bytes(head: bytes) -> str | None:
    """Return the binary format that the first bytes are certain of."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1\x00\x00") or _STREAM.match(head):
        return "arrow"
    return None


def is_text(head: bytes) -> bool:
    """Whether bytes are UTF-8 without control characters, cut off anywhere."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and is_text(head[: error.start])
    return not re.search(r"[\x00-\x08\x0e-\x1a]", text)


def is_array(head: bytes) -> bool:
    """Whether a text begins with ``[``."""
    return _begun(head).startswith(b"[")


def is_object(head: bytes) -> bool:
    """Whether a text begins with ``{"``."""
    return re.match(rb'\{\s*"', _begun(head)) is not None


def _begun(head: bytes) -> bytes:
    return head.removeprefix(_BOM).lstrip(b" \t\r\n")


def json_kind(head: bytes, is_all: bool) -> str | None:
    """Return "json" or "jsonl" for a file that begins with an array or an object, or None.

    An object with more after it in the file is JSONL; one over several lines, or alone, is JSON.
    """
    text = _begun(head).decode("utf-8", errors="replace")
    if text.startswith("["):
        return "json"
    return _object_kind(text, is_all) if text.startswith("{") else None


def _object_kind(text: str, is_all: bool) -> str | None:
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return _damaged_kind(text)
    rest = text[end:].lstrip(" \t\r")
    if "\n" in text[:end].strip() or rest[:1] not in {"", "\n"}:
        return "json"  # over several lines, or several on a line
    return "jsonl" if rest.strip() or not is_all else "json"


def _damaged_kind(text: str) -> str | None:
    """Tell by the first line, where the object is damaged or goes on after the head."""
    line, newline, _ = text.partition("\n")
    if not newline:
        return None
    return "json" if line.strip() in {"{", "["} or not line.rstrip().endswith("}") else "jsonl"
