"""``speed``: what is detected, decided and why; flags applied and restored; a step measured."""

from __future__ import annotations

import argparse
import math
import sys
import traceback
from typing import Any

from shimhub.cli.options import Work, add_command
from shimhub.cli.output import clean, print_json
from shimhub.speed.errors import SpeedConfigError, SpeedError

_USAGE, _UNMET = 2, 5
_FILE = "YAML or TOML, or a pyproject.toml with [tool.shimhub.speed]; default: precision auto"


def add(commands: Any) -> None:
    """Add ``speed`` and its four commands."""
    told = "settings that make training faster: what fits here, measured, undone"
    parser = commands.add_parser("speed", help=told, description=told)
    below = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_report(below)
    plan = _add_command(below, "plan", _plan, "what a configuration comes to here, and why")
    _add_config(plan)
    told = "apply a configuration to this process, restore it, and compare every flag"
    _add_config(_add_command(below, "apply", _apply, told))
    _add_measure(below)


def _add_command(below: Any, name: str, work: Work, told: str) -> argparse.ArgumentParser:
    """Add a command whose errors about settings are told, not raised."""

    def saying(options: argparse.Namespace) -> int:
        try:
            return work(options)
        except SpeedError as error:
            if error.__cause__ is not None:
                traceback.print_exception(error.__cause__)
            print(f"shimhub: {error}", file=sys.stderr)
            return _USAGE if isinstance(error, SpeedConfigError) else _UNMET
        except ModuleNotFoundError as error:
            told = f"{error.name} is not installed here; README.md tells which build to install"
            print(f"shimhub: {told}", file=sys.stderr)
            return _UNMET

    return add_command(below, name, saying, told)


def _add_report(below: Any) -> None:
    parser = _add_command(below, "report", _report, "what was detected, what was decided, and why")
    _add_config(parser)
    parser.add_argument("--apply", action="store_true", help="apply it, and show every flag")
    parser.add_argument("--restore", action="store_true", help="after --apply: restore, and show")


def _add_measure(below: Any) -> None:
    told = "measure settings on your own training step; keep none"
    parser = _add_command(below, "measure", _measure, told)
    parser.add_argument(
        "step",
        metavar="FILE[:NAME]",
        help="a Python file; NAME(), or make_step(), returns the step, or a tuple: the step, "
        "the model, the optimizer",
    )
    told = "compile, optimizer=fused, autocast=bf16 ...; may repeat; default: what loses no bits"
    parser.add_argument("--knob", action="append", metavar="KNOB", help=told)
    told = "seconds for all settings together; default: 60"
    parser.add_argument("--budget", type=_seconds, default=60.0, metavar="S", help=told)
    parser.add_argument("--no-cache", action="store_true", help="measure again")


def _seconds(word: str) -> float:
    """Return a budget. Raises what argparse tells as wrong usage."""
    seconds = float(word)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{word} seconds: give a number above 0")
    return seconds


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help=_FILE)


def _config(options: argparse.Namespace) -> Any:
    from shimhub.speed.settings import settings_in

    if options.config is None:
        return None
    try:
        return settings_in(options.config)
    except OSError as error:
        problem = f"{options.config}: {error.strerror}; name a YAML or TOML file of settings"
        raise SpeedConfigError(problem) from None


def _report(options: argparse.Namespace) -> int:
    return _examined(options, "speed-report", options.apply, options.restore)


def _plan(options: argparse.Namespace) -> int:
    return _examined(options, "speed-plan", False, False)


def _apply(options: argparse.Namespace) -> int:
    return _examined(options, "speed-apply", True, True)


def _examined(options: argparse.Namespace, kind: str, apply: bool, restore: bool) -> int:
    config = _config(options)
    from shimhub.speed import reporting

    report = reporting.examine(config, apply=apply, restore=restore)
    if options.format == "json":
        print_json(kind, **reporting.data_of(report))
    else:
        print("\n".join(clean(line) for line in reporting.lines_of(report)))
    return report.code


def _measure(options: argparse.Namespace) -> int:
    from shimhub.speed import stepfile

    report = stepfile.measure_file(
        options.step, options.knob or (), budget_s=options.budget, cache=not options.no_cache
    )
    if options.format == "json":
        print_json("speed-measure", **stepfile.data_of(report))
    else:
        print("\n".join(clean(line) for line in stepfile.lines_of(report)))
    return report.code
