"""The processor's name."""

from __future__ import annotations

import platform
import runpy
from pathlib import Path

import pytest

shim = runpy.run_path(str(Path(__file__).with_name("shim.py")))


def test_any_device_has_the_same_name() -> None:
    """A name is told, with and without a device, as for CUDA's default device."""
    get_device_name = shim["build"](None, None)
    assert get_device_name()
    assert get_device_name() == get_device_name("cpu") == get_device_name(device=0)


def test_model_name_is_read_from_cpuinfo(tmp_path: Path) -> None:
    """The first `model name` counts; a file without one, or no file, gives an empty name."""
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nmodel name\t: A : B\nmodel name\t: C\n", encoding="utf-8")
    assert "A : B" == shim["_model_name"](str(path))
    path.write_text("processor\t: 0\n", encoding="utf-8")
    assert "" == shim["_model_name"](str(path))
    assert "" == shim["_model_name"](str(tmp_path / "missing"))


def test_falls_back_to_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc tells nothing, Python's own words for the processor are used."""
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setitem(shim["_model_name"].__globals__, "_model_name", lambda path: "")
    assert "aarch64" == shim["build"](None, None)()
