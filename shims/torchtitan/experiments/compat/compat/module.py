"""Register modules that torch lacks, as ``torchtitan.experiments.compat`` was proposed.

Origin: https://github.com/pytorch/torchtitan/pull/1862 (never merged).
    def _shim_new_module():
        module = ModuleType("torch.some.missing.module")
        return module

    register_shim("torch.some.missing.module", _shim_new_module)

A class that an existing module lacks is assigned to it, as ever: ``existing.Missing = Missing``.
All that is remembered is in ``_state``, which the hub puts here and takes away.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["install_shims", "register_shim"]

_state: Any


def register_shim(name: str, factory: Callable[[], ModuleType]) -> None:
    """Let ``import name`` give what ``factory()`` returns, unless there is a real module.

    The factory is called at the first import. Packages that the name is in and that nobody has
    come into being empty. A second factory for a name that was not imported yet replaces the first.
    Raises ValueError for what is no module name and TypeError for what cannot be called.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"register_shim: {name!r} is no module name; write it as 'torch.x.y'")
    if not callable(factory):
        raise TypeError(f"register_shim: the factory of {name!r} cannot be called: {factory!r}")
    _state.factories[name] = factory  # noqa: F821 - the hub puts it here


def install_shims() -> None:
    """Let imports find what is registered, now and later; once is enough and more is harmless."""
    _state.enter()  # noqa: F821 - the hub puts it here
