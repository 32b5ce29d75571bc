"""Columns as they are compared: normalised, by a rule that has a name."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from shimhub.data.errors import DataError
from shimhub.errors import nearest

#: What ``normalize=`` may join with "+", in the order in which it is done.
RULES: Final = ("nfc", "nfkc", "lower", "ws")


def checked_rules(normalize: str | None) -> tuple[str, ...]:
    """Return the rules of ``"nfc+ws"`` in their order; raise ``DataError`` for unknown ones."""
    asked = normalize.split("+") if normalize else []
    unknown = [rule for rule in asked if rule not in RULES]
    if unknown:
        raise DataError(
            f"normalize={normalize!r}: {unknown[0]!r} is none of {', '.join(RULES)}, which are "
            f"joined with '+'{nearest(unknown[0], RULES)}"
        )
    return tuple(rule for rule in RULES if rule in asked)


def normalized(column: Any, rules: tuple[str, ...]) -> Any:
    """Return a column of strings by the rules; any other column as it is. Null stays null."""
    if not rules or not is_text(column.type):
        return column
    column = column.cast(pa.large_string())
    for rule in rules:
        column = _APPLY[rule](column)
    return column


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of the type holds strings; a dictionary of strings does."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def _collapsed(column: Any) -> Any:
    """Return texts without white space around them, and one space for each run inside."""
    words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(column))
    return pc.binary_join(words, pa.scalar(" ", pa.large_string()))


_APPLY: Final = {
    "nfc": lambda column: pc.utf8_normalize(column, form="NFC"),
    "nfkc": lambda column: pc.utf8_normalize(column, form="NFKC"),
    "lower": pc.utf8_lower,
    "ws": _collapsed,
}
