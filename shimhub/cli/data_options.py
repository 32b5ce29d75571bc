"""Options of several ``data`` commands, and the arguments of shimhub.data that they become."""

from __future__ import annotations

import argparse
from typing import Any

from shimhub.data._choices import RUNNERS, WRITTEN
from shimhub.data._model import COMPRESSIONS, FORMATS


def add_reading(parser: argparse.ArgumentParser, columns: str = "only these columns") -> None:
    """Add what is read, and how."""
    told = "files, folders, globs in quotes, URLs"
    parser.add_argument("inputs", nargs="+", metavar="FILE", help=told)
    group = parser.add_argument_group("reading")
    group.add_argument("--columns", action="append", metavar="A,B", help=columns)
    told = "the format of the files, where their names and first bytes do not tell it"
    group.add_argument("--input-format", choices=FORMATS, help=told)
    group.add_argument("--compression", choices=(*COMPRESSIONS, "none"), help="around the files")
    group.add_argument("--split", metavar="NAME", help="of a saved data set with several splits")
    told = "a row that cannot be read: stop (raise), or leave it out and count it (skip)"
    group.add_argument("--on-error", choices=("raise", "skip"), default="raise", help=told)
    told = "files that differ in columns or types: stop (error), or read all twice (unify)"
    group.add_argument("--on-drift", choices=("error", "unify"), default="error", help=told)
    group.add_argument("--infer", action="store_true", help="guess types in CSV; else it is text")
    group.add_argument("--delimiter", metavar="X", help="of CSV: one character")
    group.add_argument("--encoding", default="utf-8", metavar="NAME", help="of CSV and text")
    told = "follow symbolic links that lead out of a folder"
    group.add_argument("--follow-symlinks", action="store_true", help=told)


def reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of a reader."""
    return {
        "columns": names(options.columns),
        "format": options.input_format,
        "compression": options.compression,
        "split": options.split,
        "on_error": options.on_error,
        "on_drift": options.on_drift,
        "infer": options.infer,
        "delimiter": options.delimiter,
        "encoding": options.encoding,
        "follow_symlinks": options.follow_symlinks,
    }


def add_job(parser: argparse.ArgumentParser, out: str) -> None:
    """Add where the result goes, and who does the work."""
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--out", metavar="DIR", help=out)
    group.add_argument("--overwrite", action="store_true", help="replace what an earlier job wrote")
    group = parser.add_argument_group("work")
    group.add_argument("--runner", choices=RUNNERS, default="local", help="see docs/data.md")
    group.add_argument("--workers", type=int, metavar="N", help="processes; as many as processors")
    group.add_argument("--shards", type=int, metavar="N", help="tasks that are handed out together")
    group.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="on stderr; by default where that is a terminal",
    )


def add_written(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the format of what is written."""
    told = f"the format to write; by default that of the output's name, or {default}"
    parser.add_argument("--as", dest="form", metavar="|".join(WRITTEN), type=_form, help=told)


def _form(text: str) -> str:
    """Return a format, perhaps with a compression behind it: jsonl.gz."""
    if text.partition(".")[0] not in WRITTEN:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(WRITTEN)}")
    return text


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Add ``--dry-run``."""
    told = "write nothing; tell what would be read, and about how much time, memory and disk"
    parser.add_argument("--dry-run", action="store_true", help=told)


def job(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments that all jobs take."""
    return {
        "runner": options.runner,
        "workers": options.workers,
        "shards": options.shards,
        "overwrite": options.overwrite,
        "progress": options.progress,
    }


def names(given: list[str] | None) -> list[str] | None:
    """Return the names of an option that takes several, with commas or by being repeated."""
    if given is None:
        return None
    return [name for one in given for name in one.split(",") if name]
