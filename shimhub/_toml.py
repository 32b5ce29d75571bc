"""TOML with line numbers: tomllib gives values, this module adds where each key stands."""

from __future__ import annotations

import re
import sys
from typing import Any

from shimhub.model import Problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PART = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]")
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_OPENING = re.compile(r'''"""|\'{3}|"(?:[^"\\]|\\.)*"|'[^']*'|#.*''')
_CLOSING = {'"""': re.compile(r'(?:[^"\\]|\\.|""?(?!"))*?"""'), "'''": re.compile(r"'{3}")}
_SYNTAX_LINE = re.compile(r"at line (\d+)")

Path = tuple[Any, ...]

#: A registry is a table written by hand; anything larger is not one (and could exhaust memory).
MAX_BYTES = 4 * 1024 * 1024


def parse(text: bytes, file: str) -> tuple[dict[str, Any], dict[Path, int], list[Problem]]:
    """Return the data, the 1-based line of each key path, and the syntax error if there is one.

    Rows of an array of tables are numbered from 0: ``("shim", 0, "attach")``.
    """
    if len(text) > MAX_BYTES:
        return {}, {}, [Problem(file, 0, "file", f"larger than {MAX_BYTES} bytes: no registry")]
    try:
        data = tomllib.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        return {}, {}, [Problem(file, line, "file", "is not UTF-8; save it as UTF-8")]
    except tomllib.TOMLDecodeError as error:
        found = _SYNTAX_LINE.search(str(error))
        line = int(found.group(1)) if found else text.count(b"\n") + 1
        return {}, {}, [Problem(file, line, "syntax", f"not valid TOML: {error}")]
    except ValueError as error:  # an integer of thousands of digits
        return {}, {}, [Problem(file, 0, "syntax", f"a value cannot be read: {error}")]
    except RecursionError:
        return {}, {}, [Problem(file, 0, "syntax", "nested too deeply: no registry")]
    return data, line_map(text.decode("utf-8-sig")), []


def line_map(text: str) -> dict[Path, int]:
    """Map key paths to 1-based lines, by headers and by keys at the start of a line."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    quote = ""
    for number, line in enumerate(text.split("\n"), start=1):
        was_open, quote = quote, _quote_after(line, quote)
        if was_open:
            continue
        if header := _HEADER.match(line):
            table = _table_path(_parts(header.group(2)), header.group(1) == "[[", counts)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            _record(lines, table, _parts(key.group(1)), number)
    return lines


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _table_path(parts: Path, is_array: bool, counts: dict[Path, int]) -> Path:
    if is_array:
        counts[parts] = counts.get(parts, -1) + 1
        return (*parts, counts[parts])
    for size in range(len(parts), 0, -1):
        if parts[:size] in counts:
            return (*parts[:size], counts[parts[:size]], *parts[size:])
    return parts


def _record(lines: dict[Path, int], table: Path, parts: Path, number: int) -> None:
    for size in range(1, len(parts) + 1):
        lines.setdefault((*table, *parts[:size]), number)


def _quote_after(line: str, quote: str) -> str:
    """Return the multi-line quote that is open at the end of ``line``, or an empty string."""
    place = 0
    while True:
        if quote:
            end = _CLOSING[quote].search(line, place)
            if end is None:
                return quote
            quote, place = "", end.end()
        opened = _OPENING.search(line, place)
        if opened is None:
            return ""
        place = opened.end()
        quote = opened.group() if opened.group() in _CLOSING else ""
