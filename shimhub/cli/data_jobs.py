"""``data convert``, ``dedup``, ``tokenize`` and ``pack``: files in, other files out."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from shimhub.cli import cells, data_options
from shimhub.cli.options import add_command
from shimhub.cli.output import clean, print_fields, print_json
from shimhub.data._choices import OVERLONG, STRATEGIES
from shimhub.data._json_values import plain
from shimhub.data.errors import DataError

_FOLDER = "a folder, or one file if the name ends in a format: out.jsonl.zst"


def add(commands: Any) -> None:
    """Add the four commands."""
    _add_convert(commands)
    _add_dedup(commands)
    _add_tokenize(commands)
    _add_pack(commands)


def _job_parser(commands: Any, name: str, work: Any, told: str, default: str) -> Any:
    parser = add_command(commands, name, work, told)
    data_options.add_reading(parser)
    data_options.add_job(parser, _FOLDER)
    data_options.add_written(parser, default)
    data_options.add_dry_run(parser)
    return parser


def _run(options: argparse.Namespace, function: Callable[..., Any], **more: Any) -> int:
    """Do or estimate the job, and tell what came of it."""
    from shimhub.data import _estimates

    name = options.command
    if options.out is None and not options.dry_run:
        raise DataError(f"data {name} needs -o: {_FOLDER}")
    asked = data_options.working(options) | more
    if options.dry_run:
        found = _estimates.estimate(function, options.inputs, asked, workers=options.workers)
        _tell(options, f"{name}: nothing was written", dataclasses.asdict(found), "data-estimate")
        return 0
    result = data_options.with_progress(options, function, asked)
    told = dataclasses.asdict(result) if dataclasses.is_dataclass(result) else dict(result)
    told = {"out": options.out, **told}
    _tell(options, f"{name}: done", told, f"data-{name}")
    return 1 if told.get("skipped") else 0


def _tell(options: argparse.Namespace, title: str, told: dict[str, Any], kind: str) -> None:
    if options.format == "json":
        print_json(kind, **plain(told))
        return
    print_fields(title, {name.replace("_", " "): _shown(name, value) for name, value in told.items()})


def _shown(name: str, value: Any) -> str:
    if name == "fill":
        return f"{100 * value:.2f} %"
    if name in _SIZES:
        return cells.bytes_text(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_number(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return _number(value)


_SIZES = ("bytes", "memory", "disk")


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else clean(str(value))
