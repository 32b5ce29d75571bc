"""torch.compile in place: the model stays the same object, and checkpoints keep their keys.

``Module.compile()`` of torch leaves a bare ``nn.Sequential`` eager without a word, because no
frame of the user's runs in it; here the call is compiled through a function of ours, which torch
inlines. A failure of the compiler is told once and the model runs eagerly from there on.
https://docs.pytorch.org/docs/2.13/generated/torch.compile.html
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import torch

from shimhub.speed.errors import KnobError
from shimhub.speed.knobs._compiled_call import CompiledCall, Settings, unknown_settings
from shimhub.speed.knobs._toolchain import missing_tool
from shimhub.speed.model import Hardware, Numerics, State, Targets

#: What ``Module.__call__`` runs in place of ``_call_impl``; torch leaves it out of copies.
_SLOT: Final = "_compiled_call_impl"
_ABSENT: Final = "absent"
#: The last call of each model: one that is switched on and off compiles once.
_calls: Final[WeakKeyDictionary[Any, CompiledCall]] = WeakKeyDictionary()


class Compile:
    """The knob ``compile``; its value names torch.compile's arguments, or is True for defaults.

    They are ``backend``, ``mode``, ``fullgraph``, ``dynamic`` and ``options``, as attributes or
    as keys.
    """

    id: Final = "compile"
    numerics: Final = Numerics.REASSOCIATED
    scope: Final = "model"

    def why_not(self, value: Any, hardware: Hardware, targets: Targets) -> str:
        """Return why the model cannot be compiled here."""
        if targets.model is None:
            return "no model was given"
        settings = settings_of(value)
        return _model_refusal(targets.model) or missing_tool(settings.backend, hardware.kind)

    def read(self, targets: Targets) -> State:
        """Return what the model's call runs in the place of torch's own."""
        return {"call": _ABSENT if targets.model is None else _slot(targets.model)}

    def apply(self, value: Any, targets: Targets) -> None:
        """Put a compiled call into the model; nothing is compiled before its first use."""
        settings = settings_of(value)
        reason = _model_refusal(targets.model) or unknown_settings(settings)
        if reason:
            raise KnobError(f"compile: {reason}")
        vars(targets.model)[_SLOT] = _call(targets.model, settings)

    def restore(self, before: State, targets: Targets) -> None:
        """Put back what the call ran before; compiled code is kept for a second ``apply``."""
        if before["call"] == _ABSENT:
            vars(targets.model).pop(_SLOT, None)
        else:
            vars(targets.model)[_SLOT] = before["call"]


KNOB: Final = Compile()


def settings_of(value: Any) -> Settings:
    """Return the settings of a value of the knob."""
    if value is True:
        return Settings()
    names = Settings._fields
    if isinstance(value, Mapping):
        found = {name: value[name] for name in names if value.get(name) is not None}
    else:
        found = {name: one for name in names if (one := getattr(value, name, None)) is not None}
    return Settings(**found)


def _slot(model: Any) -> Any:
    """Return what the slot of a model holds; most have none of their own."""
    return vars(model).get(_SLOT, _ABSENT)


def _call(model: Any, settings: Settings) -> CompiledCall:
    """Return the call that the model had with these settings, or a new one."""
    known = _calls.get(model)
    if known is None or known.settings != settings:
        known = _calls[model] = CompiledCall(model, settings)
    return known


def fallback_reason(model: Any) -> str:
    """Return why a model that is to be compiled runs eagerly; empty where it does not."""
    call = _slot(model)
    return call.reason if isinstance(call, CompiledCall) else ""


def _model_refusal(model: Any) -> str:
    """Return why this model is left as it is."""
    if isinstance(model, torch.jit.ScriptModule):
        return "a torch.jit model cannot be compiled"
    if isinstance(model, torch.nn.DataParallel):
        return "the replicas of DataParallel would run the first one: use DistributedDataParallel"
    if _is_wrapped(model):
        return "the model is compiled by torch.compile already: yours is kept"
    if _slot(model) not in {_ABSENT, None} and not isinstance(_slot(model), CompiledCall):
        return "the model is compiled by its compile() already: yours is kept"
    return ""


def _is_wrapped(model: Any) -> bool:
    """Whether the model is what torch.compile returned; nobody has one before dynamo is loaded."""
    frames = sys.modules.get("torch._dynamo.eval_frame")
    return frames is not None and isinstance(model, frames.OptimizedModule)
