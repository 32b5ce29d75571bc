"""Packing of Arrow tables: rows of lists become fewer and longer rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]


def pack_table(
    table: Any,
    capacity: int,
    *,
    strategy: str = "best_fit_decreasing",
    overlong: str = "truncate",
) -> pa.Table:
    """Pack the rows of a table of lists, such as tokens and their labels, into longer rows.

    ``table`` is a pyarrow Table or RecordBatch, a Dataset of Hugging Face, or anything else with
    Arrow's C stream (polars, for example). It has columns of lists (``list`` or ``large_list``,
    chunked and sliced as it may be) that agree on each row's length. Each bin of
    :func:`shimhub.kernels.pack` becomes a row with its items' values one behind the other; the
    column ``seq_lengths`` tells how long they are.
    Rows without values are left out. ``strategy`` is one of ``pack``'s or ``"wrapped"``:
    all values in their order, cut each ``capacity`` without regard to rows, and no
    ``seq_lengths``. ``overlong`` rows lose what is over ``capacity`` (``"truncate"``), become
    several of ``capacity`` and a rest (``"split"``), are left out (``"drop"``), or are an error.

    The result is that of trl's ``pack_dataset``: ``"bfd"`` is the default, ``"bfd_split"`` is
    ``overlong="split"``, and ``"wrapped"`` is itself; it forgets the names of list items and the
    metadata of the schema as that does.
    https://github.com/huggingface/trl/blob/main/trl/data_utils.py

    O(values) copying beside ``pack``'s work; values of fixed width (numbers, booleans, times,
    decimals) are copied by the native library, others by pyarrow. Raises ``TypeError`` for what is
    no table or a column that is not of lists, ``ValueError`` for a table without columns, rows that
    are null, of different lengths or not within the values (with the column and row) and as
    ``pack``, ``OverflowError`` if the values
    are too many for the offsets of ``list``: cast to ``large_list`` then; ``ModuleNotFoundError``
    without pyarrow.
    """
    try:
        from shimhub.kernels._packing_tables import packed
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        cure = "pip install 'shimhub[data]', or pyarrow alone"
        raise ModuleNotFoundError(f"pack_table needs pyarrow: {cure}", name="pyarrow") from error
    return packed(table, capacity, strategy, overlong)
