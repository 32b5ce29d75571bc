"""The complete pipeline: digits are learnt on numpy, with torch where it was measured to pay."""

from drawn import draw

from shimhub.pure.accel import AccelMode, get_stats, reset_stats, set_acceleration
from shimhub.pure.nn import Linear, ReLU, Sequential
from shimhub.pure.training import SGD, Trainer, accuracy, cross_entropy
from shimhub.pure.torch_ffi import torch_available

# Configure acceleration
if torch_available():
    print("torch is here: each operation goes where it was measured to be faster")
    set_acceleration(AccelMode.Auto)
else:
    print("no torch: numpy and our kernels")
    set_acceleration(AccelMode.PureSimple)

# Build the model
model = Sequential(layers=[Linear(784, 256), ReLU(), Linear(256, 10)])

# Train
reset_stats()
optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9)
trainer = Trainer(model, optimizer, cross_entropy, seed=0)
trainer.fit(
    draw(4000, seed=0),
    epochs=5,
    on_epoch=lambda epoch, loss: print(f"epoch {epoch}: loss {loss:.3f}"),
)
print(f"unseen digits: {trainer.evaluate(draw(1000, seed=1), accuracy):.1%} right")

# Report
stats = get_stats()
print("Acceleration statistics:")
print(f"  numpy and our kernels: {stats.pure_count} operations")
print(f"  torch: {stats.ffi_count} operations")
print(f"  fallbacks: {stats.fallback_count}")
