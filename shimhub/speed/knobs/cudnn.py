"""Knobs ``cudnn_benchmark`` and ``deterministic``: how cuDNN picks its kernels.

Both are flags of the process that matter to convolutions on a GPU alone; they can be set anywhere.
``deterministic`` is cuDNN's flag, not ``torch.use_deterministic_algorithms``, which makes
operations raise that ran before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from shimhub.speed.errors import KnobError
from shimhub.speed.model import Hardware, Numerics, State, Targets

#: benchmark picks the fastest kernel of those that deterministic leaves, which is not always one.
#: https://docs.pytorch.org/docs/2.13/notes/randomness.html
_OTHERS: Final = {"benchmark": "deterministic", "deterministic": "benchmark"}


class CudnnFlag:
    """One flag of ``torch.backends.cudnn``."""

    numerics: Final = Numerics.REASSOCIATED
    scope: Final = "process"

    def __init__(self, name: str, flag: str, write: Callable[[bool], None]) -> None:
        self.id: Final = name
        self._flag: Final = flag
        self._name: Final = f"torch.backends.cudnn.{flag}"
        #: Works where torch.backends.disable_global_flags() was called, too.
        self._write: Final = write

    def why_not(self, value: Any, hardware: Hardware, targets: Targets) -> str:
        """Return why the flag means nothing here, is there already, or contradicts another."""
        if not isinstance(value, bool):
            return self._wrong(value)
        if hardware.kind not in {"cuda", "rocm"}:
            return f"{self._name} is a setting of GPU convolutions; this is {hardware.kind}"
        if value is getattr(torch.backends.cudnn, self._flag):
            return f"{self._name} is {value} already"
        return self._conflict(value)

    def _conflict(self, value: bool) -> str:
        other = _OTHERS[self._flag]
        if value and getattr(torch.backends.cudnn, other):
            return (
                f"torch.backends.cudnn.{other} is on, and kernels that are picked by stopwatch "
                "differ from run to run: turn one of the two off"
            )
        return ""

    def _wrong(self, value: Any) -> str:
        return f"{self.id} is {value!r}: it can be True or False"

    def read(self, targets: Targets) -> State:
        """Return the flag."""
        return {self._name: getattr(torch.backends.cudnn, self._flag)}

    def apply(self, value: Any, targets: Targets) -> None:
        """Set the flag. Raises KnobError where flags are frozen, or two contradict each other."""
        problem = self._conflict(value) if isinstance(value, bool) else self._wrong(value)
        if problem:
            raise KnobError(f"{self._name} = {value!r}: {problem}")
        try:
            setattr(torch.backends.cudnn, self._flag, value)
        except RuntimeError as error:
            raise KnobError(f"{self._name} = {value!r}: {error}") from error

    def restore(self, before: State, targets: Targets) -> None:
        """Bring the flag back."""
        self._write(before[self._name])


CUDNN_BENCHMARK: Final = CudnnFlag("cudnn_benchmark", "benchmark", torch._C._set_cudnn_benchmark)
DETERMINISTIC: Final = CudnnFlag(
    "deterministic", "deterministic", torch._C._set_cudnn_deterministic
)
