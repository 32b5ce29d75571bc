"""``torch_speedkit`` as shimhub serves it, for tests; skips where a real one is installed."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType

import pytest

import shimhub


@contextlib.contextmanager
def served(name: str) -> Iterator[ModuleType]:
    """Give a module of the package for a block; nothing is left behind."""
    pytest.importorskip("torch")
    if find_spec("torch_speedkit") is not None:
        pytest.skip("a real torch_speedkit is installed, and wins")
    with shimhub.shimmed(only=("torch-speedkit",)):
        yield importlib.import_module(f"torch_speedkit.{name}" if name else "torch_speedkit")
