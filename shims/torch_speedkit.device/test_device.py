"""Devices by the names of the release."""

from __future__ import annotations

import pytest

from tests.speedkit.served import served


def test_devices_are_found_or_told() -> None:
    """``auto`` is always there; what is not here, or nowhere, is an error that says so."""
    torch = pytest.importorskip("torch")
    with served("device") as module:
        assert torch.device("cpu") == module.resolve_device("cpu")
        assert "cpu" == module.describe_device(torch.device("cpu"))
        with pytest.raises(ValueError, match="unknown device 'gpu'"):
            module.resolve_device("gpu")
        if not torch.cuda.is_available():
            with pytest.raises(RuntimeError, match="'cuda' is asked for and is not here"):
                module.resolve_device("cuda")
        assert module.resolve_device("auto").type
