"""``report``: which processes of a run were active, and what shims did in them."""

from __future__ import annotations

import argparse
from typing import Any

from shimhub import report
from shimhub.cli.options import add_command
from shimhub.cli.output import print_json


def add(commands: Any) -> None:
    """Add ``report``."""
    told = "where shims were active in the last run, and where not"
    parser = add_command(commands, "report", _report, told)
    parser.add_argument("folder", nargs="?", help="a run's SHIMHUB_RUN_DIR; the last run's if left")


def _report(options: argparse.Namespace) -> int:
    found = report.read(options.folder or report.latest())
    if options.format == "json":
        print_json("report", **report.as_data(found))
    else:
        print(report.text_of(found))
    return 1 if found.findings or not found.processes else 0
