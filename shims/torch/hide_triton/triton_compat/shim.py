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

#: Modules whose bodies run now, and the function that stood in ``builtins`` before ours.
_HIDING: set[str] = set()
_BEFORE: list[Callable[..., Any]] = []


def build(original: None, ctx: Any) -> dict[str, Any]:
    """Return the builtins that the body would get anyway; hide the stand-in until it has run."""
    names, spec = vars(ctx.module), ctx.module.__spec__
    ctx.on_revert(lambda: names.setdefault("__builtins__", vars(builtins)))
    if is_initializing(spec):
        when_imported(spec, partial(_show, spec.name))
        _hide(spec.name)
    return vars(builtins)


def _hide(name: str) -> None:
    _HIDING.add(name)
    if builtins.__import__ is not _import:
        _BEFORE.append(builtins.__import__)
        builtins.__import__ = _import


def _show(name: str) -> None:
    """Forget the module; with the last one the interpreter's own import is back."""
    _HIDING.discard(name)
    if not _HIDING and builtins.__import__ is _import:
        builtins.__import__ = _BEFORE.pop()


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    found = _BEFORE[-1](name, globals, locals, fromlist or (), level)
    asks = level == 0 and name.partition(".")[0] == "triton"
    if asks and globals and globals.get("__name__") in _HIDING and _is_stub("triton"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return found


def _is_stub(name: str) -> bool:
    return "__stub__" in vars(sys.modules[name])
