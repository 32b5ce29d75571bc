"""How commands print: results on stdout, wrapped to 80 columns, or as JSON with a schema key.

Where people look at a terminal and ``rich`` is installed, tables come by ``cli/terminal.py``.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from shimhub.cli import terminal

WIDTH = 80

#: The version of every JSON answer; output.schema.json has the rest.
SCHEMA = 1


def print_json(kind: str, **told: Any) -> None:
    """Print one JSON object that says by ``schema`` and ``kind`` what it holds."""
    print(json.dumps({"schema": SCHEMA, "kind": kind, **told}, indent=2))


def print_rows(heads: tuple[str, str, str], rows: Iterable[tuple[str, str, str]]) -> None:
    """Print ``(word, name, text)`` as columns; names that are too long get a line of their own."""
    cells = [(clean(str(word)), clean(name), clean(text)) for word, name, text in rows]
    if console := terminal.console():
        console.print(terminal.table(heads, cells, console.width))
        return
    size = max((len(name) for _, name, _ in cells), default=0)
    is_narrow = size > WIDTH // 3
    for word, name, text in cells:
        lead = f"{word:<10}  {name:<{size}}  "
        if is_narrow:
            print(lead.rstrip())
        print_filled(" " * 12 if is_narrow else lead, text)


def print_fields(title: str, fields: Mapping[str, Any], word: str = "") -> None:
    """Print ``title`` and below it ``name: value``, indented, a line or more each.

    Items of lists stand behind commas. At a terminal the title has the style of ``word``.
    """
    shown = {name: clean(_text(value)) for name, value in fields.items()}
    if console := terminal.console():
        console.print(*terminal.fields(clean(title), shown, word), sep="\n")
        return
    print(clean(title))
    for name, value in shown.items():
        print_filled(f"  {name + ':':<13} ", value)


def print_filled(lead: str, text: str) -> None:
    """Print ``text`` behind ``lead``, wrapped to the width of a terminal, words kept whole."""
    wrapper = textwrap.TextWrapper(WIDTH, lead, " " * len(lead))
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    print(wrapper.fill(clean(text)))


def count_of(count: int, thing: str) -> str:
    """Return ``1 problem``, ``2 problems`` or ``no problems``."""
    return f"{count or 'no'} {thing}{'' if count == 1 else 's'}"


def clean(text: str) -> str:
    """Return the text with control characters as escapes: a file's words move no cursor."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else ascii(letter)[1:-1]
        for letter in text
    )


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
