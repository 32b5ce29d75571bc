"""Memory of the process under CUDA's keys."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

shim = runpy.run_path(str(Path(__file__).with_name("shim.py")))
memory_stats = shim["build"](None, None)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_memory_grows_with_what_is_held() -> None:
    """Holding 64 MiB shows in the current figure, and the peak is never below it."""
    before = memory_stats()["active_bytes.all.current"]
    held = bytearray(b"x") * 2**26
    after = memory_stats("cpu")
    assert after["active_bytes.all.current"] - before > 2**25
    assert after["active_bytes.all.peak"] >= after["active_bytes.all.current"]
    assert 2**26 == len(held)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_keys_are_those_of_cuda() -> None:
    """Every key that TorchTitan reads is there, with an integer."""
    stats = memory_stats()
    peaks = ("active_bytes.all.peak", "reserved_bytes.all.peak")
    for key in (*peaks, "num_alloc_retries", "num_ooms"):
        assert isinstance(stats[key], int)


def test_empty_where_nobody_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc the answer is empty, as CUDA's is before it has started."""
    assert {} == shim["_resident"](str(tmp_path / "missing"))
    monkeypatch.setitem(memory_stats.__globals__, "_resident", lambda path: {})
    assert {} == memory_stats()
