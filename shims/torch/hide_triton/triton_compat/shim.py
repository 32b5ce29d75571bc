"""Make one module's ``import triton`` fail, while its body runs, as where Triton is not installed.

Origin: https://github.com/pytorch/pytorch/blob/v2.13.0/torch/_inductor/runtime/triton_compat.py
torch takes a successful ``import triton`` for the whole compiler and then imports its insides. The
stand-in must not change torch's branches. So ``builtins.__import__`` does not find it for the torch
modules that ask while their bodies run, and is itself again afterwards; a real Triton is found.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from shimhub.watch import is_initializing, when_imported

#: Modules whose bodies run now; the import that hides looks here at each call.
_HIDING: set[str] = set()


def build(original: None, ctx: Any) -> dict[str, Any]:
    """Return the builtins that the body would get anyway; hide the stand-in until it has run."""
    names, spec = vars(ctx.module), ctx.module.__spec__
    ctx.on_revert(lambda: names.setdefault("__builtins__", vars(builtins)))
    if is_initializing(spec):
        when_imported(spec, partial(_show, spec.name))
        _hide(spec.name)
    return vars(builtins)


def _hide(name: str) -> None:
    if not _HIDING:
        _replace_import(builtins.__import__)
    _HIDING.add(name)


def _show(name: str) -> None:
    """Forget the module; with the last one the interpreter's own import is back.

    Where somebody has wrapped ours meanwhile, it stays beneath and hides nothing.
    """
    _HIDING.discard(name)
    if not _HIDING and hasattr(builtins.__import__, "hides_from"):
        builtins.__import__ = builtins.__import__.hides_from


def _replace_import(before: Callable[..., Any]) -> None:
    def __import__(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        found = before(name, globals, locals, fromlist or (), level)
        asks = level == 0 and name.partition(".")[0] == "triton"
        if asks and globals and globals.get("__name__") in _HIDING and _is_stub("triton"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return found

    __import__.hides_from = before
    builtins.__import__ = __import__


def _is_stub(name: str) -> bool:
    return "__stub__" in vars(sys.modules[name])
