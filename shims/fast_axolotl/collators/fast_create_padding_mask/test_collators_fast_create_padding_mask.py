"""``fast_create_padding_mask`` in ``axolotl.utils.collators``."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("fast_axolotl") is not None, reason="a real fast_axolotl is installed, and wins"
)

CODE = """
import fast_axolotl
import axolotl.utils.collators as module
print(module.fast_create_padding_mask is fast_axolotl.create_padding_mask)
fast_axolotl.uninstall()
print("fast_create_padding_mask" in vars(module))
"""


def test_it_is_there_while_installed() -> None:
    """The name is there after the import, and not after `uninstall`."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "True\nFalse\n" == told.stdout, told.stderr
