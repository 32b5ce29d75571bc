"""``child.py WHO STEPS DATA``: train a model of digits; print times and accuracy as JSON.

WHO is ours, auto or torch. DATA is a folder: x.npy and y.npy, the digits; weights.npz, the first
values; train, how many of the digits are trained on. All see the same batches in the same order.
Times are the processor's, which are those of a clock where nothing else runs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

START = time.process_time()
BATCH = 32
RATE, MOMENTUM = 0.1, 0.9
#: Steps that are timed together; the median of such is told.
TOGETHER = 25


def main() -> dict[str, float]:
    """Train, and return what was found."""
    who, steps, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    import numpy as np

    make = torchs if who == "torch" else ours
    step, right, imported = make(folder, automatic=who == "auto")
    x, y = (np.load(folder / f"{name}.npy", mmap_mode="c") for name in ("x", "y"))
    train = int((folder / "train").read_text("ascii"))
    seconds = []
    places = batches(train)
    for _ in range(steps // TOGETHER):
        begun = time.process_time()
        for _ in range(TOGETHER):
            chosen = next(places)
            step(x[chosen], y[chosen])
        seconds.append((time.process_time() - begun) / TOGETHER)
    return {
        "imported": imported - START,
        "step": median(seconds),
        "accuracy": right(x[train:], y[train:]),
    }


def batches(count: int) -> Iterator[Any]:
    """Yield the places of one batch after the other, epoch by epoch, shuffled by a seed."""
    import numpy as np

    draw = np.random.default_rng(0)
    while True:
        order = draw.permutation(count)
        for start in range(0, count - BATCH + 1, BATCH):
            yield order[start : start + BATCH]


def ours(folder: Path, *, automatic: bool) -> tuple[Any, Any, float]:
    """Return a step of shimhub.pure, the accuracy, and when all was imported."""
    from shimhub.pure.nn import Linear, ReLU, Sequential
    from shimhub.pure.training import SGD, Trainer, accuracy, cross_entropy

    imported = time.process_time()
    import numpy as np

    if automatic:
        from shimhub.pure.accel import AccelMode, set_acceleration

        set_acceleration(AccelMode.Auto)
    first = np.load(folder / "weights.npz")
    hidden, inputs = first["0.weight"].shape
    model = Sequential(Linear(inputs, hidden), ReLU(), Linear(hidden, 10))
    model.load_state_dict(first)
    rule = SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    trainer = Trainer(model, rule, cross_entropy)
    return trainer.step, lambda x, y: trainer.evaluate((x, y), accuracy), imported


def torchs(folder: Path, *, automatic: bool) -> tuple[Any, Any, float]:
    """Return torch's step as its tutorials have it, the accuracy, and when it was imported."""
    import torch
    from torch import nn

    imported = time.process_time()
    assert not automatic
    import numpy as np

    first = np.load(folder / "weights.npz")
    hidden, inputs = first["0.weight"].shape
    model = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    model.load_state_dict({name: torch.from_numpy(first[name]) for name in first.files})
    rule = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)

    def step(x: Any, y: Any) -> float:
        rule.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        rule.step()
        return float(loss.item())

    def right(x: Any, y: Any) -> float:
        with torch.no_grad():
            found = model(torch.from_numpy(x)).argmax(1)
        return float((found == torch.from_numpy(y)).float().mean().item())

    return step, right, imported


if __name__ == "__main__":
    print(json.dumps(main()))
