"""The stand-in for ``axolotl``: marked, and gone with ``uninstall``."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("fast_axolotl") is not None or find_spec("axolotl") is not None,
    reason="a real one is installed, and wins",
)

CODE = """
import fast_axolotl, sys
import axolotl as module
print(module.__stub__, module.__fast_axolotl_shimmed__, hasattr(module, "train"))
fast_axolotl.uninstall()
print("axolotl" in sys.modules)
"""


def test_it_says_what_it_is() -> None:
    """Where axolotl is not installed: a stand-in that says so."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "True True False\nFalse\n" == told.stdout, told.stderr
