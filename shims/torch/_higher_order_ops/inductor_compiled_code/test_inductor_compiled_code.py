"""The operator's name as a member of lists of what to save, and nothing more."""

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
native = torch._higher_order_ops.inductor_compiled_code
shimhub.install()
assert torch._higher_order_ops.inductor_compiled_code is native
print(shimhub.explain("torch/_higher_order_ops/inductor_compiled_code")["torch/_higher_order_ops/inductor_compiled_code"].status.value)
"""

NAMED = """
import pickle, torch
op = torch._higher_order_ops.inductor_compiled_code
assert op in {op, torch.ops.aten.mm.default} and torch.ops.aten.mm.default not in {op}
assert pickle.loads(pickle.dumps(op)) is op
try:
    op(print, ())
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
def test_named_but_not_called() -> None:
    """It can be kept in a set; a call tells the release that has it, and the one that is here."""
    (told,) = _run(NAMED)
    assert "before torch 2.10" in told
    assert metadata.version("torch").partition("+")[0] in told
