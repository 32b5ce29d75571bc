"""``python -m torch_speedkit.report`` prints what ``shimhub speed report`` does."""

from __future__ import annotations

import sys

import pytest

from tests.speedkit.served import served


def test_flags_before_after_and_restored(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both options each flag has three values; it ends with 0 as all are back."""
    with served("report") as module:
        monkeypatch.setattr(sys, "argv", ["report", "--apply", "--restore"])
        assert 0 == module.main()
        told = capsys.readouterr().out
        assert "precision" in told
        (line,) = (one for one in told.splitlines() if "get_float32_matmul_precision" in one)
        assert 4 == len(line.split())
