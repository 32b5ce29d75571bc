"""The resharder under the name that it had in torch_checkpointing 0.1.0."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

CODE = """
import pickle
from torch_checkpointing.default_resharder import DefaultResharder
from torch_checkpointing.dtensor_resharder import DTensorResharder
print(DTensorResharder is DefaultResharder)
print(type(pickle.loads(pickle.dumps(DTensorResharder()))) is DefaultResharder)
"""


@pytest.mark.skipif(
    find_spec("torch_checkpointing") is None, reason="needs torch_checkpointing, of TorchTitan 0.3"
)
def test_old_name_is_the_new_class() -> None:
    """The old import gives the very class of today, and instances of it pickle."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "True\nTrue\n" == told.stdout
