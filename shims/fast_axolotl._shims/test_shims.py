"""``install`` and ``uninstall`` answer whether they did it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("fast_axolotl") is not None, reason="a real fast_axolotl is installed, and wins"
)

CODE = """
import fast_axolotl as fa
print(fa.install(), fa.uninstall(), fa.uninstall(), fa.install_hashing_shim())
"""


def test_answers() -> None:
    """The import has installed; then it is undone, once."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "False True False True\n" == told.stdout, told.stderr
