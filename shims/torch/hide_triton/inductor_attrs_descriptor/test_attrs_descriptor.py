"""Inductor's version of Triton's launch descriptors with and without a real Triton."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]
VERSIONS = SimpleNamespace(V0_NO_TRITON="none")
CTX = SimpleNamespace(module=SimpleNamespace(TritonAttrsDescriptorVersion=VERSIONS))


def test_stand_in_counts_as_no_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the stand-in the original, which would fail on its insides, is not asked."""
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    monkeypatch.setattr(sys.modules["triton"], "__stub__", True, raising=False)
    assert "none" == build(lambda: pytest.fail("asked"), CTX)()


def test_real_triton_and_none_go_to_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real Triton is the original's business, and so is a machine without one."""
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    assert "dict" == build(lambda: "dict", CTX)()
    monkeypatch.setitem(sys.modules, "triton", None)
    assert "original" == build(lambda: "original", CTX)()
