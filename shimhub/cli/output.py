"""How commands print: results on stdout, wrapped to 80 columns, or as JSON with a schema key."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

WIDTH = 80

#: The version of every JSON answer; output.schema.json has the rest.
SCHEMA = 1


def print_json(kind: str, **told: Any) -> None:
    """Print one JSON object that says by ``schema`` and ``kind`` what it holds."""
    print(json.dumps({"schema": SCHEMA, "kind": kind, **told}, indent=2))


def print_rows(rows: Iterable[tuple[str, str, str]]) -> None:
    """Print ``(word, name, text)`` as columns; names that are too long get a line of their own."""
    rows = list(rows)
    size = max((len(name) for _, name, _ in rows), default=0)
    is_narrow = size > WIDTH // 3
    for word, name, text in rows:
        lead = f"{word:<10}  {name:<{size}}  "
        if is_narrow:
            print(lead.rstrip())
        print_filled(" " * 12 if is_narrow else lead, text)


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print ``name: value`` indented, a line or more each; items of lists behind commas."""
    for name, value in fields.items():
        shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        print_filled(f"  {name + ':':<13} ", shown)


def print_filled(lead: str, text: str) -> None:
    """Print ``text`` behind ``lead``, wrapped to the width of a terminal, words kept whole."""
    wrapper = textwrap.TextWrapper(WIDTH, lead, " " * len(lead))
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    print(wrapper.fill(text))


def count_of(count: int, thing: str) -> str:
    """Return ``1 problem``, ``2 problems`` or ``no problems``."""
    return f"{count or 'no'} {thing}{'' if count == 1 else 's'}"
