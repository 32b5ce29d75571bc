"""``completion``: a script for bash, zsh or fish, made from the very parsers of the commands."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from shimhub.activation.launcher import USAGE
from shimhub.cli import shells
from shimhub.cli.shells import FILES, NOTHING, SHIMS, Command, Option

#: What a value is, by the word that the help shows for it.
_VALUES = {
    "FILE": FILES,
    "FILE|NAME": FILES,
    "DIR": FILES,
    "folder": FILES,
    "X": SHIMS,
    "ID|ATTACH|MODULE|PACK": SHIMS,
}
_RUN_OPTION = re.compile(r"\[(--\w+)(?: (\w+))?\]")


def add(commands: Any) -> None:
    """Add ``completion``; the commands that are there when it runs are completed."""
    told = 'print a completion script, as in: eval "$(shimhub completion bash)"'
    parser = commands.add_parser("completion", help=told, description=told)
    parser.add_argument("shell", choices=sorted(shells.SCRIPTS))
    parser.set_defaults(work=partial(_completion, commands))


def _completion(commands: Any, options: argparse.Namespace) -> int:
    print(shells.SCRIPTS[options.shell](list(_commands(commands))), end="")
    return 0


def _commands(commands: Any, parent: str = "") -> Iterator[Command]:
    """Yield the commands; those of a command have its name in front of their own."""
    told = {action.dest: action.help for action in commands._choices_actions}
    for name, parser in commands.choices.items():
        if name == "run":
            yield Command(name, told[name], tuple(_options_of_run()), FILES)
            continue
        options = tuple(_option(one) for one in parser._actions if _is_offered(one))
        yield Command(parent + name, told[name], options, _positional(parser))
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from _commands(action, f"{parent}{name} ")


def _options_of_run() -> Iterator[Option]:
    """Yield what the usage of ``run``, which is parsed by hand, tells."""
    for name, value in _RUN_OPTION.findall(USAGE):
        yield Option((name,), "", _VALUES[value] if value else None, (), True)
    yield Option(("-h", "--help"), "show how to use it", None, (), False)


def _is_offered(action: argparse.Action) -> bool:
    return bool(action.option_strings) and action.help != argparse.SUPPRESS


def _option(action: argparse.Action) -> Option:
    takes_value = action.nargs != 0
    kind = _VALUES.get(str(action.metavar), NOTHING) if takes_value else None
    choices = tuple(map(str, action.choices or ()))
    is_many = isinstance(action, argparse._AppendAction)
    return Option(tuple(action.option_strings), action.help or "", kind, choices, is_many)


def _positional(parser: argparse.ArgumentParser) -> str | tuple[str, ...]:
    """Return what the first positional argument is; later ones are alike where there are any."""
    for action in parser._actions:
        if not action.option_strings:
            choices = tuple(map(str, action.choices or ()))
            return choices or _VALUES.get(str(action.metavar or action.dest), NOTHING)
    return NOTHING
