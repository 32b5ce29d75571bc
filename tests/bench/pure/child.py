"""``child.py ours|torch DATA HIDDEN EPOCHS``: train a model of digits; print times and accuracy."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from statistics import median

START = time.perf_counter()
BATCH = 32
TRAIN = 1437
RATE, MOMENTUM = 0.1, 0.9


def ours(data: str, hidden: int, epochs: int) -> dict[str, float]:
    """Train with shimhub.pure."""
    import numpy as np

    from shimhub.pure.nn import Linear, ReLU, Sequential
    from shimhub.pure.training import SGD, Trainer, accuracy, cross_entropy

    imported = time.perf_counter()
    x, y = (np.load(data)[name] for name in ("x", "y"))
    model = Sequential(Linear(64, hidden), ReLU(), Linear(hidden, 10))
    rule = SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    trainer = Trainer(model, rule, cross_entropy)
    history = trainer.fit((x[:TRAIN], y[:TRAIN]), epochs=epochs, batch_size=BATCH)
    return told(imported, history.seconds, trainer.evaluate((x[TRAIN:], y[TRAIN:]), accuracy))


def torchs(data: str, hidden: int, epochs: int) -> dict[str, float]:
    """Train with torch, as its tutorials do."""
    import numpy as np
    import torch
    from torch import nn

    imported = time.perf_counter()
    x, y = (torch.from_numpy(np.load(data)[name]) for name in ("x", "y"))
    model = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    rule = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    seconds = []
    for _ in range(epochs):
        begun = time.perf_counter()
        order = torch.randperm(TRAIN)
        for start in range(0, TRAIN, BATCH):
            places = order[start : start + BATCH]
            rule.zero_grad()
            loss = nn.functional.cross_entropy(model(x[places]), y[places])
            loss.backward()
            rule.step()
            loss.item()
        seconds.append(time.perf_counter() - begun)
    with torch.no_grad():
        right = (model(x[TRAIN:]).argmax(1) == y[TRAIN:]).float().mean().item()
    return told(imported, seconds, right)


def told(imported: float, seconds: Sequence[float], accuracy: float) -> dict[str, float]:
    """Return the seconds of importing and of a step once it runs, and the accuracy."""
    step = median(seconds) / math.ceil(TRAIN / BATCH)
    return {"imported": imported - START, "step": step, "accuracy": accuracy}


if __name__ == "__main__":
    function = {"ours": ours, "torch": torchs}[sys.argv[1]]
    print(json.dumps(function(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
