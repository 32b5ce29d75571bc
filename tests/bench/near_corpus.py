"""A real corpus for near duplicates: docstrings of installed packages, and Debian's documentation.

``python -m tests.bench.near_corpus OUT.parquet [--rows N]`` walks this interpreter's site-packages
and the system's (docstrings of modules, classes and functions, by ``ast``), ``/usr/share/doc`` and
``/usr/share/man`` (whole files, ``.gz`` too). The same machine gives the same file: folders are
walked in the order of their names. Texts equal to an earlier one are left out, as exact
deduplication comes first; so are those of fewer than ten words, and files above a megabyte.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import inspect
import os
import sys
import sysconfig
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

WORDS_MIN = 10
_BYTES_MAX = 1_000_000
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_PACKAGES = ("/usr/lib/python3/dist-packages", f"/usr/lib/python3.{sys.version_info.minor}")
_DOCUMENTS = ("/usr/share/doc", "/usr/share/man")


def main() -> int:
    """Write the corpus, and tell how many rows it has and where they are from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=0, help="stop there; 0 takes all")
    asked = parser.parse_args()
    counts = write(asked.out, asked.rows)
    print(f"{asked.out}: {sum(counts.values()):,} rows: {counts}")
    return 0


def write(out: Path, limit: int = 0) -> dict[str, int]:
    """Write (kind, origin, text) as Parquet; return how many rows of each kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(_limited(corpus(), limit))
    kinds = [kind for kind, _, _ in rows]
    table = pa.table(
        {
            "kind": kinds,
            "origin": [origin for _, origin, _ in rows],
            "text": [text for _, _, text in rows],
        }
    )
    pq.write_table(table, out, compression="zstd", row_group_size=10_000)
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def corpus() -> Iterator[tuple[str, str, str]]:
    """Yield (kind, origin, text) of each different text of ten words or more, in a fixed order."""
    seen: set[str] = set()
    for kind, origin, text in _all():
        if len(text.split()) >= WORDS_MIN and text not in seen:
            seen.add(text)
            yield kind, origin, text


def _limited(rows: Iterator[tuple[str, str, str]], limit: int) -> Iterator[tuple[str, str, str]]:
    for at, row in enumerate(rows):
        if limit and at == limit:
            return
        yield row


def _all() -> Iterator[tuple[str, str, str]]:
    for root in (sysconfig.get_path("purelib"), *_PACKAGES):
        for path in _files(Path(root)):
            if path.suffix == ".py":
                yield from (("docstring", str(path), text) for text in _docstrings(path))
    for root in _DOCUMENTS:
        for path in _files(Path(root)):
            text = _document(path)
            if text is not None:
                yield "document", str(path), text


def _files(root: Path) -> Iterator[Path]:
    """Yield the regular files below a folder by name; links are not followed: they are copies."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _docstrings(path: Path) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # escapes of old code are none of ours
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):  # templates, and tests of parsers
        return
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED):
            found = ast.get_docstring(node, clean=False)
            if found is not None and _is_text(found):
                yield inspect.cleandoc(found)


def _is_text(found: str) -> bool:
    """Whether it can be written as UTF-8: some tests' docstrings are of lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in found)


def _document(path: Path) -> str | None:
    """Return a file's text; None for what is large, or no UTF-8."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        return content.decode() if len(content) <= _BYTES_MAX else None
    except (UnicodeDecodeError, PermissionError, EOFError, zlib.error, gzip.BadGzipFile):
        return None


if __name__ == "__main__":
    sys.exit(main())
