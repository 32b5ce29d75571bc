"""torch takes the branches that it takes without Triton, while the stand-in is there."""

from __future__ import annotations

import builtins
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

BRANCHES = """
import torch, torch._dynamo
from torch._inductor import ir, utils
from torch._inductor.kernel import mm
from torch._inductor.runtime import hints, triton_compat
from torch.utils import _triton
compiled = torch.compile(lambda x: (x.sin() + 1).relu() @ x)
x = torch.arange(64.0).reshape(8, 8)
print(_triton.has_triton_package(), _triton.has_triton(), _triton.get_triton_version())
print(torch._dynamo.utils.has_triton_package(), hints.has_triton_package())
print(triton_compat.HAS_TRITON, triton_compat.Config, triton_compat.knobs)
print(ir.has_triton, ir.triton_version, mm.has_triton, str(mm.triton_version))
print(utils.get_triton_attrs_descriptor_version())
print(compiled(x).sum().item())
"""


def _run(*command: str) -> str:
    told = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert "" == told.stderr
    return told.stdout


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
@pytest.mark.skipif(find_spec("triton") is not None, reason="a real triton is installed")
def test_torch_takes_the_branches_of_a_machine_without_triton() -> None:
    """Every test of torch and `torch.compile` on CPU answer as without the hub, stub imported."""
    native = _run("-W", "ignore", "-c", BRANCHES)
    code = "import triton, triton.language\n" + BRANCHES
    assert native == _run("-W", "ignore", "-m", "shimhub", "run", "-c", code)


def _seeded(module: ModuleType) -> dict[str, object]:
    undo: list[object] = []
    build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]
    return build(None, SimpleNamespace(module=module, on_revert=undo.append))


def _imports(body: str, seeds: dict[str, object]) -> bool:
    try:
        exec(body, {"__builtins__": seeds})
    except ModuleNotFoundError as error:
        return error.name not in ("triton", "triton.language")
    return True


def test_only_the_stand_in_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every spelling of importing the stand-in fails; a real Triton and others import."""
    seeds = _seeded(ModuleType("target"))
    spellings = ("import triton", "import triton.language as tl", "from triton import jit")
    for name in ("triton", "triton.language"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    vars(sys.modules["triton"]).update(jit=print, language=sys.modules["triton.language"])
    assert [True] * 3 == [_imports(body, seeds) for body in spellings]
    monkeypatch.setattr(sys.modules["triton"], "__stub__", True, raising=False)
    assert [False] * 3 == [_imports(body, seeds) for body in spellings]
    assert _imports("import json, os.path\nfrom pathlib import Path", seeds)


def test_everything_else_is_the_interpreters() -> None:
    """The seeds are the builtins but for `__import__`, and undo gives the module those back."""
    undo = []
    module = ModuleType("target")
    build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]
    seeds = build(None, SimpleNamespace(module=module, on_revert=undo.append))
    assert seeds.keys() == vars(builtins).keys()
    changed = [name for name, one in seeds.items() if one is not vars(builtins)[name]]
    assert ["__import__"] == changed
    undo[0]()
    assert module.__builtins__ is vars(builtins)
