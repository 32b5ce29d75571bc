"""Arguments that are integers in a range."""

from __future__ import annotations

import operator
from typing import Any, Final

#: One more than the largest seed.
SEEDS: Final = 1 << 64
#: One more than the most threads that can be told.
THREADS: Final = 1 << 32


def integer(name: str, value: Any, least: int, most: int) -> int:
    """Return it as Python's int; NumPy's are integers too, and a bool is none.

    Raises ``TypeError`` and ``ValueError`` that name the argument.
    """
    found = index(name, value)
    if not least <= found <= most:
        raise ValueError(f"{name}: {value}, want {least} to {most}")
    return found


def index(name: str, value: Any) -> int:
    """Return it as Python's int; raise ``TypeError`` naming it for what is none, and for bool."""
    if not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{name}: {type(value).__name__}, want an integer")
