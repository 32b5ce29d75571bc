"""``list``, ``explain`` and ``check``: results on stdout, as text or JSON with a schema key."""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap
from collections.abc import Sequence
from typing import Any

from shimhub import __version__, api, check, compiled
from shimhub.config import config_of
from shimhub.errors import RegistryError
from shimhub.model import Problem, Verdict, Verdicts

_EPILOG = "`shimhub run --help` tells how to run a program."
_WIDTH = 80


def command(arguments: list[str]) -> int:
    """Parse and run one of the commands; argparse exits with 2 on wrong usage."""
    options = _parser().parse_args(arguments)
    code: int = options.work(options)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("shimhub", description=__doc__, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("run", help="run a program with the shims that it needs", add_help=False)
    listing = _command(commands, "list", _list, "every shim and what would become of it here")
    _selection_options(listing)
    explaining = _command(commands, "explain", _explain, "one shim, attach point or module in full")
    explaining.add_argument("what", metavar="ID|ATTACH|MODULE")
    _selection_options(explaining)
    checking = _command(commands, "check", _check, "find mistakes in the registry and its folders")
    checking.add_argument("--registry", action="append", metavar="FILE", help="check it too")
    return parser


def _command(commands: Any, name: str, work: Any, told: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=told, description=told)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(work=work)
    return parser


def _selection_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--registry", action="append", metavar="FILE", help="add a registry")
    for name in ("only", "enable", "disable"):
        parser.add_argument(f"--{name}", action="append", metavar="X", help="id, pack or glob")


def _list(options: argparse.Namespace) -> int:
    found = api.plan(options.registry, options.only, options.enable, options.disable)
    if options.format == "json":
        _print_json("list", found)
    else:
        _print_table(found)
    return 0


def _print_table(found: Verdicts) -> None:
    size = max((len(verdict.id) for verdict in found), default=0)
    is_narrow = size > _WIDTH // 3
    for verdict in found:
        lead = f"{verdict.status:<10}  {verdict.id:<{size}}  "
        if is_narrow:
            print(lead.rstrip())
        _print_filled(" " * 12 if is_narrow else lead, verdict.reason)


def _print_filled(lead: str, text: str) -> None:
    """Print ``text`` behind ``lead``, wrapped to the width of a terminal, words kept whole."""
    wrapper = textwrap.TextWrapper(_WIDTH, lead, " " * len(lead))
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    print(wrapper.fill(text))


def _explain(options: argparse.Namespace) -> int:
    found = api.explain_plan(
        options.what, options.registry, options.only, options.enable, options.disable
    )
    if options.format == "json":
        _print_json("explain", found)
        return 0
    for verdict in found:
        _print_explained(verdict)
    return 0


def _print_explained(verdict: Verdict) -> None:
    print(f"{verdict.id}: {verdict.status}")
    for name, value in {"reason": verdict.reason, **verdict.evidence}.items():
        shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        _print_filled(f"  {name + ':':<13} ", shown)


def _print_json(kind: str, found: Verdicts) -> None:
    shims = [dataclasses.asdict(verdict) for verdict in found]
    print(json.dumps({"schema": 1, "kind": kind, "digest": found.digest, "shims": shims}, indent=2))


def _check(options: argparse.Namespace) -> int:
    problems = _problems(options.registry)
    if options.format == "json":
        rows = [dataclasses.asdict(problem) for problem in problems]
        print(json.dumps({"schema": 1, "kind": "check", "problems": rows}, indent=2))
        return 1 if problems else 0
    for problem in problems:
        print(problem)
    count = len(problems)
    print(f"{count or 'no'} problem{'' if count == 1 else 's'}")
    return 1 if problems else 0


def _problems(registry: list[str] | None) -> Sequence[Problem]:
    """Return the findings; what keeps a registry from being read is the first thing to find."""
    try:
        table = compiled.load(config_of(registry, None, None, None, False, {}).sources)
    except RegistryError as error:
        return error.problems
    return check.problems(table)
