"""The guide's own pipeline: mse_loss on one number per class, the seconds of each epoch, a file."""

import tempfile
from pathlib import Path

import numpy as np
from drawn import draw

from shimhub.pure.accel import AccelMode, get_stats, reset_stats, set_acceleration
from shimhub.pure.nn import Linear, ReLU, Sequential
from shimhub.pure.tensor import PureTensor
from shimhub.pure.torch_ffi import torch_available
from shimhub.pure.training import SGD, Trainer, accuracy, mse_loss

# Configure acceleration
set_acceleration(AccelMode.Auto if torch_available() else AccelMode.PureSimple)

# Build the model
model = Sequential(layers=[Linear(784, 256), ReLU(), Linear(256, 10)])

# One number per class: 1 for the right one
x, classes = draw(2000, seed=0)
train_data = (PureTensor(x), PureTensor(np.eye(10)[classes]))
unseen = draw(500, seed=1)

# Train with automatic acceleration
reset_stats()
optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
trainer = Trainer(model, optimizer, mse_loss, seed=0)
history = trainer.fit(train_data, epochs=10, validation=unseen, metric=accuracy)
for epoch, (loss, share) in enumerate(zip(history.losses, history.validation, strict=True), 1):
    print(f"epoch {epoch}: loss {loss:.4f}, {share:.1%} of unseen digits right")

# Keep it: parameters, the optimizer's state and the epoch, from which training goes on
with tempfile.TemporaryDirectory() as folder:
    trainer.save(Path(folder) / "digits.npz")
    trainer.load(Path(folder) / "digits.npz")

# Report statistics
stats = get_stats()
print("Acceleration statistics:")
print(f"  Pure Simple: {stats.pure_count} ops")
print(f"  FFI: {stats.ffi_count} ops")
print(f"  Fallbacks: {stats.fallback_count}")
