"""Attach points: find the owner and the original of ``module:qualname`` by looking, not asking.

Nothing here calls ``getattr`` on a module or class unless the row says ``probe.dynamic``: lazy
modules import half the world when asked for a name that they lack.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from shimhub.environment import is_class, is_dict, is_module, namespace
from shimhub.model import Shim
from shimhub.patching import MISSING, Slot, own_names
from shimhub.placeholder import is_placeholder


def find_slot(shim: Shim, module: ModuleType) -> Slot | None:
    """Return the slot of the shim's attach point, or None where its owner does not exist."""
    *path, name = shim.qualname.split(".")
    owner: Any = module
    for part in path:
        owner = _step(owner, part, bool(shim.probe.get("dynamic")))
        if owner is MISSING:
            return None
    return Slot(owner, name)


def content(slot: Slot) -> Any:
    """Return what the slot's name means for its owner: its own or, for a class, the inherited."""
    return lookup(slot.owner, slot.name)


def lookup(owner: Any, name: Any) -> Any:
    """Return ``owner``'s static attribute ``name`` through the MRO; MISSING if there is none."""
    if is_class(owner):
        for base in type.__dict__["__mro__"].__get__(owner):
            if name in own_names(base):
                return own_names(base)[name]
        return MISSING
    found = own_names(owner).get(name, MISSING)
    if found is MISSING and not (is_module(owner) or is_dict(owner)):
        return lookup(type(owner), name)
    return found


def is_present(slot: Slot, dynamic: bool) -> bool:
    """Whether the owner has the name really; placeholders of any hub do not count.

    A lazy module tells its names by ``__all__`` or ``dir``; ``dynamic`` also asks ``getattr``.
    """
    found = content(slot)
    if found is not MISSING:
        return not is_placeholder(found)
    if not is_module(slot.owner):
        return False
    if _is_listed(slot.owner, slot.name):
        return True
    asked = getattr(slot.owner, slot.name, MISSING) if dynamic else MISSING
    return asked is not MISSING and not is_placeholder(asked)


_PLAIN_DIR: Any = vars(ModuleType)["__dir__"]


def _is_listed(module: ModuleType, name: str) -> bool:
    if lookup(type(module), "__getattr__") is MISSING and "__getattr__" not in namespace(module):
        return False
    if name in namespace(module).get("__all__", ()):
        return True
    has_dir = "__dir__" in namespace(module) or lookup(type(module), "__dir__") is not _PLAIN_DIR
    return has_dir and name in dir(module)


def _step(owner: Any, part: str, dynamic: bool) -> Any:
    found = lookup(owner, part)
    if found is MISSING and dynamic:
        return getattr(owner, part, MISSING)
    return found


def resolve(point: str) -> Any:
    """Return the object at ``module:qualname`` of a loaded module, statically; else MISSING."""
    name, _, qualname = point.partition(":")
    owner: Any = sys.modules.get(name, MISSING)
    for part in qualname.split(".") if qualname else ():
        owner = lookup(owner, part) if owner is not MISSING else MISSING
    return owner


def module_exists(name: str) -> bool:
    """Whether a finder other than ours knows the module; nothing is imported on the way."""
    path = None
    parts = name.split(".")
    for size in range(1, len(parts) + 1):
        prefix = ".".join(parts[:size])
        names = namespace(sys.modules.get(prefix))
        if "__path__" in names and "__shimhub__" not in names:
            path = list(names["__path__"])
            continue
        spec = _find_spec(prefix, path)
        if spec is None:
            return False
        path = list(spec.submodule_search_locations or [])
    return True


def _find_spec(name: str, path: list[str] | None) -> ModuleSpec | None:
    for finder in list(sys.meta_path):
        is_ours = type(finder).__module__.partition(".")[0] == "shimhub"
        find_spec = None if is_ours else getattr(finder, "find_spec", None)
        if find_spec and (spec := find_spec(name, path, None)) is not None:
            return spec  # type: ignore[no-any-return]
    return None
