"""`AsyncSaveResponse`: the fields that torch 2.9 gave it."""

from __future__ import annotations

import dataclasses
import runpy
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

ID = "torch/distributed/checkpoint/async_save_response"
CODE = """
from torch.distributed.checkpoint.state_dict_saver import AsyncSaveResponse
print(AsyncSaveResponse(staging_completion=1, upload_completion=2), AsyncSaveResponse.__module__)
"""
EXPECTED = (
    "AsyncSaveResponse(staging_completion=1, upload_completion=2) "
    "torch.distributed.checkpoint.state_dict_saver\n"
)
TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the name")


def test_it_is_there() -> None:
    """It can be imported and made, under torch's own name."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert EXPECTED == told.stdout, told.stderr


@on_later
def test_fields_equal_the_native_ones() -> None:
    """Names and order are those of the installed torch, and there are no defaults."""
    from torch.distributed.checkpoint import state_dict_saver

    ours = runpy.run_path(str(Path(__file__).with_name("shim.py")))["AsyncSaveResponse"]
    fields = [
        [(one.name, one.default) for one in dataclasses.fields(kind)]
        for kind in (state_dict_saver.AsyncSaveResponse, ours)
    ]
    assert fields[0] == fields[1]


@on_later
def test_native_stays() -> None:
    """Where torch has the name, the row is gated and the class is torch's own."""
    from torch.distributed.checkpoint import state_dict_saver

    import shimhub

    native = state_dict_saver.AsyncSaveResponse
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert state_dict_saver.AsyncSaveResponse is native
