"""``data convert``, ``dedup``, ``tokenize`` and ``pack``: files in, other files out."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Any

from shimhub.cli import cells, data_options
from shimhub.cli.options import add_command
from shimhub.cli.output import clean, print_fields, print_json
from shimhub.data.errors import DataError
from shimhub.data.jobs._choices import OVERLONG, STRATEGIES
from shimhub.data.writing._json_values import plain

_FOLDER = "a folder, or one file if the name ends in a format: out.jsonl.zst"


def add(commands: Any) -> None:
    """Add the four commands."""
    _add_convert(commands)
    _add_dedup(commands)
    _add_tokenize(commands)
    _add_pack(commands)


def _job_parser(
    commands: Any, name: str, work: Any, told: str, is_copied: bool = False
) -> argparse.ArgumentParser:
    parser = add_command(commands, name, work, told)
    parser.set_defaults(command=name)
    data_options.add_reading(parser, is_copied)
    data_options.add_job(parser, _FOLDER)
    told = "write nothing; tell about how much time, memory and disk it would take"
    parser.add_argument("--dry-run", action="store_true", help=told)
    return parser


# ---- convert and dedup


def _add_convert(commands: Any) -> None:
    parser = _job_parser(commands, "convert", _convert, "write the same rows in another format")
    data_options.add_columns(parser)
    data_options.add_written(parser, "that of the first file")


def _convert(options: argparse.Namespace) -> int:
    from shimhub.data import convert

    return _run(options, convert, columns=data_options.names(options.columns), format=options.form)


def _add_dedup(commands: Any) -> None:
    told = "leave out duplicates; the first row of each stays, and a report tells of the others"
    parser = _job_parser(commands, "dedup", _dedup, told, is_copied=True)
    told = "the columns that say which rows are equal; all of them if not given"
    parser.add_argument("--by", action="append", metavar="A,B", help=told)
    told = "also leave out rows whose text in the column of --by is similar"
    parser.add_argument("--near", action="store_true", help=told)
    told = "with --near: how similar, as the Jaccard similarity of runs of five words"
    parser.add_argument("--threshold", type=float, metavar="0.7", help=told)
    told = "compare texts by these rules, joined with +: nfc, nfkc, lower, ws"
    parser.add_argument("--normalize", metavar="RULES", help=told)


def _dedup(options: argparse.Namespace) -> int:
    from shimhub.data import NearOptions, dedup

    if options.threshold is not None and not options.near:
        raise DataError("--threshold needs --near: exact duplicates have none")
    near: NearOptions | bool = options.near
    if options.threshold is not None:
        near = NearOptions(threshold=options.threshold)
    by = data_options.names(options.by)
    return _run(options, dedup, by=by, near=near, normalize=options.normalize)


# ---- tokenize and pack


def _add_tokenize(commands: Any) -> None:
    told = "turn a column of texts into token ids"
    parser = _job_parser(commands, "tokenize", _tokenize, told)
    data_options.add_written(parser, "parquet")
    told = "a tokenizer.json, or a folder with one"
    parser.add_argument("--tokenizer", required=True, metavar="FILE", help=told)
    parser.add_argument("--text", default="text", metavar="NAME", help="the column of texts")
    parser.add_argument("--max-length", type=int, metavar="N", help="tokens of a row at most")
    told = "what becomes of longer texts; each is counted"
    parser.add_argument("--overlong", choices=OVERLONG, default="truncate", help=told)
    told = "with --overlong split: tokens that a row repeats of the one before"
    parser.add_argument("--stride", type=int, default=0, metavar="N", help=told)
    parser.add_argument("--bos", metavar="TOKEN", help="put this token in front of each text")
    parser.add_argument("--eos", metavar="TOKEN", help="put this token behind each text")
    told = "leave out the special tokens that the tokenizer adds"
    parser.add_argument("--no-special-tokens", action="store_true", help=told)
    parser.add_argument("--attention-mask", action="store_true", help="a column of ones")
    told = "other columns that are written, too"
    parser.add_argument("--keep", action="append", metavar="A,B", help=told)


def _tokenize(options: argparse.Namespace) -> int:
    from shimhub.data import tokenize

    return _run(
        options,
        tokenize,
        tokenizer=options.tokenizer,
        text=options.text,
        max_length=options.max_length,
        overlong=options.overlong,
        stride=options.stride,
        special_tokens=not options.no_special_tokens,
        bos=options.bos,
        eos=options.eos,
        attention_mask=options.attention_mask,
        keep=data_options.names(options.keep) or (),
        format=options.form,
    )


def _add_pack(commands: Any) -> None:
    told = "put rows of tokens together into rows of one length"
    parser = _job_parser(commands, "pack", _pack, told)
    data_options.add_columns(parser, "the lists to pack; input_ids and what is beside them")
    data_options.add_written(parser, "parquet")
    told = "tokens of a packed row"
    parser.add_argument("--length", type=int, required=True, metavar="N", help=told)
    told = f"how rows are chosen: {', '.join(STRATEGIES)}; docs/data.md tells"
    kinds = tuple(STRATEGIES)
    parser.add_argument("--strategy", choices=kinds, metavar="NAME", default="bfd", help=told)
    told = "what becomes of longer rows; each is counted"
    parser.add_argument("--overlong", choices=OVERLONG, default="error", help=told)
    parser.add_argument("--pad", type=int, metavar="ID", help="fill rows up with this token")
    parser.add_argument("--cu-seqlens", action="store_true", help="a column of bounds, too")
    told = "leave out the column of positions"
    parser.add_argument("--no-position-ids", action="store_true", help=told)
    told = "draw lengths before, and how full rows are after"
    parser.add_argument("--plot", metavar="FILE", help=told)


def _pack(options: argparse.Namespace) -> int:
    from shimhub.data import pack

    return _run(
        options,
        pack,
        length=options.length,
        strategy=options.strategy,
        overlong=options.overlong,
        columns=data_options.names(options.columns),
        position_ids=not options.no_position_ids,
        cu_seqlens=options.cu_seqlens,
        pad=options.pad,
        plot=options.plot,
        format=options.form,
    )


# ---- what all of them do


def _run(options: argparse.Namespace, function: Callable[..., Any], **asked: Any) -> int:
    """Do or estimate the job, and tell what came of it."""
    if options.out is None and not options.dry_run:
        raise DataError(f"data {options.command} needs -o: {_FOLDER}")
    asked |= data_options.reading_of_job(options)
    if options.dry_run:
        return _estimate(options, function, asked)
    with data_options.progress(options) as progress:
        work = data_options.work(options)
        result = function(options.inputs, options.out, progress=progress, **work, **asked)
    told = _told(result, options)
    if data_options.is_first(options):
        _tell(options, f"{options.command}: done", told, f"data-{options.command}")
    return _skipped_told(result.manifest.get("skipped", {}).get("first", ()))


def _skipped_told(errors: Sequence[str]) -> int:
    """Tell of what was left out, on stderr; return the exit code."""
    if errors:
        more = f" (the first of {len(errors)} errors or more)" if len(errors) > 1 else ""
        print(f"shimhub: left out{more}: {clean(errors[0])}", file=sys.stderr)
    return 1 if errors else 0


def _estimate(options: argparse.Namespace, function: Callable[..., Any], asked: Any) -> int:
    from shimhub.data.jobs import _estimates

    found = _estimates.estimate(function, options.inputs, asked, options.workers, options.out)
    title = f"{options.command}: nothing was written"
    _tell(options, title, dataclasses.asdict(found), "data-estimate")
    return 0


def _told(result: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Return what a job's report tells users; a manifest is in the folder, and too long."""
    told = dataclasses.asdict(result)
    del told["manifest"]
    return {**told, "out": options.out}


def _tell(options: argparse.Namespace, title: str, told: dict[str, Any], kind: str) -> None:
    if options.format == "json":
        print_json(kind, **plain(told))
        return
    # What an exact job tells of near duplicates is nothing.
    told = {
        name: one
        for name, one in told.items()
        if not (isinstance(one, dict) and not any(one.values()))
    }
    print_fields(title, {name.replace("_", " "): _shown(name, one) for name, one in told.items()})


_SIZES = ("bytes", "bytes_in", "bytes_out", "memory", "disk", "sample")


def _shown(name: str, value: Any) -> str:
    if name in _SIZES:
        return cells.bytes_text(value)
    if name == "fill":
        return f"{100 * value:.2f} %"
    if name == "report":
        return cells.here(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_number(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return _number(value)


def _number(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
