"""Products of small matrices, and what layers do around them, on one thread."""

from __future__ import annotations

import functools
import time
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.bench.kernels import machine, rivals
from tests.bench.kernels.harness import Call, Row
from tests.bench.timing import in_turns

SIZES = (2, 3, 4, 8, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024, 2048)
_SMALL_SIZES = (2, 8, 32)


#: torch on the same input as ours: tensors that share the arrays' memory are made in the call.
TORCH_OF_ARRAYS = "torch.mm, arrays in and out"
#: What a dispatcher of all three does: the better one for this size, behind one comparison.
CHOSEN = "shimhub or torch, by size"


def rows(*, small: bool) -> list[Row]:
    """Return a row for each size of product, in both precisions, and the elementwise ones."""
    sizes = _SMALL_SIZES if small else SIZES
    products = [_matmul(size, dtype) for dtype in ("float32", "float64") for size in sizes]
    shapes = ((8, 16),) if small else ((8, 64), (64, 1024))
    return products + [row for shape in shapes for row in _layers(*shape)]


def row_of(size: int, dtype: str) -> str:
    """Return the id of a product's row."""
    return f"matmul {dtype} {size}"


def _matmul(size: int, dtype: str) -> Row:
    made = functools.cache(lambda: _factors(size, dtype))
    return Row(
        id=row_of(size, dtype),
        title=f"{dtype} matmul, {size} x {size}",
        calls={
            "shimhub": lambda: Call(rivals.ours("matmul"), made()),
            "numpy": lambda: Call(np.matmul, made()),
            "torch.mm": lambda: _torch("mm", *made()),
            TORCH_OF_ARRAYS: lambda: Call(_torch_of_arrays(), made()),
            CHOSEN: lambda: Call(_chosen(*made()), made()),
        },
        rounds=5 if size >= 1024 else 40,
        amount=2 * size**3 / 1e9,
        unit="GFLOP",
        tolerance=_tolerance(dtype, size),
        threaded=frozenset({"shimhub", "numpy", "torch.mm"} if size >= 256 else ()),
    )


def _factors(size: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    drawn = np.random.default_rng(size).standard_normal((2, size, size)).astype(dtype)
    return drawn[0], drawn[1]


def _tolerance(dtype: str, size: int) -> float:
    """Sums of ``size`` products in another order: apart by some roundings of their magnitude."""
    return float(np.finfo(dtype).eps * 16 * size)


def _torch(name: str, *arrays: np.ndarray) -> Call:
    torch = _one_thread()
    tensors = tuple(torch.from_numpy(one) for one in arrays)
    return Call(getattr(torch, name), tensors, answer=lambda got: got.numpy())


def _torch_of_arrays() -> Callable[..., Any]:
    torch = _one_thread()
    mm, tensor = torch.mm, torch.from_numpy
    return lambda left, right: mm(tensor(left), tensor(right)).numpy()


def _chosen(left: np.ndarray, right: np.ndarray) -> Callable[..., Any]:
    """Return a function that picks by size, with a limit that is measured here, beforehand."""
    ours, torch = rivals.ours("matmul"), _torch_of_arrays()
    turns = in_turns({"ours": _sample(ours, left, right), "torch": _sample(torch, left, right)}, 7)
    limit = left.size if min(turns["ours"]) <= min(turns["torch"]) else 0
    return lambda a, b: ours(a, b) if a.size <= limit else torch(a, b)


def _sample(function: Callable[..., Any], *arguments: np.ndarray) -> Callable[[], float]:
    """Return a function that measures some milliseconds of calls, and answers with the CPU time."""
    timer = timeit.Timer(functools.partial(function, *arguments), timer=time.process_time)
    number = max(1, int(1e6 / arguments[0].size ** 1.5))
    return functools.partial(timer.timeit, min(number, 10_000))


def _one_thread() -> Any:
    """Import torch; on one thread, unless all are let."""
    torch = rivals.load("torch")
    if machine.threads():
        torch.set_num_threads(machine.threads())
    return torch


def _layers(rows_: int, width: int) -> list[Row]:
    draw = np.random.default_rng(0)
    x = draw.standard_normal((rows_, width)).astype(np.float32)
    w = draw.standard_normal((width, width)).astype(np.float32)
    b, gain = (draw.standard_normal(width).astype(np.float32) for _ in range(2))
    made = functools.partial(_layer, (rows_, width))
    return [
        made("linear+relu", (x, w, b), _ours_linear, _numpy_linear, _torch_linear),
        made("relu", (x,), _ours("relu"), lambda x: np.maximum(x, 0), _torch_f("relu")),
        made("gelu", (x,), _ours("gelu"), None, _torch_f("gelu")),
        made("softmax", (x,), _ours("softmax"), _numpy_softmax, _torch_softmax),
        made("layer norm", (x, gain, b), _ours("layer_norm"), _numpy_norm, _torch_norm),
    ]


def _layer(
    shape: tuple[int, int],
    name: str,
    arrays: tuple[np.ndarray, ...],
    ours: Callable[[], Callable[..., Any]],
    numpy: Callable[..., Any] | None,
    torch: Callable[..., Any],
) -> Row:
    calls = {"shimhub": lambda: Call(ours(), arrays), "torch": lambda: _of_torch(torch, arrays)}
    if numpy:
        calls["numpy"] = lambda: Call(numpy, arrays)
    return Row(
        id=f"{name} {shape[0]} x {shape[1]}",
        title=f"float32 {name}, {shape[0]} x {shape[1]}",
        calls=calls,
        rounds=30,
        amount=shape[0] * shape[1] / 1e6,
        unit="M elements",
        tolerance=_tolerance("float32", shape[1]),
    )


def _of_torch(function: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> Call:
    torch = _one_thread()
    tensors = tuple(torch.from_numpy(one) for one in arrays)
    return Call(function, (torch, *tensors), answer=lambda got: got.numpy())


def _ours(name: str) -> Callable[[], Callable[..., Any]]:
    return lambda: rivals.ours(name)


def _ours_linear() -> Callable[..., Any]:
    linear = rivals.ours("linear")
    return lambda x, w, b: linear(x, w, b, "relu")


def _torch_f(name: str) -> Callable[..., Any]:
    return lambda torch, x: getattr(torch.nn.functional, name)(x)


def _torch_linear(torch: Any, x: Any, w: Any, b: Any) -> Any:
    return torch.relu(torch.addmm(b, x, w))


def _torch_softmax(torch: Any, x: Any) -> Any:
    return torch.softmax(x, -1)


def _torch_norm(torch: Any, x: Any, gain: Any, bias: Any) -> Any:
    return torch.nn.functional.layer_norm(x, x.shape[-1:], gain, bias)


def _numpy_linear(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.maximum(x @ w + b, 0)


def _numpy_softmax(x: np.ndarray) -> np.ndarray:
    raised = np.exp(x - x.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def _numpy_norm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gain + bias
