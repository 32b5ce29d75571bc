"""torch, if it is here: :mod:`shimhub.accel.torch_ffi` by the name of the guide.

Nothing here imports torch but a call. Tensors that need a gradient are computed by the operations
of :mod:`shimhub.pure.tensor_ops`, in whose modes torch serves them.
"""

from __future__ import annotations

from shimhub.accel.torch_ffi import (
    add_torch_ffi,
    cross_entropy_torch_ffi,
    div_torch_ffi,
    gelu_torch_ffi,
    layer_norm_torch_ffi,
    linear_torch_ffi,
    matmul_torch_ffi,
    mse_loss_torch_ffi,
    mul_torch_ffi,
    relu_torch_ffi,
    sigmoid_torch_ffi,
    softmax_torch_ffi,
    sub_torch_ffi,
    tanh_torch_ffi,
    torch_available,
    torch_cuda_available,
    torch_version,
)

__all__ = [
    "add_torch_ffi",
    "cross_entropy_torch_ffi",
    "div_torch_ffi",
    "gelu_torch_ffi",
    "layer_norm_torch_ffi",
    "linear_torch_ffi",
    "matmul_torch_ffi",
    "mse_loss_torch_ffi",
    "mul_torch_ffi",
    "relu_torch_ffi",
    "sigmoid_torch_ffi",
    "softmax_torch_ffi",
    "sub_torch_ffi",
    "tanh_torch_ffi",
    "torch_available",
    "torch_cuda_available",
    "torch_version",
]
