"""The barrier with the device that `torch.cpu.current_device()` names."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

import pytest

CODE = """
import inspect
import torch, torch.distributed as dist
dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
print(dist.barrier is dist.distributed_c10d.barrier)
print(list(inspect.signature(dist.barrier).parameters))
print(dist.barrier(device_ids=[torch.cpu.current_device()]))
print(dist.barrier(), dist.barrier(device_ids=[0]))
work = dist.barrier(async_op=True, device_ids=["cpu"])
print(work.wait())
try:
    dist.barrier(device_ids=["gpu"])
except TypeError:
    print("TypeError")
dist.destroy_process_group()
"""

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", *options, "-c", CODE]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_cpu_is_no_particular_device() -> None:
    """The CPU's name works, also asynchronously and through the copy in `torch.distributed`; other
    values, wrong ones too, go to the original."""
    accepts = ["group", "async_op", "device_ids", "timeout"]
    if metadata.version("torch").startswith("2.8."):  # which has no such keyword
        accepts.remove("timeout")
    expected = [
        "True",
        str(accepts),
        "None",
        "None None",
        "True",
        "TypeError",
    ]
    told = _run("--enable", "cpu-device").stdout.splitlines()
    assert expected == [line for line in told if not line.startswith("[Gloo]")]


def test_native_barrier_refuses_it() -> None:
    """Without the shim the same program dies: the row is still needed."""
    assert "TypeError" in _run("--disable", "cpu-device").stderr
