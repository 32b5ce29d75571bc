"""``doctor``: what is the matter with this environment, and the command that mends it."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections import Counter
from typing import Any

from shimhub.cli.options import add_command, add_selection
from shimhub.cli.output import clean, count_of, print_fields, print_json
from shimhub.config import config_of
from shimhub.doctor import Examination, examine
from shimhub.model import Selection, tuple_of


def add(commands: Any) -> None:
    """Add ``doctor``."""
    told = "what is the matter with this environment, and the commands that mend it"
    add_selection(add_command(commands, "doctor", _doctor, told))


def _doctor(options: argparse.Namespace) -> int:
    words = (options.only, options.enable, options.disable)
    only, enable, disable = map(tuple_of, words)
    found = examine(
        config_of(options.registry, *words, False, os.environ), Selection(only, enable, disable)
    )
    if options.format == "json":
        rows = [dataclasses.asdict(one) for one in found.findings]
        print_json("doctor", facts=found.facts, findings=rows)
    else:
        _print(found)
    return 0 if found.is_healthy else 1


def _print(found: Examination) -> None:
    print_fields("facts", found.facts)
    for one in found.findings:
        print()
        title = f"{one.code} {one.severity}: {one.about}"
        print_fields(title, {"what": one.what, "where": one.where}, one.severity)
        print(f"  $ {clean(one.command)}")  # never wrapped: it is there to be copied
    counts = Counter(one.severity for one in found.findings)
    told = [count_of(counts[word], word) for word in ("error", "warning", "note") if counts[word]]
    print(f"\n{', '.join(told) or 'no findings'}")
