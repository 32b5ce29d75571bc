"""Options of several ``data`` commands, and the arguments of shimhub.data that they become."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from shimhub.data._model import COMPRESSIONS, FORMATS
from shimhub.data.jobs._choices import RUNNERS, WRITTEN


def add_reading(parser: argparse.ArgumentParser, is_copied: bool = False) -> None:
    """Add what is read, and how; the help of a command that copies rows has no other types."""
    told = "files, folders, globs in quotes, URLs"
    parser.add_argument("inputs", nargs="+", metavar="FILE", help=told)
    group = parser.add_argument_group("reading")
    told = "the format of the files, where their names and first bytes do not tell it: "
    told += ", ".join(FORMATS)
    group.add_argument("--input-format", choices=FORMATS, metavar="FORMAT", help=told)
    group.add_argument("--compression", choices=(*COMPRESSIONS, "none"), help="around the files")
    group.add_argument("--split", metavar="NAME", help="of a saved data set with several splits")
    told = "a row that cannot be read: stop (raise), or leave it out and count it (skip)"
    group.add_argument("--on-error", choices=("raise", "skip"), default="raise", help=told)
    told = "files that differ in columns or types: stop (error), or read all twice (unify)"
    group.add_argument(
        "--on-drift",
        choices=("error", "unify"),
        default="error",
        help=argparse.SUPPRESS if is_copied else told,
    )
    told = "guess types in CSV; else it is text"
    group.add_argument(
        "--infer", action="store_true", help=argparse.SUPPRESS if is_copied else told
    )
    group.add_argument("--delimiter", metavar="X", help="of CSV: one character")
    told = "of CSV: one character, or '' if nothing is quoted"
    group.add_argument("--quote", metavar="X", default='"', type=_quote, help=told)
    group.add_argument("--encoding", default="utf-8", metavar="NAME", help="of CSV, JSON and text")
    told = "bytes that a line, value or row may have"
    group.add_argument("--max-line", type=int, default=1 << 28, metavar="N", help=told)
    told = "bytes that a compressed byte may become"
    group.add_argument("--max-ratio", type=int, default=1000, metavar="N", help=told)
    told = "follow symbolic links that lead out of a folder"
    group.add_argument("--follow-symlinks", action="store_true", help=told)


def _quote(text: str) -> str | None:
    return text or None


def add_columns(parser: argparse.ArgumentParser, told: str = "only these columns") -> None:
    """Add ``--columns``."""
    parser.add_argument("--columns", action="append", metavar="A,B", help=told)


def reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of a reader, whose ``format`` is that of the files."""
    told = reading_of_job(options)
    told["format"] = told.pop("input_format")
    return {"columns": names(options.columns), **told}


def reading_of_job(options: argparse.Namespace) -> dict[str, Any]:
    """Return the same for a job: its ``format`` is the one that it writes."""
    return {name: getattr(options, name) for name in (*_FINDING, *_DECODING)}


_FINDING: Final = ("input_format", "compression", "split", "follow_symlinks")
_DECODING: Final = (
    *("on_error", "on_drift", "infer", "delimiter", "quote", "encoding", "max_line", "max_ratio"),
)


def add_job(parser: argparse.ArgumentParser, out: str) -> None:
    """Add where the result goes, and who does the work."""
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--out", metavar="DIR", help=out)
    group.add_argument("--overwrite", action="store_true", help="replace what an earlier job wrote")
    group = parser.add_argument_group("work")
    group.add_argument("--runner", choices=RUNNERS, default="local", help="see docs/data.md")
    told = "of the runner's cluster; else one is started here, and ended"
    group.add_argument("--address", metavar="URL", help=told)
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


def work(options: argparse.Namespace) -> dict[str, Any]:
    """Return who does the work, as all jobs take it."""
    names = ("runner", "workers", "shards", "address", "overwrite")
    return {name: getattr(options, name) for name in names}


def is_first(options: argparse.Namespace) -> bool:
    """Whether this process tells the result: of several ranks, the first one does."""
    from shimhub.data.runners import is_first as is_first_of

    return is_first_of(options.runner)


@contextlib.contextmanager
def progress(options: argparse.Namespace) -> Iterator[Callable[[str, int, int], None]]:
    """Give a job what it tells its progress to."""
    from shimhub.data.jobs._jobs import steps
    from shimhub.data.jobs._options import finding, sources_of

    size, is_wanted = 0, options.progress if is_first(options) else False
    if is_wanted is not False:
        found = finding(reading_of_job(options))
        size = sum(max(one.size, 0) for one in sources_of(options.inputs, found))
    with steps(options.command, size, is_wanted) as tell:
        yield tell


def names(given: list[str] | None) -> list[str] | None:
    """Return the names of an option that takes several, with commas or by being repeated."""
    if given is None:
        return None
    return [name for one in given for name in one.split(",") if name]
