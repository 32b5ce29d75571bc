"""Arguments that are integers in a range, and the names that errors have for arguments."""

from __future__ import annotations

import contextlib
import operator
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@contextlib.contextmanager
def told_as(**names: str) -> Iterator[None]:
    """Within it, errors that begin with the name of an argument begin with the one given for it.

    For functions that have other names for the arguments of kernels.
    """
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        word = re.match(r"\w+", str(error))
        if word is None or word[0] not in names:
            raise
        told = names[word[0]] + str(error)[word.end() :]
        raise type(error)(told) from None
