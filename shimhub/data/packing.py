"""Rows of tokens into fewer rows of one length, block by block, and how full they are."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from shimhub.data._model import Skipped
from shimhub.data.errors import DataError
from shimhub.data.jobs._beside import check_beside
from shimhub.data.jobs._blocks import read_block, row_error, skips
from shimhub.data.jobs._choices import OVERLONG, STRATEGIES
from shimhub.data.jobs._jobs import Request, run, schema_of, write_part, written_format
from shimhub.data.jobs._marks import all_told
from shimhub.data.jobs._work import Stage
from shimhub.data.measuring import _plots
from shimhub.data.measuring._packs import PADS, Recipe, Tally, packed
from shimhub.data.measuring._sketches import quantiles
from shimhub.data.reading._asked import names_of, one_of, whole
from shimhub.data.runners import is_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Unpack

    from shimhub.data._model import Part
    from shimhub.data.jobs._options import JobOptions
    from shimhub.data.jobs._work import Job

#: Columns that are packed where none is named, the first of them in any case.
_COLUMNS: Final = ("input_ids", "labels", "attention_mask", "token_type_ids")
_MADE: Final = ("seq_lengths", "position_ids", "cu_seqlens")


@dataclass(frozen=True, slots=True)
class PackReport:
    """What came of it: ``rows`` in, ``packed`` rows out, and how full these are.

    ``fill`` is tokens / (packed rows * length). ``overlong`` rows were longer than ``length``;
    ``lost`` of their tokens were cut off or dropped. ``empty`` rows had no tokens; ``left_out`` are
    columns that were not packed. ``lengths`` are those of the rows that came in, ``fills`` those of
    the packed rows, in tokens. ``manifest`` is that of the job.
    """

    out: str
    length: int
    strategy: str
    rows: int
    packed: int
    tokens: int
    fill: float
    empty: int
    overlong: int
    lost: int
    skipped: int
    left_out: tuple[str, ...]
    lengths: dict[str, Any]
    fills: dict[str, Any]
    parts: int
    manifest: dict[str, Any]


def pack(
    inputs: object,
    out: str | os.PathLike[str],
    *,
    length: int,
    strategy: str = "bfd",
    overlong: str = "error",
    columns: Iterable[str] | None = None,
    position_ids: bool = True,
    cu_seqlens: bool = False,
    pad: int | Mapping[str, int] | None = None,
    plot: str | os.PathLike[str] | None = None,
    format: str | None = None,  # noqa: A002 - the name that users give
    **asked: Unpack[JobOptions],
) -> PackReport:
    """Pack rows of token lists into rows of up to ``length`` tokens.

    ``columns`` are lists that agree on each row's length; by default those there are of
    ``input_ids``, ``labels``, ``attention_mask`` and ``token_type_ids``. Strategies: ``"bfd"`` and
    ``"ffd"`` (best and first fit, longest rows first), ``"first_fit"``, ``"next_fit"`` (keeps the
    order), ``"multipack"`` (axolotl's sampler: first fit, at most 200 rows in one), ``"wrapped"``
    (all tokens in their order, cut each ``length``; rows are not told apart in it). They are those
    of :func:`shimhub.kernels.pack` and :func:`shimhub.kernels.packing_tables.pack_table`. A row of
    more than ``length`` tokens is an error, is ``"split"``, ``"truncate"``-d or ``"drop"``-ped as
    ``overlong`` says, and counted.

    Each packed row has ``seq_lengths``, the lengths of what is in it; ``position_ids`` that begin
    at 0 for each of these; and with ``cu_seqlens`` the bounds that attention kernels of variable
    length take. ``pad`` fills rows up to ``length``: a padding id, where labels get -100 and masks
    and positions 0, or a value for each column.

    Blocks of about ``block_bytes`` of input are packed by themselves, so that the output is the
    same for any runner, workers and shards; small files are put together in one. The last rows of
    a block may stay less full: at most about a row of each. ``plot`` is a picture of the lengths
    and of how full rows are (.png, .svg or .pdf), for which matplotlib must be there. ``format`` is
    the format to write: by default that of the name of ``out``, or Parquet. How inputs are read,
    and who does the work, is told as to all jobs: see :class:`shimhub.data.JobOptions`.

    Raises ``DataError`` for columns and options that do not fit, ``DecodeError`` for rows that do
    not (null, overlong, or of different lengths), what reading raises, and ``JobError`` where
    ``out`` is in the way.
    """
    whole("length", length)
    one_of("strategy", strategy, tuple(STRATEGIES))
    one_of("overlong", overlong, OVERLONG)
    _check_wrapped(strategy, overlong, cu_seqlens)
    if plot is not None:
        _plots.check(os.fspath(plot))
    request, left_out = _request(inputs, out, asked, columns, written_format(out, format))
    pads = _pads(pad, request.asked.columns, position_ids and strategy != "wrapped")
    recipe = Recipe(length, strategy, overlong, position_ids, cu_seqlens, pads)
    request = dataclasses.replace(request, params=dataclasses.asdict(recipe))
    job = request.job()
    _check_lists(schema_of(job))
    picture = None if plot is None else check_beside(os.fspath(plot), job)
    manifest = run(request, job, [_stage(job)], _result)
    tally = Tally.read(manifest["result"])
    report = _report(manifest, tally, recipe, left_out, os.fspath(out))
    if picture is not None and is_first(request.work.runner):
        _plots.draw(tally, length, picture, replace=request.work.overwrite)
    return report


def _check_wrapped(strategy: str, overlong: str, cu_seqlens: bool) -> None:
    """Refuse what has no meaning where rows are not told apart."""
    if strategy == "wrapped" and cu_seqlens:
        raise DataError("cu_seqlens=True: strategy='wrapped' has no bounds of rows; leave one out")
    if strategy == "wrapped" and overlong != "error":
        raise DataError(f"overlong={overlong!r}: strategy='wrapped' cuts all rows; leave one out")


def _request(
    inputs: object,
    out: str | os.PathLike[str],
    asked: JobOptions,
    columns: Iterable[str] | None,
    form: str | None,
) -> tuple[Request, tuple[str, ...]]:
    """Return the request with the columns that are packed, and those that are left out."""
    request = Request.of(pack, inputs, out, asked, format=form)
    there, named = request.schema().names, names_of(columns)
    chosen = named or tuple(name for name in _COLUMNS if name in there)
    if named is None and chosen[:1] != _COLUMNS[:1]:
        raise DataError(f"there is no column {_COLUMNS[0]!r} but {there}: name columns=")
    for name in chosen:
        if name in _MADE:
            raise DataError(f"column {name!r} is one that packing makes: is this packed already?")
    request = dataclasses.replace(request, asked=dataclasses.replace(request.asked, columns=chosen))
    return request, tuple(name for name in there if name not in chosen)


def _check_lists(schema: pa.Schema) -> None:
    for field in schema:
        if not (pa.types.is_list(field.type) or pa.types.is_large_list(field.type)):
            raise DataError(
                f"column {field.name!r} is {field.type}, no list: packing joins lists; name "
                "columns= that are some"
            )


def _pads(
    pad: int | Mapping[str, int] | None, columns: Any, positions: bool
) -> dict[str, int] | None:
    """Return the padding value of each column that is padded."""
    if pad is None:
        return None
    names = [*columns, *(["position_ids"] if positions else [])]
    if isinstance(pad, int):
        first = names[0]
        known = {**PADS, first: pad}
    else:
        known = {**PADS, **pad}
    for name in names:
        if name not in known:
            raise DataError(f"pad= has no value for column {name!r}: give {{{name!r}: 0}} with it")
    return {name: known[name] for name in names}


def _stage(job: Job) -> Stage:
    return Stage("pack", len(_groups(job)), f"{__name__}:pack_group")


def _groups(job: Job) -> list[list[int]]:
    """Return blocks that lie one behind the other and are packed together: small files are.

    A block counts as its share of its file's bytes. Depends on the plan alone.
    """
    blocks_of: dict[int, int] = {}
    for block in job.blocks:
        blocks_of[block.source] = blocks_of.get(block.source, 0) + 1
    most, held = job.plan["block_bytes"], 0
    groups: list[list[int]] = []
    for index, block in enumerate(job.blocks):
        size = max(job.sources[block.source].size, 0) // blocks_of[block.source]
        if not groups or held + size > most:
            groups.append([])
            held = 0
        groups[-1].append(index)
        held += size
    return groups


# ---- tasks


def pack_group(job: Job, index: int) -> dict[str, Any]:
    """Pack and write the rows of one group of blocks."""
    skipped, recipe = Skipped(), Recipe(**job.params)
    batches = []
    for block in _groups(job)[index]:
        for part in read_block(job, block, skipped):
            _refuse(job, block, part, recipe)
            batches.append(part.batch)
    table, tally = packed(pa.Table.from_batches(batches, schema_of(job)), recipe)
    files = write_part(job, index, table.schema, table.to_batches(_ROWS))
    return {**files, "tally": tally.told(), "skipped": skips(skipped)}


#: Packed rows that are written at once.
_ROWS: Final = 1000


def _result(job: Job) -> dict[str, Any]:
    total = Tally()
    for one in all_told(job, _stage(job)):
        total.merge(Tally.read(one["tally"]))
    return total.told()


def _refuse(job: Job, block: int, part: Part, recipe: Recipe) -> None:
    """Raise for the first row that cannot be packed, and say which it is."""
    found = _problem(part.batch, recipe)
    if found is not None:
        row, told = found
        raise row_error(job, block, part.first + row, told)


def _problem(batch: pa.RecordBatch, recipe: Recipe) -> tuple[int, str] | None:
    """Return the first row that does not fit, and why."""
    first = None
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count:
            row = int(np.argmax(np.asarray(column.is_null())))
            return row, f"is null in {name!r}; packing has no place for it"
        lengths = np.asarray(pc.list_value_length(column))
        first = lengths if first is None else first
        if (lengths != first).any():
            row = int(np.argmax(lengths != first))
            other = batch.schema.names[0]
            return row, f"has {lengths[row]} values in {name!r}, but {first[row]} in {other!r}"
    return _overlong(first, recipe)


def _overlong(lengths: Any, recipe: Recipe) -> tuple[int, str] | None:
    is_free = recipe.overlong != "error" or recipe.strategy == "wrapped"
    if is_free or not (lengths > recipe.length).any():
        return None
    row = int(np.argmax(lengths > recipe.length))
    return row, (
        f"has {lengths[row]} tokens, over length={recipe.length}; pass overlong='split', "
        "'truncate' or 'drop'"
    )


def _report(
    manifest: dict[str, Any],
    tally: Tally,
    recipe: Recipe,
    left_out: tuple[str, ...],
    out: str,
) -> PackReport:
    slots = tally.bins * recipe.length
    return PackReport(
        out=out,
        length=recipe.length,
        strategy=recipe.strategy,
        rows=tally.rows,
        packed=tally.bins,
        tokens=tally.tokens,
        fill=tally.tokens / slots if slots else 0.0,
        empty=tally.empty,
        overlong=tally.overlong,
        lost=tally.lost,
        skipped=manifest.get("skipped", {}).get("rows", 0),
        left_out=left_out,
        lengths=quantiles(tally.lengths),
        fills=quantiles(tally.fills),
        parts=len(manifest["parts"]),
        manifest=manifest,
    )
