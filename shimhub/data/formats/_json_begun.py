"""The first block of a JSON source: its rows tell the schema, and are not parsed again for that."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from shimhub.data import _kept
from shimhub.data._model import Span
from shimhub.data.formats._json_arrow import may_round_integers

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data._model import Options, Source
    from shimhub.data.formats._line_blocks import LineBlock
    from shimhub.data.formats._pieces import Quick


class Begun:
    """Blocks of a source from its beginning, and what Arrow made of the first one.

    ``blocks`` is what they come from; its ``size`` may be set for those that follow.
    """

    def __init__(
        self,
        blocks: Any,
        rest: Generator[LineBlock, None, None],
        first: LineBlock,
        found: tuple[int, pa.RecordBatch],
    ) -> None:
        self.blocks, self._rest = blocks, rest
        #: Neither is held longer than it is needed.
        self._first: LineBlock | None = first
        self._found: tuple[Any, tuple[int, pa.RecordBatch]] | None = (first.data, found)

    def __iter__(self) -> Iterator[LineBlock]:
        """Yield the first block again, and then those behind it."""
        first, self._first = self._first, None
        if first is not None:
            yield first
            del first
        yield from self._rest

    def quick(self, schema: pa.Schema, otherwise: Quick) -> Quick:
        """Return what knows the first block's rows, if they are of the schema, and asks others."""

        def quick(data: bytes | memoryview, count: int | None) -> tuple[int, Any] | None:
            if self._found is None or data is not self._found[0]:
                return otherwise(data, count)
            rows, batch = self._found[1]
            self._found = None
            is_sure = batch.schema.equals(schema) and not may_round_integers(batch)
            return (rows, batch) if is_sure else otherwise(data, count)

        return quick


def keep(source: Source, options: Options, begun: Begun, rest: Generator[Any, None, None]) -> None:
    """Hold it in ``options.kept``, for who reads the source next."""
    if options.kept is not None:
        stack = ExitStack()
        stack.callback(rest.close)
        options.kept.put(source, begun, stack)


@contextmanager
def begun(source: Source, span: Span, options: Options, size: int) -> Iterator[Begun | None]:
    """Take what is held of a source; blocks of it are ``size`` bytes from now on.

    None where nothing is held, or the span is not the whole source.
    """
    with _kept.opened(source, options, _nothing) as found:
        if found is None or span != Span():
            yield None
            return
        found.blocks.size = size
        yield found


@contextmanager
def _nothing(_source: Source, _options: Options) -> Iterator[None]:
    yield None
