"""``check``: mistakes in registries and their folders."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

from shimhub import check, compiled
from shimhub.cli.options import add_command, add_registry
from shimhub.cli.output import clean, count_of, print_json
from shimhub.config import config_of
from shimhub.errors import RegistryError
from shimhub.model import Problem


def add(commands: Any) -> None:
    """Add ``check``."""
    told = "find mistakes in the registry and its folders"
    add_registry(add_command(commands, "check", _check, told), "check it too")


def _check(options: argparse.Namespace) -> int:
    problems = _problems(options.registry)
    if options.format == "json":
        print_json("check", problems=[dataclasses.asdict(problem) for problem in problems])
    else:
        for problem in problems:
            print(clean(str(problem)))
        print(count_of(len(problems), "problem"))
    return 1 if problems else 0


def _problems(registry: list[str] | None) -> Sequence[Problem]:
    """Return the findings; what keeps a registry from being read is the first thing to find."""
    try:
        table = compiled.load(config_of(registry, None, None, None, False, {}).sources)
    except RegistryError as error:
        return error.problems
    return check.problems(table)
