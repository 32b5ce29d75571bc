"""The reader of quantized checkpoints: imports and annotates on torch 2.8, use raises the cure."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import pytest

ID = "torch/distributed/checkpoint/quantized_hf_storage"
NAME = "torch.distributed.checkpoint.quantized_hf_storage"
CODE = f"""
from {NAME} import QuantizedHuggingFaceStorageReader as Reader
def read(reader: Reader) -> None: ...
print(isinstance(object(), Reader), Reader.__module__)
"""
USE = CODE + "\nReader(path='.', target_dtype=None, block_size=128, thread_count=4)"
TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
on_2_8 = pytest.mark.skipif(not IS_2_8, reason="needs torch 2.8, which lacks the module")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the module")


def _run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", *options, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_imports() -> None:
    """The name is there, for annotations and `isinstance`."""
    told = _run(CODE)
    assert f"False {NAME}\n" == told.stdout, told.stderr


@on_2_8
def test_use_says_what_it_needs() -> None:
    """Making a reader raises a NotImplementedError with the torch that has it and what to do."""
    told = _run(USE)
    assert "needs torch 2.9 or later: install torch>=2.9" in told.stderr
    caught = "try:\n    Reader()\nexcept NotImplementedError:\n    print('caught')"
    assert "caught" == _run(f"{CODE}\n{caught}").stdout.splitlines()[-1]


@on_2_8
def test_native_lacks_it() -> None:
    """Without the shim the import dies: the row is still needed."""
    assert f"No module named '{NAME}'" in _run(CODE, "--disable", ID).stderr


@on_later
def test_native_stays() -> None:
    """Where torch has the module, the row is gated and the class is torch's own."""
    from torch.distributed.checkpoint import quantized_hf_storage

    import shimhub

    native = quantized_hf_storage.QuantizedHuggingFaceStorageReader
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert quantized_hf_storage.QuantizedHuggingFaceStorageReader is native
