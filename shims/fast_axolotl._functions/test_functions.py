"""What ``fast_axolotl`` computes, as lists of Python."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("fast_axolotl") is not None, reason="a real fast_axolotl is installed, and wins"
)

CODE = """
from fast_axolotl import deduplicate_indices, pad_sequences
print(pad_sequences([[1, 2], [3]]), deduplicate_indices(["a", "b", "a"])[0])
"""


def test_functions_answer_in_lists() -> None:
    """Padding and deduplication by the kernels."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "[[1, 2], [3, 0]] [0, 1]\n" == told.stdout, told.stderr
