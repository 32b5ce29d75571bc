"""Record batches as the items that a DataLoader gets: rows, or batches of a size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from shimhub.data.errors import DataError
from shimhub.data.reading import _outputs
from shimhub.data.reading._batching import rebatched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data.feeding._cursor import Cursor


def rows(cursor: Cursor, output: str) -> Iterator[dict[str, Any]]:
    """Yield row after row, and count each in ``cursor.rows`` before it is given."""
    convert = _ROWS[output]
    for batch in cursor.batches():
        for row in _made(convert, batch):
            cursor.rows += 1
            yield row


def batches(cursor: Cursor, output: str, size: int) -> Iterator[Any]:
    """Yield batches of ``size`` rows, the last one shorter, and count their rows as above."""
    convert = _BATCHES[output]
    for batch in rebatched(cursor.batches(), size):
        found = _made(convert, batch)
        cursor.rows += batch.num_rows
        yield found


def _made(convert: Callable[[pa.RecordBatch], Any], batch: pa.RecordBatch) -> Any:
    try:
        return convert(batch)
    except ValueError as error:
        raise DataError(
            f"{error} (rows are those of a batch here: streaming_dataset_reader with the same "
            "output names the file and its row)"
        ) from error


def _numpy_rows(batch: pa.RecordBatch) -> Iterable[dict[str, Any]]:
    return _zipped(_outputs.numpy_of(batch))


def _torch_rows(batch: pa.RecordBatch) -> Iterable[dict[str, Any]]:
    return _zipped(_outputs.torch_of(batch))


def _zipped(columns: dict[str, Any]) -> Iterator[dict[str, Any]]:
    names = tuple(columns)
    for cells in zip(*columns.values(), strict=True):
        yield dict(zip(names, cells, strict=True))


def _same(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


_ROWS: Final[dict[str, Callable[[pa.RecordBatch], Iterable[dict[str, Any]]]]] = {
    "rows": _outputs.rows_of,
    "numpy": _numpy_rows,
    "torch": _torch_rows,
}
_BATCHES: Final[dict[str, Callable[[pa.RecordBatch], Any]]] = {
    "rows": _outputs.rows_of,
    "columns": _outputs.columns_of,
    "numpy": _outputs.numpy_of,
    "torch": _outputs.torch_of,
    "arrow": _same,
}
