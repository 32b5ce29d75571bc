"""``data``: look at files of training data, and make others of them; see docs/data.md."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from typing import Any, Final

from shimhub.cli import data_jobs, data_looking
from shimhub.cli.data_words import in_options
from shimhub.cli.options import Work
from shimhub.data.errors import DataError, DecodeError, FormatError, SpaceError

#: Exit codes: 0 done, 1 data that is damaged or was skipped, 2 wrong usage, 5 not possible here.
_FINDINGS, _USAGE, _UNMET, _STOPPED = 1, 2, 5, 130
#: Those of errors; the first kind that an error is of counts.
_CODES: Final[dict[type[Exception], int]] = {
    FileNotFoundError: _USAGE,
    ModuleNotFoundError: _UNMET,
    OSError: _UNMET,
    SpaceError: _UNMET,
    DecodeError: _FINDINGS,
    FormatError: _FINDINGS,
    DataError: _USAGE,
}


def add(commands: Any) -> None:
    """Add ``data`` with its own commands."""
    told = "look at, convert, clean, tokenize and pack files of training data"
    parser = commands.add_parser("data", help=told, description=told)
    kinds = parser.add_subparsers(required=True, metavar="COMMAND")
    for family in (data_looking, data_jobs):
        family.add(kinds)
    for one in set(kinds.choices.values()):
        one.set_defaults(work=functools.partial(_guarded, one.get_default("work")), parser=one)


def _guarded(work: Work, options: argparse.Namespace) -> int:
    """Do the work; what users can cure is told without a traceback, by the command's options."""
    try:
        return work(options)
    except KeyboardInterrupt:
        return _complain(_stopped(options), _STOPPED)
    except BrokenPipeError:  # the reader of our output has left
        raise
    except tuple(_CODES) as error:
        return _complain(_told(error, options), _code(error))


def _code(error: Exception) -> int:
    return next(code for kind, code in _CODES.items() if isinstance(error, kind))


def _told(error: Exception, options: argparse.Namespace) -> str:
    if isinstance(error, ModuleNotFoundError):
        return _missing(error)
    return _refused(error) if isinstance(error, OSError) else in_options(str(error), options.parser)


def _stopped(options: argparse.Namespace) -> str:
    if getattr(options, "out", None) is None:
        return "stopped"
    return "stopped; run the same command again to go on"


def _refused(error: OSError) -> str:
    """Return what the system refuses, and of which file."""
    if error.filename is None:
        return str(error)
    return f"{os.fsdecode(error.filename)}: {error.strerror}"


def _missing(error: ModuleNotFoundError) -> str:
    """Return what to install: what our own messages say, or the extra that brings the module."""
    name = (error.name or "").partition(".")[0]
    if "pip install" in str(error) or not name or name == "shimhub":
        return str(error)
    return f"this needs {name}: pip install 'shimhub[data]', or {name} alone"


def _complain(text: str, code: int) -> int:
    from shimhub.cli.output import clean

    print(f"shimhub: {clean(text)}", file=sys.stderr)
    return code
