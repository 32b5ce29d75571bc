"""``fast_axolotl``: it is there under the hub, with its version and its names."""

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
print(fast_axolotl.__version__, all(hasattr(fast_axolotl, one) for one in fast_axolotl.__all__))
"""


def test_it_imports() -> None:
    """The package is served, and has all that `__all__` names."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "0.2.0 True\n" == told.stdout, told.stderr
