"""What a machine without an accelerator is called, and what must not change by it."""

from __future__ import annotations

import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]

CODE = """
import torch
from torch._utils import _get_available_device_type
print(_get_available_device_type())
model = torch.nn.DataParallel(torch.nn.Linear(2, 2))
print(model.device_ids, model(torch.ones(1, 2)).shape)
"""


def test_accelerators_win() -> None:
    """What torch finds is told as it is; nothing found is the CPU."""
    assert "cuda" == build(lambda: "cuda", None)()
    assert "cpu" == build(lambda: None, None)()


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
def test_copies_and_data_parallel() -> None:
    """A name bound by `from … import` sees the CPU; `nn.DataParallel` runs the module as before."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "--enable", "cpu-device"]
    told = subprocess.run([*command, "-c", CODE], capture_output=True, text=True, check=True)
    assert "cpu\n[] torch.Size([1, 2])\n" == told.stdout
