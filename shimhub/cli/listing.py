"""``list`` and ``explain``: what would become of each shim here, and why."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from shimhub import api
from shimhub.cli.options import add_command, add_selection
from shimhub.cli.output import print_fields, print_json, print_rows
from shimhub.model import Verdicts


def add(commands: Any) -> None:
    """Add ``list`` and ``explain``."""
    listing = add_command(commands, "list", _list, "every shim and what would become of it here")
    add_selection(listing)
    told = "one shim, attach point or module in full"
    explaining = add_command(commands, "explain", _explain, told)
    explaining.add_argument("what", metavar="ID|ATTACH|MODULE")
    add_selection(explaining)


def _list(options: argparse.Namespace) -> int:
    found = api.plan(options.registry, options.only, options.enable, options.disable)
    if options.format == "json":
        _print_json("list", found)
    else:
        rows = [(verdict.status, verdict.id, verdict.reason) for verdict in found]
        print_rows(("status", "shim", "reason"), rows)
    return 0


def _explain(options: argparse.Namespace) -> int:
    found = api.explain_plan(
        options.what, options.registry, options.only, options.enable, options.disable
    )
    if options.format == "json":
        _print_json("explain", found)
        return 0
    for verdict in found:
        title = f"{verdict.id}: {verdict.status}"
        print_fields(title, {"reason": verdict.reason, **verdict.evidence})
    return 0


def _print_json(kind: str, found: Verdicts) -> None:
    shims = [dataclasses.asdict(verdict) for verdict in found]
    print_json(kind, digest=found.digest, shims=shims)
