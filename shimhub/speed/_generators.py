"""Random numbers and flags: of generators that a step holds, and of the process."""

from __future__ import annotations

import functools
import random
import sys
from typing import TYPE_CHECKING, Any

import torch

from shimhub.speed._saved import SavedSetting
from shimhub.speed.knobs import KNOBS
from shimhub.speed.knobs._layers import rewrite, snapshot
from shimhub.speed.model import Targets

if TYPE_CHECKING:
    from shimhub.speed._saved import Saved


def generator_of(thing: Any, where: str) -> SavedSetting | None:
    """Return the state of a generator that the user made; None for what is no generator."""
    if isinstance(thing, torch.Generator):
        return SavedSetting(where, thing.get_state, thing.set_state)
    if isinstance(thing, random.Random):
        return SavedSetting(where, thing.getstate, thing.setstate)
    numpy = sys.modules.get("numpy.random")
    if numpy is None or not isinstance(thing, (numpy.Generator, numpy.RandomState)):
        return None
    if isinstance(thing, numpy.RandomState):
        return SavedSetting(where, thing.get_state, thing.set_state)
    bits = thing.bit_generator
    return SavedSetting(where, lambda: bits.state, functools.partial(setattr, bits, "state"))


def _flag(name: str) -> SavedSetting:
    """Return what a knob of the process sets: the step may set it as well."""
    nothing = Targets()
    read = functools.partial(snapshot, KNOBS[name], nothing)
    return SavedSetting(f"torch's {name}", read, lambda was: rewrite(KNOBS[name], was, nothing))


def process_settings() -> list[Saved]:
    """Return the process's generators of random numbers, and flags that a step may set."""
    found = [
        SavedSetting("random", random.getstate, random.setstate),
        SavedSetting("torch's random numbers", torch.get_rng_state, torch.set_rng_state),
        SavedSetting("torch's grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
        SavedSetting("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype),
        SavedSetting(
            "torch's deterministic mode",
            torch.get_deterministic_debug_mode,
            torch.set_deterministic_debug_mode,
        ),
        SavedSetting("torch's threads", torch.get_num_threads, torch.set_num_threads),
    ]
    found += [_flag(name) for name, knob in KNOBS.items() if knob.scope == "process"]
    if numpy := sys.modules.get("numpy.random"):
        found.append(SavedSetting("numpy.random", numpy.get_state, numpy.set_state))
    for kind in ("cuda", "xpu"):
        device = getattr(torch, kind)
        if device.is_initialized():
            read, write = device.get_rng_state_all, device.set_rng_state_all
            found.append(SavedSetting(f"{kind}'s random numbers", read, write))
    if torch.backends.mps.is_available():
        read, write = torch.mps.get_rng_state, torch.mps.set_rng_state
        found.append(SavedSetting("mps's random numbers", read, write))
    return list(found)
