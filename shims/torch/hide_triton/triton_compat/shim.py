"""Make one module's ``import triton`` fail as it does where Triton is not installed.

Origin: https://github.com/pytorch/pytorch/blob/v2.13.0/torch/_inductor/runtime/triton_compat.py
torch takes a successful ``import triton`` for the whole compiler and then imports its insides. The
stand-in must not change torch's branches, so a torch module that asks gets a ``__builtins__`` of
its own before its body runs, whose ``__import__`` finds a real Triton, and not the stand-in.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def build(original: None, ctx: Any) -> dict[str, Any]:
    """Return the builtins for the module; on revert it has the interpreter's own again."""
    names = vars(ctx.module)
    ctx.on_revert(lambda: names.setdefault("__builtins__", vars(builtins)))
    return {**vars(builtins), "__import__": _import}


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    found = builtins.__import__(name, globals, locals, fromlist or (), level)
    if level == 0 and name.partition(".")[0] == "triton" and _is_stub("triton"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return found


def _is_stub(name: str) -> bool:
    return "__stub__" in vars(sys.modules[name])
