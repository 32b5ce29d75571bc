"""``compat``: test each feature of a pack in this environment, and write COMPATIBILITY.md."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
from pathlib import Path
from typing import Any

from shimhub import paths
from shimhub.cli.options import add_command
from shimhub.cli.output import clean, print_json
from shimhub.compat import checking, examine, lines_of, packs_of
from shimhub.compat.page import page_of

_FILE = "COMPATIBILITY.md"


def add(commands: Any) -> None:
    """Add ``compat``."""
    told = f"test each feature of a pack in this environment, and write {_FILE}"
    parser = add_command(commands, "compat", _compat, told)
    parser.add_argument("packs", nargs="*", metavar="PACK", help="default: all that have checks")
    told = f"the file to write (with --format text: {_FILE}), or - for none"
    parser.add_argument("-o", "--output", metavar="FILE", help=told)


def _compat(options: argparse.Namespace) -> int:
    packs = packs_of(options.packs)
    logging.disable(logging.CRITICAL)  # of libraries: what goes wrong is an outcome
    report = examine(packs)
    file = options.output or (_FILE if options.format == "text" else "-")
    if file != "-":
        _put(file, page_of(report))
    if options.format == "json":
        rows = [dataclasses.asdict(one) for one in report.outcomes]
        told = {"packs": list(packs), "environment": report.environment, "checks": rows}
        print_json("compat", **told, counts=checking.counts(report.outcomes), others=report.others)
    else:
        title = options.packs[0] if options.packs else "shimhub"
        print("\n".join(clean(line) for line in lines_of(report, title)))
    return report.code


def _put(file: str, text: str) -> None:
    """Put the page in place whole or not at all, through a symbolic link; into a device or pipe."""
    place = os.path.realpath(file)
    if not paths.may_replace(place):
        Path(place).write_text(text, encoding="utf-8")
        return
    scratch = f"{place}.{os.getpid()}"
    try:
        Path(scratch).write_text(text, encoding="utf-8")
        os.replace(scratch, place)
    finally:
        if os.path.lexists(scratch):
            os.unlink(scratch)
