"""`has_triton_package` tells the stand-in from a real Triton."""

from __future__ import annotations

import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]

LATE = """
import torch._dynamo.utils as user
import shimhub
before = [user.has_triton_package]  # in a list, since a global of this name would be patched too
with shimhub.shimmed():
    import triton
    print(user.has_triton_package is not before[0], user.has_triton_package())
print(user.has_triton_package is before[0], user.has_triton_package())
"""


def test_answers_of_the_original_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a stand-in the original answers, for no Triton and for a real one."""
    monkeypatch.setitem(sys.modules, "triton", None)
    assert build(lambda: False, None)() is False
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    assert build(lambda: True, None)() is True


def test_original_is_not_asked_about_the_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in is no Triton, and the original's own cache learns nothing of it."""
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    monkeypatch.setattr(sys.modules["triton"], "__stub__", True, raising=False)
    assert build(lambda: pytest.fail("asked"), None)() is False


def test_is_cached_like_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    """The original is asked once, and `cache_clear` is there for torch's tests."""
    monkeypatch.setitem(sys.modules, "triton", None)
    asked = []
    test = build(lambda: bool(asked.append(1)), None)
    assert (False, False, 1) == (test(), test(), len(asked))
    test.cache_clear()
    assert (False, 2) == (test(), len(asked))


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
@pytest.mark.skipif(find_spec("triton") is not None, reason="a real triton is installed")
def test_late_install_reaches_copies_and_undoes_them() -> None:
    """A hub that comes after torch patches names bound by `from … import`, and restores them."""
    told = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    assert "True False\nTrue False\n" == told.stdout
