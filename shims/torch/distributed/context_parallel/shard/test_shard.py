"""`_context_parallel_shard`: importable, and clear when it is called."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

import pytest

UNTOUCHED = """
import shimhub
import torch.distributed.tensor.experimental._attention as cp
shimhub.uninstall()
native = cp._context_parallel_shard
shimhub.install()
assert cp._context_parallel_shard is native
print(shimhub.explain("torch/distributed/context_parallel/shard")["torch/distributed/context_parallel/shard"].status.value)
"""

CALLED = """
from torch.distributed.tensor.experimental._attention import _context_parallel_shard
try:
    _context_parallel_shard(mesh=None, buffers=[], seq_dims=[])
except NotImplementedError as error:
    print(error)
"""


def _torch() -> str:
    return ".".join(metadata.version("torch").split(".")[:2]) if find_spec("torch") else ""


pytestmark = pytest.mark.skipif(not find_spec("torch"), reason="needs torch")
on_old = pytest.mark.skipif(_torch() not in ("2.8", "2.9"), reason=f"torch {_torch()} has its own")
on_new = pytest.mark.skipif(_torch() in ("2.8", "2.9"), reason=f"torch {_torch()} has none")


def _run(code: str) -> list[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@on_new
def test_native_stays() -> None:
    """Where torch has it, it is the same object after an install."""
    assert ["GATED"] == _run(UNTOUCHED)


@on_old
def test_a_call_tells_the_cure() -> None:
    """The error names the torch that has it, the one that is here, and the option to change."""
    (told,) = _run(CALLED)
    assert metadata.version("torch").partition("+")[0] in told
    assert "needs torch >= 2.10" in told
    assert "--parallelism.context_parallel_degree 1" in told
