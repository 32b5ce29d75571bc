"""``new``: a row, its code and a test that pass as generated."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from typing import Any

from shimhub import scaffold
from shimhub._schema import ACTIONS
from shimhub._templates import Wish
from shimhub.cli.options import add_command
from shimhub.cli.output import print_json
from shimhub.errors import nearest


def add(commands: Any) -> None:
    """Add ``new``."""
    told = "write a row, its code and a test that pass as they are, for you to change"
    parser = add_command(commands, "new", _new, told)
    parser.add_argument("id", metavar="ID", help="lower-case words, as in json/dumps")
    parser.add_argument("--attach", required=True, metavar="MODULE:NAME", help="what it is about")
    parser.add_argument(
        "--action", required=True, type=_action, choices=ACTIONS, metavar="ACTION",
        help=", ".join(ACTIONS),
    )  # fmt: skip
    parser.add_argument("--to", default="", metavar="MODULE:NAME", help="of an alias: the origin")
    parser.add_argument("--message", default="", metavar="TEXT", help="of a placeholder: the cure")
    parser.add_argument("--why", default="", metavar="TEXT", help="one sentence")
    told = "append to it; made where it is missing (registry.toml)"
    parser.add_argument("--registry", default="registry.toml", metavar="FILE", help=told)


def _action(word: str) -> str:
    if word not in ACTIONS:
        told = f"no action {word!r}{nearest(word, ACTIONS)}; there are {', '.join(ACTIONS)}"
        raise argparse.ArgumentTypeError(told)
    return word


def _new(options: argparse.Namespace) -> int:
    words = (options.id, options.attach, options.action, options.to, options.message, options.why)
    wish = Wish(*words)
    made = scaffold.make(wish, options.registry)
    wrong = scaffold.wrong_here(made, wish)
    if options.format == "json":
        print_json("new", **dataclasses.asdict(made), problem=wrong)
        return 1 if wrong else 0
    print(f"added {made.id} to {os.path.relpath(made.registry)}:{made.line}")
    for file in made.files:
        print(f"wrote {os.path.relpath(file)}")
    if wrong:
        print(f"shimhub: it does not apply here, so its test fails: {wrong}", file=sys.stderr)
        return 1
    return 0
