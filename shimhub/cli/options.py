"""What the parsers of all commands share: how a command is added, and the options of many."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

#: What a command does: it gets its options and returns its exit code.
Work = Callable[[argparse.Namespace], int]


def add_command(commands: Any, name: str, work: Work, told: str) -> argparse.ArgumentParser:
    """Add a command with ``--format``; ``told`` is its line in the help."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=told, description=told)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(work=work)
    return parser


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add ``--registry``, ``--only``, ``--enable`` and ``--disable``, as ``run`` has them."""
    add_registry(parser, "add a registry")
    for name in ("only", "enable", "disable"):
        parser.add_argument(f"--{name}", action="append", metavar="X", help="id, pack or glob")


def add_registry(parser: argparse.ArgumentParser, told: str) -> None:
    """Add ``--registry FILE``, which may be given several times."""
    parser.add_argument("--registry", action="append", metavar="FILE", help=told)
