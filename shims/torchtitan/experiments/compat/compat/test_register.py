"""`register_shim` and `install_shims` by themselves: what they check and what they hand on."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest


@pytest.fixture
def compat() -> ModuleType:
    """The module with a state that only remembers."""
    path = Path(__file__).with_name("module.py")
    spec = importlib.util.spec_from_file_location("compat_of_a_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entered: list[bool] = []
    state = SimpleNamespace(factories={}, entered=entered, enter=lambda: entered.append(True))
    vars(module)["_state"] = state
    return module


def test_a_later_factory_replaces_an_earlier_one(compat: ModuleType) -> None:
    """Names are remembered with their factory, of which the last counts; none is called."""
    compat.register_shim("torch.some.missing", list)
    compat.register_shim("torch.some.missing", dict)
    assert {"torch.some.missing": dict} == compat._state.factories
    assert [] == compat._state.entered
    compat.install_shims()
    assert [True] == compat._state.entered


@pytest.mark.parametrize("name", ["", "torch.", "torch some", ".missing", "torch.some-thing"])
def test_what_is_no_module_name_is_refused(compat: ModuleType, name: str) -> None:
    """The error shows the name and a right one, and nothing is remembered."""
    with pytest.raises(ValueError, match=r"is no module name; write it as 'torch\.x\.y'"):
        compat.register_shim(name, list)
    assert {} == compat._state.factories


def test_what_cannot_be_called_is_refused(compat: ModuleType) -> None:
    """A module in place of a factory is refused at once, not at the first import."""
    with pytest.raises(TypeError, match=r"'torch\.some\.missing' cannot be called"):
        compat.register_shim("torch.some.missing", compat)
    assert {} == compat._state.factories
