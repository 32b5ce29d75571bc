"""``data``: look at files of training data, and make others of them; see docs/data.md."""

from __future__ import annotations

import argparse
import functools
import sys
from typing import Any

from shimhub.cli import data_jobs, data_looking
from shimhub.cli.data_words import in_options
from shimhub.cli.options import Work
from shimhub.data.errors import DataError, DecodeError, FormatError

#: Exit codes: 0 done, 1 data that is damaged or was skipped, 2 wrong usage, 5 not possible here.
_FINDINGS, _USAGE, _UNMET, _STOPPED = 1, 2, 5, 130


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
    except ModuleNotFoundError as error:
        return _complain(_missing(error), _UNMET)
    except FileNotFoundError as error:
        return _complain(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), _USAGE)
    except DataError as error:
        code = _FINDINGS if isinstance(error, (DecodeError, FormatError)) else _USAGE
        return _complain(in_options(str(error), options.parser), code)


def _stopped(options: argparse.Namespace) -> str:
    if getattr(options, "out", None) is None:
        return "stopped"
    return "stopped; run the same command again to go on"


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
