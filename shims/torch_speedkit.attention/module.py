"""Which backends attention may use, under the name of torch_speedkit."""

from __future__ import annotations

from contextlib import AbstractContextManager

from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["sdpa_backend_context"]


def sdpa_backend_context(
    enable_flash: bool, enable_mem_efficient: bool, enable_math: bool, enable_cudnn: bool
) -> AbstractContextManager[None]:
    """Return the context in which attention has these backends alone.

    Raises ValueError where all of them are off: nothing could compute attention.
    """
    told = {
        SDPBackend.FLASH_ATTENTION: enable_flash,
        SDPBackend.EFFICIENT_ATTENTION: enable_mem_efficient,
        SDPBackend.MATH: enable_math,
        SDPBackend.CUDNN_ATTENTION: enable_cudnn,
    }
    chosen = [backend for backend, is_on in told.items() if is_on]
    if not chosen:
        raise ValueError("all backends of attention are off: enable one, enable_math at least")
    return sdpa_kernel(chosen)
