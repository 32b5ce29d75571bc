"""The parts of what ``install`` turns on: each has rows, and no pattern is of two."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("fast_axolotl") is not None, reason="a real fast_axolotl is installed, and wins"
)

CODE = """
from fast_axolotl._parts import EVERY, patterns
found = [patterns({one}) for one in sorted(EVERY - {"rest"})]
print(all(found), sum(map(len, found)) == len({one for some in found for one in some}))
"""


def test_parts_have_rows_of_their_own() -> None:
    """Globs over ids, none empty and none shared."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "True True\n" == told.stdout, told.stderr
