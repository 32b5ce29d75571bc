"""``schema``: the JSON Schema of everything that ``--format json`` prints."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("output.schema.json")


def add(commands: Any) -> None:
    """Add ``schema``."""
    told = "print the JSON Schema of what --format json prints"
    commands.add_parser("schema", help=told, description=told).set_defaults(work=_schema)


def _schema(_: argparse.Namespace) -> int:
    sys.stdout.write(FILE.read_text("utf-8"))
    return 0
