"""Who would compute a call, and why, without computing it."""

from __future__ import annotations

import inspect
import math
from typing import Any

from shimhub.accel import _dispatch, _kinds, crossovers, ops
from shimhub.accel._table import TABLE
from shimhub.accel.model import DTYPES, Decision
from shimhub.accel.modes import current
from shimhub.errors import nearest

_OPTIONS = ("activation", "transposed", "approximate", "axis", "eps")


def explain(op: str, /, *args: Any, **options: Any) -> Decision:
    """Return who would compute ``op(*args, **options)`` here and now, and why.

    Nothing is computed or counted. Raises ``ValueError`` for an operation that does not exist,
    and what the operation raises for inputs of no kind.
    """
    if op not in TABLE:
        raise ValueError(f"op: {op!r} is none of {', '.join(TABLE)}{nearest(op, TABLE)}")
    bound = inspect.signature(getattr(ops, op)).bind(*args, **options)
    bound.apply_defaults()
    told = {name: value for name, value in bound.arguments.items() if name in _OPTIONS}
    given = tuple(value for name, value in bound.arguments.items() if name not in _OPTIONS)
    inputs = _kinds.as_cast(op, given)
    kind, _ = _kinds.call_kind(op, inputs)
    if kind == "tensor":
        return _of_tensors(_dispatch.Call(TABLE[op], kind, inputs, told, current()))
    return _of_arrays(_dispatch.call_of(TABLE[op], kind, inputs, told, current()))


def _of_arrays(call: _dispatch.Call) -> Decision:
    choice = _dispatch.choose(call)
    backend = "torch" if choice.torch else _dispatch.served_by(call)
    dtype = str(getattr(call.inputs[0], "dtype", DTYPES[1]))
    return Decision(
        backend,
        choice.reason,
        choice.work,
        choice.limit.size,
        choice.limit.source,
        crossovers.predicted_us(call.op.name, call.kind, dtype, backend, choice.work),
    )


def _of_tensors(call: _dispatch.Call) -> Decision:
    from shimhub.accel import _tensors

    if odd := _tensors.why_odd(call.inputs):
        return Decision("torch", odd, math.nan, 0.0, "torch's own tensors")
    work = call.op.work(call.inputs, call.options)
    low, until = _tensors.range_of(call)
    stays = _tensors.stays(call)
    reason = "stays in torch" if stays else _tensors.why_torch(call.op.name, call.inputs)
    backend = "torch" if reason else _tensors.served_by(call)
    predicted = crossovers.predicted_us(
        call.op.name, "tensor", _tensors.dtype_of(call), backend, work
    )
    why = reason or ("not below the range's end" if work >= until else "below the threshold")
    return Decision(backend, why, work, low, _tensors.source(call), predicted, until)
