"""The kind of action that only DualPipeV schedules have."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

import pytest

UNTOUCHED = """
import shimhub
from torch.distributed.pipelining import schedules
shimhub.uninstall()
native = schedules.OVERLAP_F_B
shimhub.install()
assert schedules.OVERLAP_F_B is native
print(shimhub.explain("torch/distributed/pipelining/overlap_f_b")["torch/distributed/pipelining/overlap_f_b"].status.value)
"""

NAMED = """
import copy, pickle
from torch.distributed.pipelining import schedules
from torch.distributed.pipelining.schedules import OVERLAP_F_B, FORWARD
print(OVERLAP_F_B.name, type(OVERLAP_F_B.value).__name__ in ("int", "str"))
assert len({OVERLAP_F_B, FORWARD, OVERLAP_F_B}) == 2
assert pickle.loads(pickle.dumps(OVERLAP_F_B)) is copy.deepcopy(OVERLAP_F_B) is OVERLAP_F_B
"""


def _torch() -> str:
    return ".".join(metadata.version("torch").split(".")[:2]) if find_spec("torch") else ""


pytestmark = pytest.mark.skipif(not find_spec("torch"), reason="needs torch")
on_old = pytest.mark.skipif(_torch() != "2.8", reason=f"torch {_torch()} has its own")
on_new = pytest.mark.skipif(_torch() == "2.8", reason=f"torch {_torch()} has none")


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


def test_it_has_its_name_and_pickles() -> None:
    """It has the name, is a key beside the other kinds, and pickles to itself."""
    assert ["OVERLAP_F_B True"] == _run(NAMED)
