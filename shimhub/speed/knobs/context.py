"""What ``apply_speedups`` hands back: contexts for the training loop, a report, and the undo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    ContextDecorator,
    ExitStack,
    contextmanager,
    nullcontext,
)
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import torch

from shimhub.speed.hardware import torch_device
from shimhub.speed.knobs._layers import Layer, drop
from shimhub.speed.model import Action, Decision, Plan, State, Targets

if TYPE_CHECKING:
    from torch.amp.grad_scaler import GradScaler
    from typing_extensions import Self

    from shimhub.speed.config import SpeedConfig

#: The devices of torch's autocast by kind of hardware, where the words differ.
_DEVICES: Final = {"rocm": "cuda"}
_DTYPES: Final = {"bf16": torch.bfloat16, "fp16": torch.float16}


def decided(plan: Plan, knob: str) -> Any:
    """Return the value that a plan applies to a knob; None where it leaves it alone."""
    values = [one.value for one in plan.decisions if one.knob == knob and _applied(one)]
    return values[0] if values else None


def _applied(decision: Decision) -> bool:
    return decision.action is Action.APPLY


def scaler_of(plan: Plan) -> GradScaler:
    """Return a gradient scaler, which passes everything through unless precision is fp16."""
    enabled = decided(plan, "precision") == "fp16" and decided(plan, "grad_scaler") is True
    return torch.amp.GradScaler(device_of(plan), enabled=enabled)


def device_of(plan: Plan) -> str:
    """Return torch's word for the kind of device that a plan is for."""
    return _DEVICES.get(plan.hardware.kind, plan.hardware.kind)


class _Nothing(nullcontext[None], ContextDecorator):
    """Does nothing, and decorates a function as torch's own contexts do."""


class SpeedContext:
    """Settings in force, until ``restore()`` or the end of a with-statement.

    ``before``, ``after`` and ``restored`` have what each knob read; ``notes`` what is to be told.
    ``grad_scaler`` is always a ``torch.amp.GradScaler``; it scales only where precision is fp16.
    ``cfg`` is the configuration, by the name that SpeedKit has for it; None for a bare plan.
    """

    cfg: SpeedConfig | None = None

    def __init__(self, plan: Plan, targets: Targets, cache: bool | None = None) -> None:
        self.plan: Final = plan
        self.grad_scaler: Final = scaler_of(plan)
        self.before: Final[dict[str, State]] = {}
        self.after: Final[dict[str, State]] = {}
        self.restored: Final[dict[str, State]] = {}
        self.notes: Final[list[str]] = []
        self._targets: Final = targets
        self._cache: Final = cache
        self._layers: Final[list[Layer]] = []
        self._ended = False

    @property
    def device(self) -> torch.device:
        """Return the device that the plan is for."""
        return torch.device(torch_device(self.plan.hardware))

    @property
    def use_grad_scaler(self) -> bool:
        """Whether ``grad_scaler`` scales."""
        return self.grad_scaler.is_enabled()

    @property
    def active(self) -> bool:
        """Whether ``restore`` was not called yet."""
        return not self._ended

    def add(self, layer: Layer) -> None:
        """Take over a layer that was applied."""
        self._layers.append(layer)
        self.before[layer.knob.id] = layer.before
        self.after[layer.knob.id] = layer.after

    def autocast(self) -> AbstractContextManager[Any]:
        """Return autocast to the precision that was decided.

        For fp32, and after ``restore``, it does nothing at all: an autocast of the user around it
        stays on.
        """
        dtype = _DTYPES.get(decided(self.plan, "precision") or "")
        if dtype is None or not self.active:
            return _Nothing()
        return torch.amp.autocast(device_of(self.plan), dtype=dtype, cache_enabled=self._cache)

    def sdp(self) -> AbstractContextManager[Any]:
        """Return a context that allows the attention kernels that were decided, and no other.

        Its end writes what was allowed at its beginning; after ``restore``, what that brought back.
        """
        value = decided(self.plan, "sdpa")
        if value is None or not self.active:
            return _Nothing()
        from shimhub.speed.knobs.sdpa import KERNELS, kernels_of

        backends = [KERNELS[name].backend for name in kernels_of(value)]
        if torch.compiler.is_compiling():  # which knows this one, and goes on in one graph
            found: AbstractContextManager[Any] = torch.nn.attention.sdpa_kernel(backends)
            return found
        return self._attention(backends)

    @contextmanager
    def _attention(self, backends: Sequence[Any]) -> Iterator[None]:
        """Allow some kernels for a block, which may be entered and left after ``restore``."""
        if not self.active:
            yield
            return
        try:
            with torch.nn.attention.sdpa_kernel(list(backends)):
                yield
        finally:
            self._settle_attention()

    def _settle_attention(self) -> None:
        """Write again what ``restore`` brought back within a region whose end has undone that."""
        if "sdpa" in self.restored:
            from shimhub.speed.knobs.sdpa import KNOB

            KNOB.restore(self.restored["sdpa"], self._targets)

    def restore(self) -> None:
        """Bring back every setting; what the user changed since is kept and told in ``notes``.

        Calling it again does nothing. If a knob raises, the others are restored all the same and
        a second call tries that one again.
        """
        self._ended = True
        with ExitStack() as stack:
            for layer in self._layers:
                stack.callback(self._drop, layer)

    def _drop(self, layer: Layer) -> None:
        dropped = drop(layer, self._targets)
        self._layers.remove(layer)
        self.restored[layer.knob.id] = dropped.state
        if dropped.note:
            self.notes.append(dropped.note)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.restore()

    def report(self) -> str:
        """Return what was decided and why, with each setting before, after and restored."""
        lines = [f"device: {self.plan.hardware.kind} ({self.plan.hardware.name})"]
        for decision in self.plan.decisions:
            lines.append(_line(decision))
            lines += self._settings(decision.knob)
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _settings(self, knob: str) -> list[str]:
        """Return a line for each setting of a knob that was changed."""
        before, after = self.before.get(knob, {}), self.after.get(knob, {})
        restored = self.restored.get(knob)
        lines = []
        for name in (name for name in before if before[name] != after.get(name)):
            end = f" -> {restored.get(name)!r} (restored)" if restored is not None else ""
            lines.append(f"  {name}: {before[name]!r} -> {after.get(name)!r}{end}")
        return lines


def _line(decision: Decision) -> str:
    value = f" {decision.value!r}" if _applied(decision) else ""
    return f"{decision.knob}: {decision.action.value}{value}: {decision.reason}"
