"""Record batches of a file in memory that are found right in one look, and read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]

from shimhub import kernels
from shimhub.data.formats._arrow_files import DAMAGE
from shimhub.data.formats._ipc_fields import is_free
from shimhub.data.formats._ipc_readers import included
from shimhub.kernels.ipc import IpcBatches

if TYPE_CHECKING:
    from shimhub.data.formats._arrow_files import Mapped
    from shimhub.kernels.ipc import IpcField


class Sure:
    """Batches by place: ``at`` says whether one is right, ``read`` reads it with pyarrow."""

    def __init__(
        self, mapped: Mapped, start: int, fields: list[IpcField], options: pa.ipc.IpcReadOptions
    ) -> None:
        self._file, self._start, self._options = mapped.reader(), start, options
        self.at, self.is_free = IpcBatches(mapped.data, fields).at, is_free(fields)
        self._place = -1
        self._stream = self._opened()

    @property
    def schema(self) -> pa.Schema:
        """The columns that are read, as the file's first message has them."""
        return self._stream.schema

    def _opened(self) -> pa.RecordBatchReader:
        self._file.seek(self._start)
        return pa.ipc.open_stream(self._file, options=self._options)

    def read(self, at: int, end: int) -> pa.RecordBatch:
        """Return the batch of the message that lies there."""
        if at != self._place:
            self._file.seek(at)
        self._place = -1
        try:
            batch = self._stream.read_next_batch()
        except DAMAGE:
            self._stream = self._opened()  # it does not know where in a message it is
            raise
        self._place = end
        return batch


def sure(
    mapped: Mapped,
    start: int,
    schema: pa.Schema,
    fields: list[IpcField] | None,
    wanted: list[int],
) -> Sure | None:
    """Return what reads these columns of a file in memory, whose schema's message is at a byte.

    None where that cannot be: for no column, without the native library, for types of layouts that
    it does not know, and where the message has another schema than the file's footer.
    """
    if fields is None or not wanted or not kernels.available():
        return None
    try:
        found = Sure(mapped, start, fields, included(wanted))
    except DAMAGE:
        return None
    is_all = len(wanted) == len(schema)
    told = schema if is_all else pa.schema([schema.field(number) for number in wanted])
    return found if found.schema.equals(told) else None
