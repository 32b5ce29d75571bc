"""``fast_axolotl.streaming``: the names of its own module, and errors at the first batch."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("fast_axolotl") is not None, reason="a real fast_axolotl is installed, and wins"
)

CODE = """
import fast_axolotl, fast_axolotl.streaming as streaming
print(streaming.streaming_dataset_reader is fast_axolotl.streaming_dataset_reader)
batches = streaming.streaming_dataset_reader("")
try:
    next(batches)
except ValueError as error:
    print(error)
"""


def test_names_and_errors() -> None:
    """The functions are the package's own."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "True\nfile_path cannot be empty\n" == told.stdout, told.stderr
