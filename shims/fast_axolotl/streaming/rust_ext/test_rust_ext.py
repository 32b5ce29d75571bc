"""The package of fast-axolotl's extension module."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("fast_axolotl") is not None, reason="a real fast_axolotl is installed, and wins"
)

CODE = """
import fast_axolotl, sys
import axolotl.rust_ext as module
print(module.__fast_axolotl_shimmed__)
fast_axolotl.uninstall()
print("axolotl.rust_ext" in sys.modules)
"""


def test_it_is_there_while_installed() -> None:
    """The module is there after the import, and not after `uninstall`."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "True\nFalse\n" == told.stdout, told.stderr
