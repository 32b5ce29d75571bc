"""What a measurement of a step depends on, beside machine, versions and shapes, as lines."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Any

import torch


def lines_of(
    models: Iterable[torch.nn.Module],
    optimizers: Iterable[torch.optim.Optimizer],
    codes: Iterable[types.CodeType],
) -> Iterator[str]:
    """Yield the modules and how optimizers step, but no number that training moves; and code."""
    for model in models:
        for name, one in model.named_modules():
            yield f"{name} {_kind(one)} {one.training}"
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            settings = sorted((name, _setting(value)) for name, value in group.items())
            yield f"{_kind(optimizer)} {settings}"
    for code in codes:
        yield from _code(code)


def _kind(thing: Any) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def _setting(value: Any) -> str:
    """Return a setting as far as it decides what is computed: a rate is there or it is not."""
    if value is None or isinstance(value, (bool, str)):
        return repr(value)
    if isinstance(value, list):
        return f"{len(value)} parameters"
    return f"{type(value).__name__} {bool(value)}" if isinstance(value, (int, float)) else "other"


def _code(code: types.CodeType) -> Iterator[str]:
    """Yield what a function does, but not where it is written."""
    yield f"{code.co_name} {code.co_code.hex()} {code.co_names} {code.co_freevars}"
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code(constant)
        elif not isinstance(constant, frozenset):  # whose order is another in each process
            yield repr(constant)
