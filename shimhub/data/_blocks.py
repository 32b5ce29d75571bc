"""Inputs cut into blocks, and the rows of a block; which workers there are does not matter."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from shimhub.data._formats import format_of
from shimhub.data._model import Block, Skipped, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shimhub.data._model import Options, Part, Source
    from shimhub.data._work import Job


def cut(sources: Sequence[Source], size: int, options: Options) -> tuple[Block, ...]:
    """Return the blocks of about ``size`` bytes of all sources, in order; at least one."""
    found = [
        Block(number, span)
        for number, source in enumerate(sources)
        for span in format_of(source).spans(source, size, options)
    ]
    return tuple(found) or (Block(0, Span()),)


def read_block(
    job: Job, index: int, skipped: Skipped | None = None, columns: Sequence[str] | None = None
) -> Iterator[Part]:
    """Yield the record batches of block ``index`` of a job, all of the job's schema, in order.

    ``Part.first`` counts the rows of the block's span. ``skipped`` collects what
    ``on_error="skip"`` leaves out: tell it by ``skips()`` so that the manifest has it.
    ``columns`` chooses some of the job's, in that order.
    """
    block = job.blocks[index]
    source = job.sources[block.source]
    options = dataclasses.replace(job.options, skipped=skipped or Skipped())
    if columns is not None:
        options = dataclasses.replace(options, columns=tuple(columns))
    yield from format_of(source).batches(source, block.span, options)


def skips(skipped: Skipped) -> dict[str, Any]:
    """Return what a task tells under the key "skipped"."""
    return {
        "rows": skipped.rows,
        "unread": skipped.unread,
        "files": dict(skipped.files),
        "first": [str(error) for error in skipped.first],
    }


def name_of(job: Job, index: int) -> str:
    """Return how a block is called in messages."""
    block = job.blocks[index]
    start, stop = block.span.start, block.span.stop
    end = "end" if stop is None else stop
    return f"block {index} ({job.sources[block.source].path}, {start} to {end})"
