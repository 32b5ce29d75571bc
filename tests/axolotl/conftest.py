"""Tests against a real axolotl: its libraries' warnings are not ours, and nothing is downloaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

import shimhub

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _in_use() -> Iterator[None]:
    """No replacement has a fault, or goes out of use: then two originals are compared."""
    before = faults()
    yield
    assert before == faults()


def faults() -> dict[str, tuple[dict[str, int], str]]:
    """Return the unexpected exceptions of each of the pack's replacements, and why one is out."""
    found = shimhub.stats().items()
    return {name: (one.errors, one.breaker) for name, one in found if one.errors or one.breaker}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings of axolotl and its libraries are no failures in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


#: What imports pyarrow at its top, as axolotl does.
_NEED_ARROW = ["test_dedup.py", "test_edges.py", "test_long_sequences.py", "test_position_ids.py"]
collect_ignore = [] if importlib.util.find_spec("pyarrow") else _NEED_ARROW
