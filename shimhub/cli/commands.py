"""Every command but ``run``, whose options are parsed by hand."""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback

from shimhub import __version__
from shimhub.cli import (
    accel,
    activation,
    checking,
    compat,
    completion,
    data,
    doctor,
    listing,
    new,
    reporting,
    schema,
    speed,
    trusting,
)
from shimhub.errors import ShimhubError

_TOLD = "See which shims there are, what they would do here, and find mistakes."
_EPILOG = "`shimhub run --help` tells how to run a program."

#: Modules of commands, in the order of the help; each has ``add(commands)``.
_FAMILIES = (
    listing,
    checking,
    doctor,
    compat,
    new,
    activation,
    trusting,
    reporting,
    data,
    speed,
    accel,
    schema,
    completion,
)

#: Exit codes: a mistake of ours; an environment that cannot serve; and what a shell tells of a
#: program that a closed pipe ended, 128 + SIGPIPE.
_INTERNAL, _UNMET, _READER_LEFT = 3, 5, 141


def command(arguments: list[str]) -> int:
    """Parse and run one of the commands; argparse exits with 2 on wrong usage."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that lacks a letter of somebody's reason shows it as an escape.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code: int = options.work(options)
        sys.stdout.flush()
    except BrokenPipeError:  # `shimhub list | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_LEFT
    except ShimhubError:
        raise
    except OSError as error:
        print(f"shimhub: {error}", file=sys.stderr)
        return _UNMET
    except Exception:  # noqa: BLE001  # a mistake of ours is told as one, and is no finding
        traceback.print_exc()
        print("shimhub: this is a mistake in shimhub, and no finding", file=sys.stderr)
        return _INTERNAL
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("shimhub", description=_TOLD, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("run", help="run a program with the shims that it needs", add_help=False)
    for family in _FAMILIES:
        family.add(commands)
    return parser
