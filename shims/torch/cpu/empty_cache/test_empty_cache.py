"""There is no cache of CPU memory."""

from __future__ import annotations

import inspect
import runpy
from pathlib import Path

build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]


def test_does_nothing_and_takes_nothing() -> None:
    """The signature is CUDA's: no arguments, no result."""
    empty_cache = build(None, None)
    assert empty_cache() is None
    assert not inspect.signature(empty_cache).parameters
