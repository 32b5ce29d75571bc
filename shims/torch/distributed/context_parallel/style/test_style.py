"""The parallel style that splits the sequence: importable, and clear when it is made."""

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
native = cp._ContextParallel
shimhub.install()
assert cp._ContextParallel is native
print(shimhub.explain("torch/distributed/context_parallel/style")["torch/distributed/context_parallel/style"].status.value)
"""

MADE = """
from torch.distributed.tensor.parallel import ParallelStyle
from torch.distributed.tensor.experimental._attention import _ContextParallel
kinds = _ContextParallel.AttentionType
print(issubclass(_ContextParallel, ParallelStyle), [(kind.name, kind.value) for kind in kinds])
try:
    _ContextParallel(seq_dim=2, attention_type=kinds.FLEX)
except NotImplementedError as error:
    print(error)
"""
KINDS = "True [('FLEX', 'flex_attention'), ('SDPA', 'scaled_dot_product_attention')]"


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


def test_kinds_are_those_of_torch_2_13() -> None:
    """It is a parallel style, with the same kinds of attention on every torch."""
    assert KINDS == _run(MADE)[0]


@on_old
def test_making_one_tells_the_cure() -> None:
    """The error names the torch that has it, the one that is here, and the option to change."""
    told = _run(MADE)[1]
    assert metadata.version("torch").partition("+")[0] in told
    assert "needs torch >= 2.10" in told
    assert "--parallelism.context_parallel_degree 1" in told
