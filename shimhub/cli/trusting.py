"""``trust`` and ``distrust``: projects, and registries of installed distributions."""

from __future__ import annotations

import argparse
import dataclasses
import os
from typing import Any

from shimhub import trust, trusting
from shimhub.cli.options import add_command
from shimhub.cli.output import print_fields, print_json
from shimhub.errors import TrustError

_WHAT = "a pyproject.toml, or an entry point's name; without it the project here"


def add(commands: Any) -> None:
    """Add ``trust`` and ``distrust``."""
    told = "read this project's [tool.shimhub], or a registry that a distribution offers"
    adding = add_command(commands, "trust", _trust, told)
    adding.add_argument("what", nargs="?", metavar="FILE|NAME", help=_WHAT)
    adding.add_argument("--list", action="store_true", help="only show what is trusted")
    taking = add_command(commands, "distrust", _distrust, "take trust back")
    taking.add_argument("what", nargs="?", metavar="FILE|NAME", help=_WHAT)


def _trust(options: argparse.Namespace) -> int:
    if options.list:
        _print(options, "trust", "trusted", trusting.entries())
        return 0
    what = options.what or _project()
    is_file = os.path.isfile(what) or os.sep in what or what.endswith(".toml")
    made = trusting.trust_project(what) if is_file else trusting.trust_entry_point(what)
    _print(options, "trust", "trusted", [made])
    return 0


def _distrust(options: argparse.Namespace) -> int:
    _print(
        options, "distrust", "no longer trusted", [trusting.distrust(options.what or _project())]
    )
    return 0


def _project() -> str:
    """Return the project here; without one that seems to be, what stands nearest is told about."""
    here = os.path.join(os.getcwd(), "pyproject.toml")
    if found := trust.find_project() or (here if os.path.lexists(here) else ""):
        return found
    raise TrustError("no pyproject.toml with [tool.shimhub] from here upward; name one")


def _print(
    options: argparse.Namespace, kind: str, did: str, entries: list[trusting.Trusted]
) -> None:
    if options.format == "json":
        print_json(kind, entries=[dataclasses.asdict(one) for one in entries])
        return
    for one in entries:
        print_fields(f"{did}: {one.kind} {one.name}", {"files": one.files, **one.settings})
    if not entries:
        print("nothing is trusted")
