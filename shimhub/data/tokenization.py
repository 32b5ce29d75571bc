"""Texts into token ids: Hugging Face's ``tokenizers`` in each worker, block by block."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data._model import Skipped
from shimhub.data.errors import DataError
from shimhub.data.jobs._blocks import read_block, row_error, skips
from shimhub.data.jobs._choices import OVERLONG
from shimhub.data.jobs._jobs import Request, run, schema_of, write_part, written_format
from shimhub.data.jobs._marks import all_told
from shimhub.data.jobs._work import Stage
from shimhub.data.measuring._sketches import Lengths, quantiles
from shimhub.data.measuring._tokens import Encoder, OverlongError, Recipe, Tally, lists_of, serial
from shimhub.data.reading._asked import one_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Unpack

    from shimhub.data._model import Part
    from shimhub.data.errors import DecodeError
    from shimhub.data.jobs._options import JobOptions
    from shimhub.data.jobs._work import Job

_IDS, _MASK = "input_ids", "attention_mask"


@dataclass(frozen=True, slots=True)
class TokenizeReport:
    """What came of it: ``rows`` in, ``written`` out, and what was cut off or left out.

    ``overlong`` texts had more tokens than ``max_length``; ``lost`` of their tokens were not
    written. ``lengths`` are those of the rows written, in tokens; ``manifest`` is the job's.
    """

    out: str
    rows: int
    written: int
    tokens: int
    overlong: int
    lost: int
    nulls: int
    skipped: int
    lengths: dict[str, Any]
    parts: int
    manifest: dict[str, Any]


def tokenize(
    inputs: object,
    out: str | os.PathLike[str],
    *,
    tokenizer: Any,
    text: str = "text",
    max_length: int | None = None,
    overlong: str = "truncate",
    stride: int = 0,
    special_tokens: bool = True,
    bos: str | None = None,
    eos: str | None = None,
    attention_mask: bool = False,
    keep: Iterable[str] = (),
    format: str | None = None,  # noqa: A002 - the name that users give
    **asked: Unpack[JobOptions],
) -> TokenizeReport:
    """Write the token ids of a column of texts as ``input_ids``, a list<int32>.

    ``tokenizer`` is the path of a ``tokenizer.json``, a folder that has one, or a
    ``tokenizers.Tokenizer``; what it sets of truncation and padding is not heeded. Texts get the
    special tokens that it adds (``special_tokens``), and ``bos`` in front and ``eos`` behind unless
    it adds these itself. A text with more than ``max_length`` tokens, added ones among them, is cut
    (``overlong="truncate"``), becomes several rows (``"split"``, where each repeats the last
    ``stride`` tokens of the one before, and has added tokens of its own), is left out (``"drop"``),
    or is an error; each is counted. A null is an error, or with ``on_error="skip"`` a skipped row.

    ``attention_mask`` adds a column of ones, as no row is padded; ``keep`` are other columns that
    are written, too. ``format`` is the format to write: by default that of the name of ``out``, or
    Parquet. How inputs are read, and who does the work, is told as to all jobs: see
    :class:`shimhub.data.JobOptions`. The same output for any runner, workers and shards.

    Raises ``DataError`` for columns, tokens and options that do not fit, what reading raises,
    ``JobError`` where ``out`` is in the way, ``ModuleNotFoundError`` without ``tokenizers``.
    """
    recipe = Recipe(
        text=text,
        max_length=max_length,
        overlong=overlong,
        stride=stride,
        special_tokens=special_tokens,
        bos=bos,
        eos=eos,
        attention_mask=attention_mask,
        keep=tuple(keep),
    )
    _check(recipe)
    form, columns = written_format(out, format), [text, *recipe.keep]
    request = Request.of(tokenize, inputs, out, asked, columns, format=form)
    told = _json_of(tokenizer)
    Encoder(told, recipe)  # what does not fit is told before anything is read
    params = {
        **dataclasses.asdict(recipe),
        "keep": list(recipe.keep),
        "tokenizer_sha256": hashlib.sha256(told.encode()).hexdigest(),
    }
    request = replace(request, params=params)
    job = replace(request.job(), payload=told)
    _check_text(job, text)
    with serial():  # processes that are forked from this one are not warned of
        manifest = run(request, job, [_stage(job)], _result)
    return _report(manifest, os.fspath(out))


def _check(recipe: Recipe) -> None:
    one_of("overlong", recipe.overlong, OVERLONG)
    whole("stride", recipe.stride, 0)
    if recipe.max_length is not None:
        whole("max_length", recipe.max_length)
    elif recipe.overlong in {"split", "drop"}:
        raise DataError(f"overlong={recipe.overlong!r} needs max_length=: no text is overlong")
    if recipe.stride and recipe.overlong != "split":
        raise DataError(f"stride={recipe.stride} needs overlong='split': leave it out")
    taken = {_IDS, _MASK} if recipe.attention_mask else {_IDS}
    names = [recipe.text, *recipe.keep]
    for name in recipe.keep:
        if name in taken or names.count(name) > 1:
            raise DataError(f"keep={name!r}: a column of that name is read or written already")


def _check_text(job: Job, text: str) -> None:
    kind = schema_of(job).field(text).type
    if not any(is_kind(kind) for is_kind in _TEXTS):
        raise DataError(f"column {text!r} is {kind}: name a column of texts with text=")


_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)


def _json_of(tokenizer: Any) -> str:
    """Return the JSON of a tokenizer, or of the file that a path leads to."""
    if hasattr(tokenizer, "to_str"):
        return str(tokenizer.to_str())
    if not isinstance(tokenizer, (str, os.PathLike)):
        kind = type(tokenizer).__name__
        raise TypeError(f"tokenizer= is {kind}: give a path, or a tokenizers.Tokenizer")
    path = Path(tokenizer)
    try:
        return (path / "tokenizer.json" if path.is_dir() else path).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: this is no tokenizer.json: {error}") from error


def _stage(job: Job) -> Stage:
    return Stage("tokenize", len(job.blocks), f"{__name__}:encode_block")


# ---- tasks


def encode_block(job: Job, index: int) -> dict[str, Any]:
    """Write the ids of one block."""
    names = {field.name for field in dataclasses.fields(Recipe)}
    told = {key: value for key, value in job.params.items() if key in names}
    recipe = Recipe(**{**told, "keep": tuple(told["keep"])})
    made = _Block(job, index, _encoder(job.payload, recipe), recipe)
    files = write_part(job, index, made.schema, made.batches())
    return {**files, "tally": made.tally.told(), "skipped": skips(made.skipped)}


@functools.lru_cache(maxsize=1)
def _encoder(told: str, recipe: Recipe) -> Encoder:
    """Return the encoder of a job: a large vocabulary takes a second to read."""
    return Encoder(told, recipe)


class _Block:
    """The rows of a block as they become batches of ids."""

    def __init__(self, job: Job, index: int, encoder: Encoder, recipe: Recipe) -> None:
        self._job, self._index = job, index
        self._encoder, self._recipe = encoder, recipe
        self.tally, self.skipped = Tally(), Skipped()
        kinds = [(name, schema_of(job).field(name).type) for name in recipe.keep]
        kinds.append((_IDS, pa.list_(pa.int32())))
        kinds += [(_MASK, pa.list_(pa.int8()))] if recipe.attention_mask else []
        self.schema = pa.schema(kinds)

    def batches(self) -> Iterator[pa.RecordBatch]:
        for part in read_block(self._job, self._index, self.skipped):
            yield self._encoded(part, self._without_nulls(part))

    def _without_nulls(self, part: Part) -> pa.RecordBatch:
        texts = part.batch.column(0)
        self.tally.rows += len(texts)
        if not texts.null_count:
            return part.batch
        for row in np.flatnonzero(np.asarray(texts.is_null())):
            error = self._problem(
                part.first + int(row), "is null; on_error='skip' leaves such rows out"
            )
            if self._job.options.on_error != "skip":
                raise error
            self.skipped.add(error)
        self.tally.nulls += texts.null_count
        return part.batch.filter(texts.is_valid())

    def _problem(self, row: int, told: str) -> DecodeError:
        return row_error(self._job, self._index, row, f"column {self._recipe.text!r} {told}")

    def _encoded(self, part: Part, batch: pa.RecordBatch) -> pa.RecordBatch:
        try:
            found = self._encoder.encode(batch.column(0).to_pylist())
        except OverlongError as error:
            raise self._problem(part.first + error.place, f"has {error}") from error
        ids, lengths = lists_of(found.ids)
        self.tally.written += len(ids)
        self.tally.tokens += int(lengths.sum())
        self.tally.overlong += found.overlong
        self.tally.lost += found.lost
        self.tally.lengths.add(lengths)
        kept = batch.take(pa.array(found.texts, pa.int64()))
        columns = [kept.column(name) for name in self._recipe.keep] + [ids]
        if self._recipe.attention_mask:
            ones = pa.array(np.ones(int(lengths.sum()), np.int8))
            columns.append(pa.ListArray.from_arrays(ids.offsets, ones))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _result(job: Job) -> dict[str, Any]:
    total = Tally()
    for one in all_told(job, _stage(job)):
        total.merge(Tally.read(one["tally"]))
    return total.told()


def _report(manifest: dict[str, Any], out: str) -> TokenizeReport:
    told = manifest["result"]
    return TokenizeReport(
        out=out,
        rows=told["rows"],
        written=told["written"],
        tokens=told["tokens"],
        overlong=told["overlong"],
        lost=told["lost"],
        nulls=told["nulls"],
        skipped=manifest.get("skipped", {}).get("rows", 0),
        lengths=quantiles(Lengths.read(told["lengths"])),
        parts=len(manifest["parts"]),
        manifest=manifest,
    )
