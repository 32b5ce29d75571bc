"""torch takes the branches that it takes without Triton, while the stand-in is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

BRANCHES = """
import torch, torch._dynamo
from torch._inductor import ir, lowering, utils
from torch._inductor.kernel import mm
from torch._inductor.runtime import hints, triton_compat
from torch.utils import _triton
compiled = torch.compile(lambda x: (x.sin() + 1).relu() @ x)
x = torch.arange(64.0).reshape(8, 8)
print(_triton.has_triton_package(), _triton.has_triton())
print(getattr(_triton, "get_triton_version", str)())  # torch 2.8 has no such function
print(torch._dynamo.utils.has_triton_package(), hints.has_triton_package())
known = vars(triton_compat)  # torch 2.8 has no HAS_TRITON
print(known.get("HAS_TRITON"), triton_compat.Config, triton_compat.knobs)
print(ir.has_triton, ir.triton_version, mm.has_triton, str(mm.triton_version))
print(utils.get_triton_attrs_descriptor_version())
print(compiled(x).sum().item())
"""

NO_CARD = "No CUDA runtime is found"


def _run(*command: str) -> str:
    told = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    # a CUDA build of torch says this on a machine without a card
    assert [] == [line for line in told.stderr.splitlines() if NO_CARD not in line]
    return told.stdout


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
@pytest.mark.skipif(find_spec("triton") is not None, reason="a real triton is installed")
def test_torch_takes_the_branches_of_a_machine_without_triton() -> None:
    """Every test of torch and `torch.compile` on CPU answer as without the hub, stub imported."""
    native = _run("-W", "ignore", "-c", BRANCHES)
    code = "import triton, triton.language\n" + BRANCHES
    assert native == _run("-W", "ignore", "-m", "shimhub", "run", "-c", code)


ROW = """
schema = 1
[[shim]]
id = "hide"
attach = "target:__builtins__"
action = "add"
phase = "pre"
why = "A test."
"""
TARGET = """
try:
    import triton, triton.language
    from triton import jit
    FOUND = True
except ModuleNotFoundError as error:
    FOUND = error.name
import json, os.path
def late():
    import triton
    return triton
if getattr(json, "FAIL", False):
    raise ValueError("body")
"""
CODE = """
import builtins, json, sys, shimhub, triton
real = builtins.__import__
shimhub.install(registry="registry.toml")
json.FAIL = True
try:
    import target
except ValueError:
    assert builtins.__import__ is real
json.FAIL = False
import target
assert builtins.__import__ is real and target.late() is triton
assert vars(target)["__builtins__"] is target.late.__builtins__ is vars(builtins)
shimhub.uninstall()
assert vars(target)["__builtins__"] is vars(builtins) and builtins.__import__ is real
print(target.FOUND)
"""


@pytest.mark.parametrize(("head", "found"), [("__stub__ = True", "triton"), ("", "True")])
def test_only_the_stand_in_and_only_the_body(tmp_path: Path, head: str, found: str) -> None:
    """The body does not find the stand-in, or finds a real Triton; nothing else changes, ever."""
    (tmp_path / "shims" / "hide").mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("shim.py"), tmp_path / "shims" / "hide")
    (tmp_path / "triton").mkdir()
    (tmp_path / "triton" / "__init__.py").write_text(f"{head}\njit = print\n")
    (tmp_path / "triton" / "language.py").write_text("")
    (tmp_path / "target.py").write_text(TARGET)
    (tmp_path / "registry.toml").write_text(ROW)
    command = [sys.executable, "-W", "error", "-c", CODE]
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environ = {**os.environ, "PYTHONPATH": paths}
    told = subprocess.check_output(command, text=True, cwd=tmp_path, env=environ)
    assert f"{found}\n" == told
