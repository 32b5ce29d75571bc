"""The peak of resident memory counts from the reset."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]


def _peak() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="this kernel cannot reset the peak"
)
def test_peak_falls_when_memory_was_freed() -> None:
    """After 64 MiB came and went, the reset brings the peak down again."""
    held = bytearray(b"x") * 2**26
    del held
    high = _peak()
    build(None, None)("cpu")
    assert high - _peak() > 2**14


def test_nothing_happens_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file cannot be written, the call returns None and raises nothing."""
    reset = build(None, None)

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(arguments)

    monkeypatch.setitem(reset.__globals__, "open", refuse)
    assert reset() is None
