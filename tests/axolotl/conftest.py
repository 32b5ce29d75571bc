"""Tests against a real axolotl: its libraries' warnings are not ours, and nothing is downloaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings of axolotl and its libraries are no failures in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


#: What imports pyarrow at its top, as axolotl does.
_NEED_ARROW = ["test_dedup.py", "test_edges.py", "test_long_sequences.py", "test_position_ids.py"]
collect_ignore = [] if importlib.util.find_spec("pyarrow") else _NEED_ARROW
