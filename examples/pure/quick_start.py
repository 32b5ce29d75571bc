"""A layer on numpy alone, and the same one with torch behind it, where that is installed."""

from shimhub.pure.accel import AccelMode, get_current_mode, set_acceleration
from shimhub.pure.nn import Linear
from shimhub.pure.tensor import PureTensor
from shimhub.pure.torch_ffi import torch_available

model = Linear(784, 256)
x = PureTensor.randn([32, 784])
print(get_current_mode().name, model.forward(x).shape)

if torch_available():
    set_acceleration(AccelMode.Auto)
print(get_current_mode().name, model.forward(x).shape)
