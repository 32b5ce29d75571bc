"""``streaming_dataset_reader`` in ``axolotl.utils.data``."""

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
import axolotl.utils.data as module
print(module.streaming_dataset_reader is fast_axolotl.streaming_dataset_reader)
fast_axolotl.uninstall()
print("streaming_dataset_reader" in vars(module))
"""


def test_it_is_there_while_installed() -> None:
    """The name is there after the import, and not after `uninstall`."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "True\nFalse\n" == told.stdout, told.stderr
