"""autocast around a model's forward, for scripts that do not call ``ctx.autocast()``.

Hooks enter and leave it, so copies of the model and replicas of DataParallel have it too. Where
the script has an autocast of its own around the call, that one stays.
https://docs.pytorch.org/docs/2.13/amp.html
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from types import FrameType
from typing import Any, Final, TypeAlias

import torch

from shimhub.speed.errors import KnobError
from shimhub.speed.model import Hardware, Numerics, State, Targets

_DTYPES: Final = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Autocast:
    """The knob ``autocast``; its value is ``"bf16"`` or ``"fp16"``."""

    id: Final = "autocast"
    numerics: Final = Numerics.LOSSY
    scope: Final = "model"

    def why_not(self, value: Any, hardware: Hardware, targets: Targets) -> str:
        """Return why the forward cannot run under autocast."""
        if value not in _DTYPES:
            return f"autocast takes {' or '.join(_DTYPES)}, not {value!r}"
        if targets.model is None:
            return "no model was given"
        if isinstance(targets.model, torch.jit.ScriptModule):
            return "a torch.jit model takes no hooks of this kind"
        if not torch.amp.is_autocast_available(_device_type(targets.model)):
            return f"torch has no autocast for {_device_type(targets.model)}"
        return ""

    def read(self, targets: Targets) -> State:
        """Return the type that hooks of ours cast to, None where there are none."""
        found = [one.dtype for one in _hooks(targets.model)]
        return {"autocast": found[0] if found else None}

    def apply(self, value: Any, targets: Targets) -> None:
        """Put the hooks of this type in the place of those there are."""
        if reason := self.why_not(value, Hardware("cpu", ""), targets):
            raise KnobError(f"autocast: {reason}")
        self.restore({"autocast": value}, targets)

    def restore(self, before: State, targets: Targets) -> None:
        """Take our hooks off, or put on those of the type there was."""
        _unhook(targets.model)
        if before["autocast"] is not None:
            _hook(targets.model, before["autocast"])


#: Device, whether it cast, to what, and whether casts were cached.
_Before: TypeAlias = tuple[str, bool, torch.dtype, bool]


def _enter(device: str, dtype: str) -> _Before:
    """Do what ``torch.autocast.__enter__`` does, which torch.compile cannot trace in a hook."""
    before = (
        device,
        torch.is_autocast_enabled(device),
        torch.get_autocast_dtype(device),
        torch.is_autocast_cache_enabled(),
    )
    torch.set_autocast_enabled(device, True)
    torch.set_autocast_dtype(device, _DTYPES[dtype])
    torch.autocast_increment_nesting()
    torch.set_autocast_cache_enabled(True)
    return before


def _exit(device: str, enabled: bool, dtype: torch.dtype, cached: bool) -> None:
    """Do what ``torch.autocast.__exit__`` does."""
    if torch.autocast_decrement_nesting() == 0:
        torch.clear_autocast_cache()
    torch.set_autocast_enabled(device, enabled)
    torch.set_autocast_dtype(device, dtype)
    torch.set_autocast_cache_enabled(cached)


class _Hook:
    """A hook that is left out of copies and pickles: there it is a function that does nothing."""

    def __init__(self, dtype: str, entered: _Entered) -> None:
        self.dtype = dtype
        self.entered = entered

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (nullcontext(), "__exit__")


class _Enter(_Hook):
    """Enters autocast before a forward."""

    def __call__(self, module: Any, args: Any) -> None:
        """Enter, unless the script is inside of an autocast of its own."""
        stack = self.entered.stack
        while stack and len(stack) >= _running(module):  # left by an interrupted forward
            self.entered.leave()
        device = _device_type(module, args)
        stack.append(None if torch.is_autocast_enabled(device) else _enter(device, self.dtype))


class _Leave(_Hook):
    """Leaves it after the forward, and after one that raised."""

    def __call__(self, module: Any, args: Any, result: Any) -> None:
        """Leave what the call entered."""
        self.entered.leave()


class _Entered(threading.local):
    """What was before each autocast that one thread has entered, innermost last."""

    def __init__(self) -> None:
        self.stack: list[_Before | None] = []

    def leave(self) -> None:
        """Leave the innermost context."""
        if self.stack and (before := self.stack.pop()) is not None:
            _exit(*before)


def _running(module: Any) -> int:
    """Return how many calls of the module are under way in this thread, this one among them."""
    call = torch.nn.Module._call_impl.__code__
    frame: FrameType | None = sys._getframe(1)
    found = 0
    while frame is not None:
        found += frame.f_code is call and frame.f_locals.get("self") is module
        frame = frame.f_back
    return found


def _device_type(module: Any, args: Any = ()) -> str:
    """Return the kind of device that the module computes on; a replica has no parameters."""
    tensors = chain(module.parameters(), module.buffers(), args)
    kinds = (one.device.type for one in tensors if isinstance(one, torch.Tensor))
    return next((kind for kind in kinds if kind != "meta"), "cpu")


def _hook(model: Any, dtype: str) -> None:
    """Put on both hooks: ours enters before the others' and leaves after them."""
    entered = _Entered()
    model.register_forward_pre_hook(_Enter(dtype, entered), prepend=True)
    model.register_forward_hook(_Leave(dtype, entered), always_call=True)


def _hooks(model: Any) -> Iterator[_Hook]:
    """Yield our hooks on a model."""
    hooks = () if model is None else (model._forward_pre_hooks, model._forward_hooks)
    yield from (one for each in hooks for one in each.values() if isinstance(one, _Hook))


def _unhook(model: Any) -> None:
    """Take our hooks off, and leave what an interrupted forward of this thread left entered."""
    for one in _hooks(model):
        while one.entered.stack:
            one.entered.leave()
    always = model._forward_hooks_always_called
    for hooks in (model._forward_pre_hooks, model._forward_hooks):
        for key in [key for key, one in hooks.items() if isinstance(one, _Hook)]:
            del hooks[key]
            always.pop(key, None)


KNOB: Final = Autocast()
