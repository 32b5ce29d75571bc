"""docs/axolotl.md: its table has the registry's rows, each with its place and its versions."""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "axolotl.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(axolotl/\S+)` \| `(\S+)` \| (.+) \|$", re.MULTILINE)


def rows():
    """Return the rows of the pack by id."""
    table = tomllib.loads((ROOT / "registry.toml").read_text(encoding="utf-8"))
    return {row["id"]: row for row in table["shim"] if "axolotl" in row.get("packs", ())}


def test_the_table_has_every_row():
    """Ids and attach points are those of the pack, no more and no fewer."""
    told = {shim: f"axolotl.{attach}" for shim, attach, _ in ROW.findall(PAGE)}
    assert {shim: row["attach"] for shim, row in rows().items()} == told


def test_versions_are_those_of_the_rows():
    """A range begins and ends where the row's rule does."""
    for shim, _, versions in ROW.findall(PAGE):
        rule = rows()[shim]["when"]["axolotl"]
        first, last = re.search(r">=([\d.]+)", rule)[1], re.search(r"<([\d.]+)", rule)[1]
        assert versions.startswith(first), (shim, versions, rule)
        before = {"0.20": "0.19", "0.10": "0.9", "0.9.2": "0.8", "0.12": "0.11"}
        before |= {"0.13": "0.12", "0.18": "0.17"}
        assert versions.endswith(before[last]), (shim, versions, rule)
