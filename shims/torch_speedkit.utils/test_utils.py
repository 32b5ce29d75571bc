"""The helpers of the release."""

from __future__ import annotations

import random

import pytest

from tests.speedkit.served import served


def test_seeds_formats_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seed repeats what follows; only batches of images change their format."""
    torch = pytest.importorskip("torch")
    with served("utils") as module:
        states = []
        for _ in range(2):
            module.set_seed(7, deterministic=False)
            states.append((random.random(), float(torch.rand(1))))
        assert states[0] == states[1]
        images = torch.ones(2, 3, 4, 4)
        changed = module.maybe_channels_last(images, True)
        assert changed.is_contiguous(memory_format=torch.channels_last)
        assert module.maybe_channels_last(images, False) is images
        assert module.maybe_channels_last(images[0], True).shape == images[0].shape
        monkeypatch.setenv("SPEEDKIT_X", "")
        assert module.env_flag("SPEEDKIT_X") is None
        monkeypatch.setenv("SPEEDKIT_X", "1")
        assert "1" == module.env_flag("SPEEDKIT_X")
