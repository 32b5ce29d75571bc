"""Who computes a call, and what happens when that fails: the way of every call in Python.

:func:`run` is the whole rule. The native library has the same for the calls that are most of all,
exact arrays, tensors and lists of numbers where there is nothing to tell, and hands it all others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from shimhub.accel import _kinds, _lists, breakers, logs, stats, thresholds, torch_ffi
from shimhub.accel._table import TABLE, Op, call_kernel, serves
from shimhub.accel.errors import TorchMissingError
from shimhub.accel.model import DTYPES, GROUPS, AccelMode, Settings
from shimhub.accel.modes import current

NOT_INSTALLED: Final = "torch is not installed"
FORKED: Final = "torch's threads ended with the fork"
#: Names of what torch and numpy compute alike; numpy makes those of its dtypes in Python.
_NAMES: Final = {np.dtype(name): name for name in DTYPES}
#: What computes numbers as well as arrays.
_OF_NUMBERS: Final = frozenset(GROUPS["elementwise"])
#: What torch takes as a number beside tensors.
_INT64: Final = (-(2**63), 2**63 - 1)
#: Members of an Enum are looked up in Python; names of a module are not.
_PURE: Final = AccelMode.PURE
_NATIVE: Final = AccelMode.NATIVE
_TORCH: Final = AccelMode.TORCH
_IN_PURE: Final = thresholds.Limit(math.inf, "mode PURE")
_IN_NATIVE: Final = thresholds.Limit(math.inf, "mode NATIVE")
_IN_TORCH: Final = thresholds.Limit(0.0, "mode TORCH")


class Call(NamedTuple):
    """A call whose inputs are arrays (or torch's tensors, where ``kind`` is tensor)."""

    op: Op
    kind: str
    inputs: Sequence[Any]
    options: Mapping[str, Any]
    settings: Settings


class Choice(NamedTuple):
    """Torch or not, and why; ``fallback`` why torch does not compute what it was to."""

    torch: bool
    reason: str
    work: float
    limit: thresholds.Limit
    fallback: str = ""


def run(name: str, inputs: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Compute an operation; the result is what the first input is."""
    own = _kinds.own_function(inputs)
    if own is not None:
        return own(name, inputs, options)
    op, settings = TABLE[name], current()
    kind, first = _kinds.call_kind(name, inputs)
    if kind == "tensor":
        from shimhub.accel import _tensors

        return _tensors.run(Call(op, kind, inputs, options, settings))
    if kind == "list" and name == "matmul" and settings.mode is not _TORCH:
        small = _lists.product(inputs, settings)
        if small is not None:
            return small
    result = compute(call_of(op, kind, inputs, options, settings))
    return _kinds.from_result(kind, first, result)


def call_of(
    op: Op, kind: str, inputs: Sequence[Any], options: Mapping[str, Any], settings: Settings
) -> Call:
    """Return the call on arrays. Raises ``TypeError`` and ``ValueError`` for what has none."""
    if kind == "ndarray" and all(type(one) is np.ndarray for one in inputs):
        return Call(op, kind, inputs, options, settings)
    arrays = _kinds.to_arrays(kind, inputs, op.name)
    return Call(op, "list" if kind == "list" else "ndarray", arrays, options, settings)


def choose(call: Call) -> Choice:
    """Return who computes a call on arrays; nothing is computed, counted or imported."""
    work = call.op.work(call.inputs, call.options)
    mode = call.settings.mode
    if mode is _PURE or mode is _NATIVE:
        limit = _IN_PURE if mode is _PURE else _IN_NATIVE
        return Choice(False, limit.source, work, limit)
    dtype, why_not = _dtype(call)
    limit = _IN_TORCH
    if mode is not _TORCH:
        limit = thresholds.effective(call.op.name, call.kind, dtype or DTYPES[0], call.settings)
        if not is_above(work, limit.size):
            return Choice(False, "not above the threshold", work, limit)
    why_not = why_not or _why_not_torch(call)
    if why_not:
        told = mode is _TORCH or limit.is_told
        return Choice(False, why_not, work, limit, why_not if told else "")
    return Choice(True, "mode TORCH" if mode is _TORCH else "above the threshold", work, limit)


def compute(call: Call) -> Any:
    """Compute a call on arrays by who is to, or else by the reference; count and tell it.

    Shapes that do not go together are ``ShapeError``, whoever refused them and in what words.
    """
    try:
        return _compute(call)
    except ValueError as error:
        own = error
    call.op.check(call.inputs, call.options)
    raise own


def _compute(call: Call) -> Any:
    choice = choose(call)
    if not choice.torch:
        return _pure(call, choice)
    try:
        result = torch_ffi.on_arrays(call.op, call.inputs, call.options)
    except Exception as error:  # whatever torch raises, the reference decides
        if call.settings.strict:
            raise
        result = _reference(call, "torch", error)
    else:
        breakers.success(call.op.name, "torch")
        _done(call, "torch")
    return result


def is_above(work: float, limit: float) -> bool:
    """Whether torch is to compute so much work: more than the limit, or all where that is 0."""
    return work > limit or limit == 0


def _refused(call: Call, choice: Choice) -> str:
    """Return why torch does not compute what it was to. Strict raises where torch is missing."""
    if choice.fallback == NOT_INSTALLED and call.settings.strict:
        raise TorchMissingError(f"{call.op.name}: {NOT_INSTALLED}; {torch_ffi.CURE}")
    return choice.fallback


def _pure(call: Call, choice: Choice) -> Any:
    op, strict = call.op, call.settings.strict
    fallback = _refused(call, choice)
    alone = breakers.is_open(op.name, "native") and not strict
    if op.kernel is None or alone:
        result = op.reference(*call.inputs, **call.options)
        _done(call, "numpy", fallback or _why_not_kernel(call, alone))
        return result
    try:
        result, natively = call_kernel(op, is_forced(call.settings), call.inputs, call.options)
    except Exception as error:  # the reference decides whose error it is
        if strict:
            raise
        return _reference(call, "native", error)
    breakers.success(op.name, "native")
    if natively:
        _done(call, "native", fallback)
    else:
        _done(call, "numpy", fallback or _why_not_kernel(call, alone))
    return result


def is_forced(settings: Settings) -> bool:
    """Whether our kernels are to compute where numpy was measured to be faster."""
    return settings.mode is _NATIVE


def _why_not_kernel(call: Call, alone: bool) -> str:
    """Return the reason for numpy's computing to be a fallback, or empty where it is none."""
    if alone:
        return f"native: {breakers.LEFT_ALONE}"
    return stats.NO_KERNEL if is_forced(call.settings) else ""


def _reference(call: Call, backend: str, error: Exception) -> Any:
    """Compute by the reference after an exception; what that raises is the caller's mistake."""
    try:
        result = call.op.reference(*call.inputs, **call.options)
    except Exception as own:
        raise own from None
    breakers.fault(call.op.name, backend)
    _done(call, "numpy", f"{backend} raised {type(error).__name__}")
    return result


def served_by(call: Call) -> str:
    """Return native or numpy: who computes this, if torch does not."""
    forced = is_forced(call.settings)
    if call.op.name == "layer_norm" and not _takes_parameters(call):
        return "numpy"
    return "native" if serves(call.op, forced, call.inputs, call.options) else "numpy"


def _takes_parameters(call: Call) -> bool:
    """Whether our kernel takes the eps and rows of a layer_norm: a float, and no strides."""
    rows = [one for one in call.inputs[1:] if isinstance(one, np.ndarray)]
    return type(call.options["eps"]) is float and all(one.flags.c_contiguous for one in rows)


def _done(call: Call, backend: str, fallback: str = "") -> None:
    stats.count(call.op.name, backend, fallback)
    logs.tell(call.op.name, call.inputs, backend, fallback)


def _dtype(call: Call) -> tuple[str, str]:
    """Return the dtype of all arrays, and why torch would not give numpy's answer for them."""
    inputs = call.inputs
    if call.op.name == "cross_entropy" and inputs[1].dtype.kind in "iu":
        inputs = inputs[:1]  # classes are of any dtype
    if odd := next(filter(None, (_why_odd(one, call.op.name) for one in inputs)), ""):
        return "", odd
    dtypes = {one.dtype for one in inputs if isinstance(one, np.ndarray | np.generic)}
    if not dtypes:
        return "", "only numbers"
    if len(dtypes) > 1:
        return "", "dtypes differ"
    dtype = dtypes.pop()
    return (_NAMES[dtype], "") if dtype in _NAMES else ("", f"dtype {dtype}")


def _why_odd(value: Any, op: str) -> str:
    if isinstance(value, np.ndarray):
        return "" if type(value) is np.ndarray else "a subclass of numpy's array"
    if value is not None and op not in _OF_NUMBERS:
        return "a number"
    if isinstance(value, bool | np.bool_):
        return "a bool"  # which torch does not subtract
    too_large = type(value) is int and not _INT64[0] <= value <= _INT64[1]
    return "a number beyond int64" if too_large else ""


def _why_not_torch(call: Call) -> str:
    if not torch_ffi.torch_available():
        return NOT_INSTALLED
    if breakers.is_open(call.op.name, "torch") and not call.settings.strict:
        return f"torch: {breakers.LEFT_ALONE}"
    if torch_ffi.has_threads_of_parent():
        return FORKED
    if call.op.name == "cross_entropy" and call.inputs[0].size == 0:
        return "no elements"
    return "autocast" if torch_ffi.in_autocast() else ""
