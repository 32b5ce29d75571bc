"""``python -m torch_speedkit.bench``: a verdict, not a number alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.speedkit.served import served


def test_it_reads_the_file_and_prints_a_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Small sizes here; what is printed fits a terminal."""
    with served("bench") as module:
        from shimhub.speed import benching

        real = benching.benchmark
        config = tmp_path / "c.yaml"
        config.write_text("precision: auto\n")
        monkeypatch.setattr(sys, "argv", ["bench", "--config", str(config)])
        monkeypatch.setattr(
            benching, "benchmark", lambda cfg: real(cfg, dim=16, batch=2, budget_s=0.5)
        )
        module.main()
    told = capsys.readouterr().out
    assert "Verdict:" in told
    assert all(len(line) <= 80 for line in told.splitlines())
