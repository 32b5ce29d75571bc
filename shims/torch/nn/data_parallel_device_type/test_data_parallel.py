"""`nn.DataParallel`'s own view of the device type."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]


@pytest.mark.parametrize(("told", "seen"), [("cpu", None), (None, None), ("cuda", "cuda")])
def test_cpu_is_no_accelerator(told: str | None, seen: str | None) -> None:
    """The CPU is None again; accelerators and None stay. The model itself runs in the test beside
    torch/utils/get_available_device_type."""
    assert seen == build(lambda: told, None)()
