"""What the name of a file says about its format, and which files of a folder are not data."""

from __future__ import annotations

import os
from typing import Final

from shimhub.data._model import COMPRESSIONS, FORMATS
from shimhub.data.errors import FormatError
from shimhub.errors import nearest

EXTENSIONS: Final = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "text",
    ".text": "text",
}
PACKED: Final = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}

#: Other words for ``format=``: extensions, and the names that fast-axolotl has.
_WORDS: Final = {
    **{extension[1:]: name for extension, name in EXTENSIONS.items()},
    "arrow_stream": "arrow",
    "hf_dataset": "arrow",
}
#: Files beside data, in lower case: documents by stem, and descriptions by name.
_DOCUMENTS: Final = {
    *("readme", "license", "licence", "copying", "notice", "changelog", "changes", "authors"),
    *("citation", "contributing"),
}
#: What `datasets` writes into a folder that it saves, beside files that are no data.
SAVED: Final = ("state.json", "dataset_dict.json")
_DESCRIPTIONS: Final = {
    *("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"),
}


def by_name(name: str) -> tuple[str | None, str | None]:
    """Return the format and the compression that the extensions say; None where they do not."""
    stem, extension = os.path.splitext(name.rstrip("/").lower())
    packed = PACKED.get(extension)
    if packed is not None:
        extension = os.path.splitext(stem)[1]
    return EXTENSIONS.get(extension), packed


def is_beside(name: str) -> bool:
    """Whether a file of a folder is a document or description, not data."""
    low = name.lower()
    return low.endswith((".md", ".rst")) or low in _DESCRIPTIONS or low.split(".")[0] in _DOCUMENTS


def is_hidden(name: str) -> bool:
    """Whether a name starts with ``.`` or ``_``, which pyarrow.dataset leaves out as well."""
    return name.startswith((".", "_"))


def named_format(word: str | None, packed: str | None) -> tuple[str | None, str | None]:
    """Return what ``format=`` and ``compression=`` mean; None is to be told from the file.

    The compression may be "none". ``"jsonl.gz"`` is both in one, ``"auto"`` is None.

    Raises:
        FormatError: one is not known, or they contradict each other.
    """
    stem, dot, end = ("auto" if word is None else word).lower().lstrip(".").rpartition(".")
    inside = PACKED.get("." + end) if dot else None
    name = stem if inside else end if not dot else f"{stem}.{end}"
    return _format_word(name, word), _compression_word(packed, inside)


def _format_word(name: str, word: str | None) -> str | None:
    if name == "auto":
        return None
    if name in FORMATS:
        return name
    if name in _WORDS:
        return _WORDS[name]
    raise FormatError(f"format={word!r} is none of {', '.join(FORMATS)}{nearest(name, _WORDS)}")


def _compression_word(packed: str | None, inside: str | None) -> str | None:
    if packed is None or packed == "auto":
        return inside
    found = PACKED.get("." + packed.lower().lstrip("."), packed)
    if found not in {*COMPRESSIONS, "none"}:
        known = ", ".join((*COMPRESSIONS, "none"))
        raise FormatError(f"compression={packed!r} is none of {known}{nearest(packed, PACKED)}")
    if inside not in {None, found}:
        raise FormatError(f"format= says {inside}, and compression= says {found}: name one of them")
    return found
