"""``list`` and ``explain``: what would become of each shim here, and why."""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter
from collections.abc import Iterable
from typing import Any

from shimhub import api
from shimhub.cli.options import add_command, add_selection
from shimhub.cli.output import print_fields, print_json, print_rows
from shimhub.model import Pack, Verdict, Verdicts


def add(commands: Any) -> None:
    """Add ``list`` and ``explain``."""
    listing = add_command(commands, "list", _list, "every shim and what would become of it here")
    add_selection(listing)
    told = "one shim, attach point or module in full, or the shims of a pack"
    explaining = add_command(commands, "explain", _explain, told)
    explaining.add_argument("what", metavar="ID|ATTACH|MODULE|PACK")
    add_selection(explaining)


def _list(options: argparse.Namespace) -> int:
    found = api.plan(options.registry, options.only, options.enable, options.disable)
    if options.format == "json":
        _print_json("list", found)
    else:
        _print_rows(found)
    return 0


def _explain(options: argparse.Namespace) -> int:
    found = api.explain_plan(
        options.what, options.registry, options.only, options.enable, options.disable
    )
    pack = api.pack_of(options.what, options.registry)
    if options.format == "json":
        told = {"name": pack.name, "summary": pack.summary, "opt_in": pack.opt_in} if pack else None
        _print_json("explain", found, **({"pack": told} if told else {}))
        return 0
    mine = [one for one in found if pack and pack.name in one.evidence.get("packs", ())]
    for verdict in (one for one in found if one not in mine):
        title = f"{verdict.id}: {verdict.status}"
        print_fields(title, {"reason": verdict.reason, **verdict.evidence})
    if pack:
        _print_pack(pack, mine)
    return 0


def _print_pack(pack: Pack, found: list[Verdict]) -> None:
    counted = Counter(str(one.status) for one in found)
    told = {"summary": pack.summary, "shims": [f"{n} {word}" for word, n in counted.items()]}
    if pack.opt_in:
        told["turned on by"] = f"--enable {pack.name}"
    print_fields(f"pack {pack.name}", told)
    _print_rows(found)


def _print_rows(found: Iterable[Verdict]) -> None:
    rows = [(verdict.status, verdict.id, verdict.reason) for verdict in found]
    print_rows(("status", "shim", "reason"), rows)


def _print_json(kind: str, found: Verdicts, **more: Any) -> None:
    shims = [dataclasses.asdict(verdict) for verdict in found]
    print_json(kind, digest=found.digest, **more, shims=shims)
