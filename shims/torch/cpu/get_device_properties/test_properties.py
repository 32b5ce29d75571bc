"""The machine's properties under CUDA's names."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from types import SimpleNamespace

build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]


def test_memory_cores_and_name() -> None:
    """Memory is in bytes, cores are counted, and the name is the one that torch.cpu tells."""
    ctx = SimpleNamespace(module=SimpleNamespace(get_device_name=lambda: "a processor"))
    found = build(None, ctx)("cpu")
    assert "a processor" == found.name
    assert os.cpu_count() == found.multi_processor_count
    assert 2**26 < found.total_memory < 2**50
    assert (0, 0) == (found.major, found.minor)


def test_name_without_the_other_shim() -> None:
    """Where `get_device_name` is switched off, there is still a name."""
    assert build(None, SimpleNamespace(module=SimpleNamespace()))().name
