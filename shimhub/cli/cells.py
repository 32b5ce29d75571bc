"""Tables and values of data for people: 80 columns, cut with an ellipsis, nothing raw."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from typing import Any

from shimhub.cli.output import WIDTH, clean

#: Between columns, the least that a cut column has, and what a cut cell ends with.
_GAP, _LEAST, _CUT = "  ", 8, "…"
#: Letters of a value that are looked at: no more than these fit into a line.
_LOOK = 4 * WIDTH
#: Powers of 1000 by their units, as disks are sold.
_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000


def shown(value: Any) -> str:
    """Return a value on one line, as Python writes it inside of lists; null where it is None."""
    if value is None:
        return "null"
    if isinstance(value, str):
        text = value[:_LOOK]
    elif isinstance(value, (dict, list, tuple, bytes)):
        text = _short(value)
    else:
        text = str(value)
    return clean(text.replace("\n", "\\n").replace("\t", "\\t"))


def quoted(value: Any) -> str:
    """Return a value on one line, texts in quotes, so that empty ones and spaces are seen."""
    return clean(repr(value[:_LOOK])) if isinstance(value, str) else shown(value)


def _short(value: Any) -> str:
    """Return the beginning of a nested value: no more of it is written than fits."""
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {_short(one)}" for key, one in list(value.items())[:_LEAST])
        return f"{{{inner}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_short, value[:WIDTH]))}]"
    return repr(value[:_LOOK] if isinstance(value, (str, bytes)) else value)


def width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cut(text: str, room: int) -> str:
    """Return the text in ``room`` columns, with an ellipsis where it is longer."""
    if width(text) <= room:
        return text
    kept, taken = [], 0
    for letter in text:
        taken += _columns(letter)
        if taken > room - 1:
            break
        kept.append(letter)
    return "".join(kept) + _CUT


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> None:
    """Print columns, the widest cut until a line fits; ``right`` has an "r" for those to align.

    Where columns would get less than eight letters, each row is printed as a list of its cells.
    """
    cells = [[clean(one) for one in row] for row in (heads, *rows)]
    widths = _fitted([max(map(width, column)) for column in zip(*cells, strict=True)])
    if widths is None:
        _print_records(cells[0], cells[1:])
        return
    for row in cells:
        padded = [
            _pad(one, size, right[i : i + 1])
            for i, (one, size) in enumerate(zip(row, widths, strict=True))
        ]
        print(_GAP.join(padded).rstrip())


def _pad(text: str, size: int, side: str) -> str:
    text = cut(text, size)
    space = " " * (size - width(text))
    return space + text if side == "r" else text + space


def _fitted(widths: list[int]) -> list[int] | None:
    """Return widths that fit into a line, the widest made narrower; None if they cannot."""
    room = WIDTH - len(_GAP) * (len(widths) - 1)
    found = list(widths)
    while sum(found) > room:
        widest = max(found)
        if widest <= _LEAST:
            return None
        found[found.index(widest)] = max(_LEAST, widest - max(1, (sum(found) - room) // 4))
    return found


def _print_records(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    size = min(max(map(width, heads)), WIDTH // 3)
    for number, row in enumerate(rows):
        print(f"row {number}")
        for head, cell in zip(heads, row, strict=True):
            print(f"  {_pad(head, size, '')}  {cut(cell, WIDTH - size - 4)}".rstrip())


def here(text: str) -> str:
    """Return a text with the paths in it as they are seen from the working directory."""
    return text.replace(os.getcwd() + os.sep, "")


def bytes_text(count: int) -> str:
    """Return a size with three digits at least: ``1.23 GB``; ``unknown`` below 0."""
    if count < 0:
        return "unknown"
    size, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if size < _THOUSAND or unit == _UNITS[-1]:
            break
        size /= _THOUSAND
    return f"{count} B" if unit == "B" else f"{size:.3g} {unit}"


def share(part: float, whole: float) -> str:
    """Return a percentage with two places; 0 % of nothing."""
    return f"{100 * part / whole:.2f} %" if whole else "0 %"
