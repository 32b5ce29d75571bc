"""`StagingOptions`: fields, defaults and equality of torch 2.9."""

from __future__ import annotations

import dataclasses
import runpy
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

ID = "torch/distributed/checkpoint/staging_options"
CODE = """
import pickle
from torch.distributed.checkpoint.staging import *
options = StagingOptions(True, False, True, use_non_blocking_copy=False)
print(options)
print(pickle.loads(pickle.dumps(options)) == options != StagingOptions())
"""
EXPECTED = (
    "StagingOptions(use_pinned_memory=True, use_shared_memory=False, use_async_staging=True, "
    "use_non_blocking_copy=False)\nTrue\n"
)
TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the name")


def test_it_is_there_and_pickles() -> None:
    """Imported by star, made by position and by name, it compares and pickles."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert EXPECTED == told.stdout, told.stderr


@on_later
def test_fields_equal_the_native_ones() -> None:
    """Names, order and defaults are those of the installed torch."""
    from torch.distributed.checkpoint import staging

    ours = runpy.run_path(str(Path(__file__).with_name("shim.py")))["StagingOptions"]
    fields = [
        [(one.name, one.default) for one in dataclasses.fields(kind)]
        for kind in (staging.StagingOptions, ours)
    ]
    assert fields[0] == fields[1]


@on_later
def test_native_stays() -> None:
    """Where torch has the name, the row is gated and the class is torch's own."""
    from torch.distributed.checkpoint import staging

    import shimhub

    native = staging.StagingOptions
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert staging.StagingOptions is native
