"""`torch._dynamo.logging` does not see the stand-in for Triton."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

CODE = """
import builtins, torch._dynamo
SEEN
import torch._dynamo.logging as module
print(getattr(module, "num_steps", None))
print(vars(module)["__builtins__"] is vars(builtins), builtins.__import__.__name__)
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
@pytest.mark.skipif(find_spec("triton") is not None, reason="a real triton is installed")
def test_the_module_is_as_without_triton() -> None:
    """Its progress bar and builtins are as without the stand-in."""
    plain = [sys.executable, "-c", CODE.replace("SEEN", "")]
    shimmed = [sys.executable, "-m", "shimhub", "run", "-c", CODE.replace("SEEN", "import triton")]
    told = [subprocess.check_output(command, text=True) for command in (plain, shimmed)]
    assert told[0] == told[1]
