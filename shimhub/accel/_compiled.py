"""Operations inside of ``torch.compile``: torch's own, which its compiler follows.

It cannot look into functions in C, and breaks the graph there; so it is told what to follow
instead. That is done when the compiler is imported, as the first ``torch.compile`` does: importing
it takes a second, so it is waited for, and never imported from here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

_COMPILER: Final = "torch._dynamo"
#: What torch's operations take beside tensors, options among them; a bool is an int.
_PLAIN: Final = (int, float, str, type(None))
_Functions = Mapping[str, Callable[..., Any]]


class _Watch:
    """A finder of nothing of its own: it sees the import of the compiler, and leaves with it."""

    def __init__(self, functions: _Functions) -> None:
        self._functions = functions

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the compiler's spec, as the finders after this one tell it; None for others."""
        if name != _COMPILER or self not in sys.meta_path:
            return None
        after = sys.meta_path[sys.meta_path.index(self) + 1 :]
        specs = (finder.find_spec(name, path, target) for finder in after)
        spec = next((one for one in specs if one is not None), None)
        if spec is not None and spec.loader is not None:
            self._wait(spec.loader)
        return spec

    def _wait(self, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            loader.__dict__.pop("exec_module", None)  # the class's is back
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                _tell(self._functions)

        loader.exec_module = exec_module


def tell_compiler(functions: _Functions) -> None:
    """Let ``torch.compile`` follow torch's operations for ours: now, or once it is imported."""
    if _COMPILER in sys.modules:
        _tell(functions)
        return
    finders = sys.meta_path
    place = finders.index(PathFinder) if PathFinder in finders else len(finders)
    finders.insert(place, _Watch(functions))


def _tell(functions: _Functions) -> None:
    import torch

    from shimhub.accel._torch_ops import FUNCTIONS

    left_alone: Any = torch.compiler.disable
    for name, function in functions.items():
        traced = _traced(FUNCTIONS[name], left_alone(function), torch.Tensor)
        torch.compiler.substitute_in_graph(function)(traced)


def _traced(follow: Any, leave: Any, tensor: Any) -> Callable[..., Any]:
    """Return what the compiler follows: torch's operation on tensors; it leaves all else to us."""

    def traced(*inputs: Any, **options: Any) -> Any:
        any_tensor = False
        for one in (*inputs, *options.values()):
            if isinstance(one, tensor):
                any_tensor = True
            elif not isinstance(one, _PLAIN):
                return leave(*inputs, **options)
        return follow(*inputs, **options) if any_tensor else leave(*inputs, **options)

    return traced
