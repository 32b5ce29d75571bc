"""Dynamo's switch for the order of its cache: accepted, and results stay."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

import pytest

UNTOUCHED = """
import shimhub
import torch
shimhub.uninstall()
native = torch._C._dynamo.eval_frame._set_lru_cache
shimhub.install()
assert torch._C._dynamo.eval_frame._set_lru_cache is native
print(shimhub.explain("torch/_dynamo/set_lru_cache")["torch/_dynamo/set_lru_cache"].status.value)
"""

SWITCHED = """
import torch, torch._C._dynamo.eval_frame as frame
print(torch._C._dynamo.eval_frame._set_lru_cache(False))
from torch._C._dynamo.eval_frame import _set_lru_cache
compiled = torch.compile(lambda x: x.sin() + x.size(0), backend="eager", dynamic=False)
for size in (2, 3, 2):
    x = torch.ones(size)
    assert torch.equal(compiled(x), x.sin() + size)
print(_set_lru_cache(True))
try:
    _set_lru_cache()
except TypeError as error:
    print("TypeError")
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


@on_new
def test_native_stays() -> None:
    """Where torch has it, it is the same object after an install."""
    assert ["GATED"] == _run(UNTOUCHED)


@pytest.mark.slow
def test_accepted() -> None:
    """By either name, before and after compiling, on every torch; without a value a TypeError."""
    assert ["None", "None", "TypeError"] == _run(SWITCHED)
