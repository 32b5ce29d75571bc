"""The functions that callers have: those in C over the rule in Python, where the library is.

Most calls on exact arrays and tensors stay in C, whoever computes them, and so do those on lists
of numbers up to their threshold. What is unusual is handed to :mod:`shimhub.accel.ops`.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from shimhub.accel import breakers, logs, modes, ops, thresholds, torch_ffi
from shimhub.accel._table import TABLE
from shimhub.accel.model import DTYPES, OPS, AccelMode, Settings
from shimhub.kernels import _loading

_native: Final = _loading.native()
#: What settings came to, in C: by mode where they have no thresholds of their own.
_by_mode: Final[dict[AccelMode, Any]] = {}
_own: Final[weakref.WeakKeyDictionary[Settings, Any]] = weakref.WeakKeyDictionary()
#: How often that was forgotten.
_forgotten = 0


def functions() -> Mapping[str, Callable[..., Any]]:
    """Return the functions by name: in C, or those of ``ops`` without the native library."""
    python = {name: getattr(ops, name) for name in OPS}
    if _native is None:
        return python
    rows = tuple((name, python[name], _text(python[name])) for name in OPS)
    made = _native.accel_setup(modes.CURRENT, Settings(), _find, np, rows)
    modes.on_default(_native.accel_process)
    thresholds.on_change(_forget)
    logs.on_change(lambda on: _native.accel_to_python(None, on))
    breakers.on_change(_watch)
    return dict(zip(OPS, made, strict=True))


def use_torch(
    torch: Any,
    functions: Mapping[str, Callable[..., Any]],
    own: tuple[Any, ...],
    states: tuple[Any, ...],
    levels: Mapping[str, Any],
) -> None:
    """Let calls that torch computes stay in C from now on.

    ``functions`` are torch's by operation, ``own`` those that C calls with torch's arguments,
    ``states`` tell whether somebody follows tensors, ``levels`` the level of forward gradients.
    """
    if _native is not None:
        _native.accel_torch(torch, functions, own, states, levels)


def use_outlines(addresses: tuple[int, ...], samples: tuple[Any, ...]) -> bool:
    """Let C ask torch's own functions for a tensor's size, if they tell what the samples are.

    ``addresses`` are those of functions in C for dimensions, elements and dtype, or none.
    """
    return _native is not None and bool(_native.accel_outline(addresses, samples))


@contextlib.contextmanager
def kernel(name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Compute an operation by another kernel than ours, inside of a with-statement. For tests."""
    operation = TABLE[name]
    before, operation.kernel = operation.kernel, function
    _choose_side(name)
    try:
        yield
    finally:
        operation.kernel = before
        _choose_side(name)


def _text(function: Callable[..., Any]) -> str:
    """Return the signature and text of a function, as C's functions have it."""
    parameters = [
        one.replace(annotation=one.empty) for one in inspect.signature(function).parameters.values()
    ]
    return f"{function.__name__}{inspect.Signature(parameters)}\n--\n\n{inspect.getdoc(function)}"


def _find(settings: Settings) -> Any:
    """Return what the settings come to, in C."""
    kept: Any = _own if settings.thresholds else _by_mode
    key = settings if settings.thresholds else settings.mode
    found = kept.get(key)
    if found is None:
        begun = _forgotten
        found = _made(settings)
        if begun == _forgotten:  # else it may be of before; C, which was told, asks again
            kept[key] = found
    return found


def _made(settings: Settings) -> Any:
    assert _native is not None
    sizes = tuple(_size(op, dtype, settings) for op in OPS for dtype in DTYPES)
    ranges = tuple(
        edge
        for op in OPS
        for dtype in DTYPES
        for short in (False, True)
        for edge in thresholds.tensor_range(op, dtype, settings, short)
    )
    lists = tuple(_size(op, DTYPES[1], settings, "list") for op in OPS)
    return _native.accel_limits(sizes, ranges, lists, settings.mode is AccelMode.NATIVE)


def _size(op: str, dtype: str, settings: Settings, kind: str = "ndarray") -> float:
    """Return the work of an input above which Python decides, as torch may compute it."""
    if settings.mode in {AccelMode.PURE, AccelMode.NATIVE}:
        return math.inf
    if settings.mode is AccelMode.TORCH:
        return -1.0
    size = thresholds.effective(op, kind, dtype, settings).size
    return size if size > 0 else -1.0


def _forget() -> None:
    global _forgotten
    _forgotten += 1
    _by_mode.clear()
    _own.clear()
    if _native is not None:
        _native.accel_forget()


def _watch(op: str, backend: str) -> None:
    if backend == "native":
        _choose_side(op)
    elif _native is not None:
        left_alone = torch_ffi.is_forked() or breakers.is_watched(op, "torch")
        _native.accel_no_torch(op, left_alone)


def _after_fork() -> None:
    for op in OPS:
        _watch(op, "torch")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _choose_side(op: str) -> None:
    """Let Python dispatch an operation whose kernel is another, or has failed too often."""
    another = TABLE[op].kernel is not TABLE[op].own
    if _native is not None:
        _native.accel_to_python(op, another or breakers.is_watched(op, "native"))
