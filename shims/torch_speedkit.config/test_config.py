"""The configuration by its names in the release."""

from __future__ import annotations

from shimhub.speed import SpeedConfig
from tests.speedkit.served import served


def test_it_is_shimhubs() -> None:
    """The class is the very one that ``apply_speedups`` takes."""
    with served("config") as module:
        assert module.SpeedConfig is SpeedConfig
        assert module.SpeedConfig().train == module.TrainLoopConfig()
