"""`torch._dynamo.logging` does not see the stand-in for Triton."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

CODE = """
import triton, torch._dynamo
import torch._dynamo.logging as module
print("__stub__" in vars(triton), getattr(module, "has_triton", False))
try:
    eval(compile("__import__('triton')", "here", "eval"), vars(module))
except ModuleNotFoundError as error:
    print(error)
"""


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
@pytest.mark.skipif(find_spec("triton") is not None, reason="a real triton is installed")
def test_import_fails_inside_the_module_only() -> None:
    """The program imports the stand-in; the same import inside the module does not find it."""
    command = [sys.executable, "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "True False\nNo module named 'triton'\n" == told.stdout
