"""Tables for people, by ``rich``: imported only where it is installed and a terminal is there.

No meaning is by colour alone: every word stands in the plain text, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: Columns that a sentence needs beside the other two; with fewer it goes below the name.
_ROOM = 60

_STYLES = {
    "APPLIED": "green",
    "PENDING": "cyan",
    "CONFLICT": "yellow",
    "FAILED": "bold red",
    "error": "bold red",
    "warning": "yellow",
    "note": "cyan",
}


def console() -> Any:
    """Return a console for tables; None in a pipe, on a dumb terminal, or without rich.

    FORCE_COLOR stands for a terminal (https://force-color.org); NO_COLOR keeps the tables and
    leaves out every colour (https://no-color.org).
    """
    if not _is_terminal():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    color: Any = None if os.environ.get("NO_COLOR") else "auto"
    return Console(
        force_terminal=True, color_system=color, highlight=False, markup=False, emoji=False
    )


def _is_terminal() -> bool:
    if os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def table(heads: Sequence[str], rows: Sequence[tuple[str, str, str]], width: int) -> Any:
    """Return ``(word, name, text)`` rows as a table, in two columns where three do not fit."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    taken = max((len(word) for word, _, _ in rows), default=0)
    taken += max((len(name) for _, name, _ in rows), default=0)
    is_wide = width - taken >= _ROOM
    made = Table(*heads[: 3 if is_wide else 2], box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    made.columns[0].no_wrap = True
    for word, name, text in rows:
        lead = Text(word, _STYLES.get(word, "dim"))
        if is_wide:
            made.add_row(lead, Text(name, "bold", no_wrap=True), text)
        else:
            made.add_row(lead, Text.assemble((name, "bold"), "\n", text))
    return made


def fields(title: str, told: Mapping[str, str], word: str = "") -> Iterator[Any]:
    """Yield a title, and names with their values below it."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    yield Text(title, _STYLES.get(word, "bold"))
    grid = Table.grid(padding=(0, 2))
    for name, value in told.items():
        grid.add_row(Text(name, "cyan"), Text(value))
    yield Padding(grid, (0, 0, 0, 2))
