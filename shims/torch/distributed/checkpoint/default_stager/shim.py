"""``DefaultStager``: copies a state dict to the CPU, in the foreground.

Origin: https://github.com/pytorch/pytorch/pull/156207 (new in torch 2.9).
Of its options, shared memory works as in 2.9. Pinned memory needs CUDA and non-blocking copies an
accelerator: without one, as in 2.9, the former warns and the latter raises. Staging in the
background needs 2.9's `async_save` and raises.
"""

from __future__ import annotations

import warnings
from typing import Any


def build(original: None, ctx: Any) -> type:
    """Return the class, a real ``AsyncStager``."""
    names, release = vars(ctx.module), ctx.version("torch")
    everything = names["StagingOptions"]()

    class DefaultStager(ctx.module.AsyncStager):
        """Stage a state dict; the copy is complete when ``stage`` returns.

        A copy is the caller's own, unless it is pinned: pinned memory is kept and filled again by
        the next ``stage``, so a save must have ended before that. Not thread-safe.
        """

        def __init__(self, config: Any = everything) -> None:
            _check(config, release)
            self._config = config
            self._pins = _pins(config)
            self._kept: dict[str, Any] | None = None

        def stage(self, state_dict: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
            """Return a copy of ``state_dict`` on the CPU."""
            copy = self._kept or names["_create_cpu_state_dict"](
                state_dict, pin_memory=self._pins, share_memory=self._config.use_shared_memory
            )
            self._kept = copy if self._pins else None
            non_blocking = self._config.use_non_blocking_copy
            staged: dict[str, Any] = names["_copy_state_dict"](
                state_dict, copy, non_blocking=non_blocking, type_check=False
            )
            if non_blocking:
                _accelerator().synchronize()
            return staged

        def synchronize_staging(self) -> None:
            """Return at once: ``stage`` has waited."""

        def close(self) -> None:
            """Give the kept memory back."""
            self._kept = None

    return DefaultStager


def _check(config: Any, release: str) -> None:
    if config.use_async_staging:
        raise NotImplementedError(
            "DefaultStager with use_async_staging=True needs torch 2.9 or later, and this is torch "
            f'{release}. In TorchTitan set checkpoint.async_mode = "async"; elsewhere pass '
            "StagingOptions(use_async_staging=False); or install torch>=2.9."
        )
    if config.use_non_blocking_copy and not _accelerator().is_available():
        raise AssertionError(
            "Non-blocking copy requires that the current accelerator is available."
        )


def _pins(config: Any) -> bool:
    import torch

    if config.use_pinned_memory and not torch.cuda.is_available():
        warnings.warn(
            "Ignoring use_pinned_memory for checkpoint staging: pinned memory requires CUDA, and "
            "CUDA is not available.",
            stacklevel=3,
        )
        return False
    return bool(config.use_pinned_memory)


def _accelerator() -> Any:
    import torch

    return torch.accelerator
