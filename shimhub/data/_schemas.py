"""Schemas of several files or blocks: are they the same, and what holds all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.errors import SchemaDriftError

if TYPE_CHECKING:
    from collections.abc import Iterable


def check_same(known: pa.Schema, found: pa.Schema, path: str, before: str) -> None:
    """Check that a file has the columns and types of those before; their order is free.

    Raises:
        SchemaDriftError: it does not.
    """
    for problem in differences(known, found):
        raise SchemaDriftError(
            path, f'{problem} in {before}; on_drift="unify" reads all before, and widens'
        )


def differences(known: pa.Schema, found: pa.Schema) -> Iterable[str]:
    """Yield what differs, column by column."""
    for field in known:
        if field.name not in found.names:
            yield f"has no column {field.name!r}, which is {field.type}"
        elif found.field(field.name).type != field.type:
            yield f"column {field.name!r} is {found.field(field.name).type}, but {field.type}"
    for field in found:
        if field.name not in known.names:
            yield f"has a column {field.name!r} ({field.type}) that is not there"
