"""Digits to learn: scikit-learn's 1,797 of 8 x 8, and as many of 28 x 28 as MNIST has, drawn."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Digits = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
_DRAWN = Path(__file__).parents[3] / "examples" / "pure" / "drawn.py"
#: Drawn in pieces, as each takes three times its size in memory.
_PIECE = 10_000


def small() -> tuple[str, Digits]:
    """Return scikit-learn's digits, or drawn ones where it is not installed; and whose."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        draw = np.random.default_rng(0)
        y = draw.permutation(1797) % 10
        x = (draw.uniform(size=(10, 64)) > 0.6)[y] + draw.normal(0, 0.6, (1797, 64))
        return "drawn here, with noise", (x.astype(np.float32), y.astype(np.int64))
    data = load_digits()
    return "scikit-learn's", ((data.data / 16).astype(np.float32), data.target.astype(np.int64))


def large(count: int) -> Digits:
    """Return so many drawn digits of 784 pixels."""
    draw: Callable[..., Digits] = runpy.run_path(str(_DRAWN))["draw"]
    sizes = [min(_PIECE, count - start) for start in range(0, count, _PIECE)]
    pieces = [draw(size, seed=index) for index, size in enumerate(sizes)]
    return np.concatenate([x for x, _ in pieces]), np.concatenate([y for _, y in pieces])


def save(folder: Path, digits: Digits, train: int) -> None:
    """Write digits where the processes find them; the first ``train`` are to be learnt."""
    for name, array in zip(("x", "y"), digits, strict=True):
        np.save(folder / f"{name}.npy", array)
    (folder / "train").write_text(str(train), "ascii")


def save_weights(folder: Path, inputs: int, hidden: int) -> None:
    """Write the first values of a model, drawn as torch's and ours are."""
    draw = np.random.default_rng(1)
    found = {}
    for name, (rows, columns) in (("0", (hidden, inputs)), ("2", (10, hidden))):
        bound = columns**-0.5
        found[f"{name}.weight"] = draw.uniform(-bound, bound, (rows, columns))
        found[f"{name}.bias"] = draw.uniform(-bound, bound, rows)
    np.savez(folder / "weights.npz", **{key: one.astype(np.float32) for key, one in found.items()})
