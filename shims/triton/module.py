"""Stand-in for the ``triton`` package, so that modules which define kernels import without it.

Origin: https://github.com/triton-lang/triton/blob/main/python/triton/__init__.py (names only).
Decorated kernels keep their name, signature and source; launching one raises with the cure.
``__version__`` is 0.0.0 and there is no distribution metadata, so version tests say "no triton".
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

__version__ = "0.0.0"
#: Tells the shims that hide this package from torch's own probes that it is not the real one.
__stub__ = True
__all__ = ["Config", "JITFunction", "autotune", "cdiv", "heuristics", "jit", "next_power_of_2"]

_CURE = "Triton is not installed: `pip install triton`, or choose an option that does not use it"


class JITFunction:
    """A kernel that was defined but cannot be launched."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.__signature__ = inspect.signature(fn)

    def _refuse(self) -> NoReturn:
        raise NotImplementedError(f"cannot launch kernel {self.fn.__qualname__}: {_CURE}")

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise: a kernel is launched by ``kernel[grid](...)``, and not at all without Triton."""
        self._refuse()

    def __getitem__(self, grid: Any) -> NoReturn:
        """Raise instead of returning a launcher for ``grid``."""
        self._refuse()

    def run(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise; the spelling that autotuners and compilers use."""
        self._refuse()

    def warmup(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise; ahead-of-time compilation needs Triton as well."""
        self._refuse()


class Config:
    """One set of meta-parameters for ``autotune``; kept, never tried."""

    def __init__(
        self,
        kwargs: Mapping[str, Any],
        num_warps: int = 4,
        num_stages: int = 3,
        num_ctas: int = 1,
        maxnreg: int | None = None,
        pre_hook: Callable[..., Any] | None = None,
        **more: Any,
    ) -> None:
        self.kwargs = dict(kwargs)
        self.num_warps = num_warps
        self.num_stages = num_stages
        self.num_ctas = num_ctas
        self.maxnreg = maxnreg
        self.pre_hook = pre_hook
        vars(self).update(more)


def jit(fn: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Mark a function as a kernel; used bare or with options."""
    return jit if fn is None else JITFunction(fn)


def _keep(kernel: Any) -> Any:
    return kernel


def autotune(configs: Any, key: Any, **options: Any) -> Callable[[Any], Any]:
    """Return a decorator that leaves the kernel as it is."""
    return _keep


def heuristics(values: Mapping[str, Callable[..., Any]]) -> Callable[[Any], Any]:
    """Return a decorator that leaves the kernel as it is."""
    return _keep


def cdiv(x: int, y: int) -> int:
    """Return ``x / y`` rounded up."""
    return (x + y - 1) // y


def next_power_of_2(n: int) -> int:
    """Return the smallest power of two that is at least ``n``."""
    return 1 << (n - 1).bit_length() if n > 0 else 0
