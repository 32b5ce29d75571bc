"""The package: its names are shimhub's, and it is gone with the hub."""

from __future__ import annotations

import sys

from tests.speedkit.served import served


def test_its_names_are_those_of_the_release() -> None:
    """What 0.1.0 exports, and what its guide shows; gone afterwards."""
    with served("") as package:
        assert {"SpeedConfig", "SpeedContext", "Trainer", "apply_speedups"} <= {*package.__all__}
        assert all(hasattr(package, name) for name in package.__all__)
        assert package.__version__ == "0.1.0"
    assert not [name for name in sys.modules if name.startswith("torch_speedkit")]
