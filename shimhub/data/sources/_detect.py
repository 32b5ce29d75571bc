"""Format and compression of a file: its name first, its first bytes where they disagree.

Content wins where it is certain (magic numbers), and the disagreement is told in the source's
``note``; if ``format=`` or ``compression=`` was given, it is an error instead.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import FORMATS
from shimhub.data.errors import FormatError
from shimhub.data.sources import _magic
from shimhub.data.sources._names import by_name

if TYPE_CHECKING:
    from collections.abc import Callable

#: How much of a file is looked at; JSON is told apart from JSONL by its first value.
_HEAD: Final = 1 << 12
_JSON_HEAD: Final = 1 << 18
_BINARY: Final = ("parquet", "arrow")


@dataclass(frozen=True, slots=True)
class Told:
    """What a file is, and what of its name or content does not agree."""

    format: str
    compression: str | None
    note: str = ""


def detect(
    path: str,
    opened: Callable[[], BinaryIO],
    format: str | None = None,  # noqa: A002 - the name that users give
    compression: str | None = None,
) -> Told:
    """Return what the file is; ``format`` and ``compression`` are as ``named_format`` returns them.

    Raises:
        FormatError: it cannot be told, it is something that is not read here, or it is not
            what ``format`` or ``compression`` says.
    """
    raw = _read(opened, None, _HEAD)
    _refuse_foreign(path, raw)
    packed, notes = _compression(path, raw, compression)
    head = _read(opened, packed, _HEAD) if packed else raw
    if packed and _magic.packed_by(head):
        raise FormatError(f"{path}: compressed twice; decompress it once")
    if packed:
        _refuse_foreign(path, head)
    found = _format(path, head, format, notes)
    if found in {"json", None}:
        found = _json_or_lines(_read(opened, packed, _JSON_HEAD), found, notes)
    return Told(found or _unknown(path, head), packed, "; ".join(notes))


def _read(opened: Callable[[], BinaryIO], packed: str | None, size: int) -> bytes:
    """Return the first bytes, decompressed; fewer where the file is damaged there."""
    with opened() as file:
        if packed is None:
            return file.read(size)
        return _unpacked(file, packed, size)


def _unpacked(file: BinaryIO, packed: str, size: int) -> bytes:
    got = io.BytesIO()
    try:
        with pa.CompressedInputStream(pa.PythonFile(file, "r"), packed) as stream:
            while got.tell() < size and (part := stream.read(min(512, size - got.tell()))):
                got.write(part)
    except (OSError, pa.ArrowInvalid):
        return got.getvalue()  # its reader tells where the damage is
    return got.getvalue()


def _refuse_foreign(path: str, head: bytes) -> None:
    what = _magic.foreign(head)
    if what is not None:
        raise FormatError(f"{path}: this is {what}")


def _compression(path: str, raw: bytes, asked: str | None) -> tuple[str | None, list[str]]:
    found, named = _magic.packed_by(raw), by_name(path)[1]
    if asked is not None:
        _refuse_other_compression(path, found, asked, bool(raw))
        return (None if asked == "none" else asked), []
    if found == named or not raw or (found is None and not _is_plain(raw)):
        return named, []
    return found, [f"named as {named or 'not compressed'}, but its bytes are {found or 'not'}"]


def _is_plain(raw: bytes) -> bool:
    """Whether bytes without the magic number of a compression are a file of data as it is."""
    return _magic.format_of_bytes(raw) is not None or _magic.is_text(raw)


def _refuse_other_compression(path: str, found: str | None, asked: str, has_bytes: bool) -> None:
    if has_bytes and (found or "none") != asked:
        raise FormatError(
            f"{path}: compression={asked!r}, but its bytes are of {found or 'no compression'}; "
            "leave compression= out"
        )


def _format(path: str, head: bytes, asked: str | None, notes: list[str]) -> str | None:
    found, named = _magic.format_of_bytes(head), asked or by_name(path)[0]
    if found is None or found == named:
        return _text_or_damaged(path, head, asked, notes) if found is None else found
    if asked is not None:
        raise FormatError(f"{path}: format={asked!r}, but its content is {found}")
    if named is not None:
        notes.append(f"named as {named}, but its content is {found}")
    return found


def _text_or_damaged(path: str, head: bytes, asked: str | None, notes: list[str]) -> str | None:
    """Return the format of what has no magic number; a damaged binary file stays what it was."""
    named = asked or by_name(path)[0]
    kind = _magic.json_kind(head, is_all=False)
    if kind is None or not _is_other(named, kind, head):
        return named
    if asked is not None:
        raise FormatError(f"{path}: format={asked!r}, but its content is {kind}")
    notes.append(f"named as {named}, but its content is {kind}")
    return None


def _is_other(named: str | None, kind: str, head: bytes) -> bool:
    """Whether JSON contradicts the name: for a binary format, and for an array in JSONL."""
    return named in _BINARY or (named == "jsonl" and kind == "json" and _magic.is_array(head))


def _json_or_lines(head: bytes, named: str | None, notes: list[str]) -> str | None:
    kind = _magic.json_kind(head, is_all=len(head) < _JSON_HEAD)
    if named is None and kind is None and _magic.is_object(head):
        return "jsonl"  # a first line that has no end in sight
    if named == "json" and kind == "jsonl":  # which the reader of JSON takes too, but not in parts
        notes.append("named as json, but it has an object on each line: read as jsonl")
    return kind or named


def _unknown(path: str, head: bytes) -> str:
    what = f"begins with {head[:16]!r}" if head else "is empty"
    raise FormatError(
        f"{path}: its format is not known by its name, and it {what}: give format= one of "
        f"{', '.join(FORMATS)}"
    )
