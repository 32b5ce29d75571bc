"""``activate`` and ``deactivate``: start-up files of this environment."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from shimhub.activation import startup
from shimhub.cli.options import add_command
from shimhub.cli.output import print_json
from shimhub.errors import ActivationError


def add(commands: Any) -> None:
    """Add ``activate`` and ``deactivate``."""
    told = "make every Python of this environment start with shimhub (SHIMHUB=0 switches it off)"
    activating = add_command(commands, "activate", _activate, told)
    activating.add_argument(
        "--system", action="store_true", help="also where this is no virtual environment"
    )
    add_command(commands, "deactivate", _deactivate, "remove what `activate` wrote")


def _activate(options: argparse.Namespace) -> int:
    if sys.prefix == sys.base_prefix and not options.system:
        raise ActivationError(
            f"{sys.prefix} is no virtual environment: every Python program of this machine's user "
            "or system would start with shimhub; say --system if that is meant"
        )
    _print(options, "activate", startup.activate(), "wrote")
    return 0


def _deactivate(options: argparse.Namespace) -> int:
    _print(options, "deactivate", startup.deactivate(), "removed")
    return 0


def _print(
    options: argparse.Namespace, kind: str, files: list[startup.StartupFile], did: str
) -> None:
    paths = [str(one.path) for one in files]
    if options.format == "json":
        print_json(kind, files=paths)
        return
    for path in paths:
        print(f"{did} {path}")
    if not paths:
        print("nothing to remove")
