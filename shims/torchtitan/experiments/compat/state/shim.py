"""What ``torchtitan.experiments.compat`` remembers: a finder that is asked last, and forgets.

Origin: https://github.com/pytorch/torchtitan/pull/1862 (whose finder came first, and stayed).
The real module always wins, since every other finder has been asked before. A reload of the module
finds it in place; on uninstall it leaves ``sys.meta_path`` and takes what it made along.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class State:
    """Factories by module name, and the modules that they made."""

    def __init__(self) -> None:
        self.factories: dict[str, Callable[[], Any]] = {}
        self.made: dict[str, ModuleType] = {}

    def enter(self) -> None:
        """Stand last on ``sys.meta_path``, once."""
        if self not in sys.meta_path:
            sys.meta_path.append(self)

    def leave(self) -> None:
        """Leave ``sys.meta_path``, and take the modules away that still stand where they were."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name, module in self.made.items():
            parent, _, child = name.rpartition(".")
            _remove(sys.modules, name, module)
            if parent in sys.modules:
                _remove(vars(sys.modules[parent]), child, module)
        self.made.clear()
        self.factories.clear()

    # -- the finder and loader of what is registered ----------------------------------------------

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for a registered module, or for a package that only leads to one."""
        leads = any(name.startswith(f"{fullname}.") for name in self.factories)
        if fullname not in self.factories and not leads:
            return None
        return ModuleSpec(fullname, self, origin="register_shim()", is_package=leads)

    def create_module(self, spec: ModuleSpec) -> None:
        """Let importlib make an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Put what the factory returns in the place of ``module``; raises ImportError if none."""
        name, spec = module.__name__, module.__spec__
        made = self.factories[name]() if name in self.factories else module
        if not isinstance(made, ModuleType):
            told = f"the factory that register_shim({name!r}) was given returned {made!r}"
            raise ImportError(f"{told}, which is no module", name=name)
        if made.__spec__ is None:
            made.__spec__, made.__loader__, made.__package__ = spec, self, module.__package__
        if hasattr(module, "__path__"):
            vars(made).setdefault("__path__", module.__path__)
        sys.modules[name] = self.made[name] = made


def _remove(names: dict[str, Any], name: str, module: ModuleType) -> None:
    if names.get(name) is module:
        del names[name]


def build(original: None, ctx: Any) -> State:
    """Return an empty state, which leaves with the shim."""
    state = State()
    ctx.on_revert(state.leave)
    return state
