"""Options that no file which is read has a use for: told, as they were given for some reason."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, Final

from shimhub.data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shimhub.data._model import Options, Source

_SEPARATED: Final = ("csv", "tsv")
#: Options by the formats that they are for; others are of limits, or for any format.
USED_BY: Final = {
    "infer": _SEPARATED,
    "delimiter": _SEPARATED,
    "quote": _SEPARATED,
    "encoding": ("json", "jsonl", "csv", "tsv", "text"),
}


def refuse_unused(sources: Sequence[Source], options: Options) -> None:
    """Refuse an option that was given and that none of the sources uses; one of many is enough.

    Raises:
        DataError: so it is.
    """
    there = {source.format: source.path for source in reversed(sources)}
    for name, value in _given(options):
        if there and not there.keys() & set(USED_BY[name]):
            found = ", ".join(f"{form} ({path})" for form, path in sorted(there.items()))
            raise DataError(
                f"{name}={value!r} is for {' and '.join(_words(USED_BY[name]))}, and what is read "
                f"is {found}: leave it out"
            )


def _given(options: Options) -> Iterable[tuple[str, Any]]:
    """Yield what is not as it is by default, with its value."""
    usual = {"infer": False, "delimiter": None, "quote": '"'}
    for name, value in usual.items():
        if getattr(options, name) != value:
            yield name, getattr(options, name)
    if codecs.lookup(options.encoding).name != "utf-8":
        yield "encoding", options.encoding


def _words(names: tuple[str, ...]) -> tuple[str, str]:
    return ", ".join(names[:-1]), names[-1]
