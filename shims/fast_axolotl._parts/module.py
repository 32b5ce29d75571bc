"""The parts of what ``fast_axolotl.install()`` turns on: shimhub's rows and axolotl's modules."""

from __future__ import annotations

import importlib
import sys

import shimhub
from shimhub.attach import module_exists

#: Parts of what ``install`` turns on, by how the ids of their rows begin; the first wins.
_PARTS = {
    "fast_axolotl/streaming/": "streaming",
    "axolotl/encode/": "streaming",
    "fast_axolotl/hashing/": "hashing",
    "axolotl/dedup/": "hashing",
    "fast_axolotl/collators/": "collators",
    "axolotl/collators/": "collators",
    "fast_axolotl/": "all",
    "axolotl/": "rest",
}
#: What is imported by ``install``, as by 0.2.0, but never axolotl's own packages on the way.
_MODULES = {
    "axolotl.utils.data": "all",
    "axolotl.utils.collators": "all",
    "axolotl.rust_ext": "streaming",
    "axolotl.rust_ext.axolotl_ext": "streaming",
    "axolotl.utils.data.rust_streaming": "streaming",
    "axolotl.utils.data.rust_wrapper": "streaming",
}
EVERY = {"all", "streaming", "hashing", "collators", "rest"}


def import_modules(parts: set[str]) -> None:
    """Import what 0.2.0 makes at once; of axolotl itself nothing that is not imported already."""
    is_absent = hasattr(sys.modules.get("axolotl"), "__stub__") or not module_exists("axolotl")
    for name, part in _MODULES.items():
        if part in parts and (is_absent or name.rpartition(".")[0] in sys.modules):
            importlib.import_module(name)


def parts_on() -> set[str]:
    """Return the parts that are on; "rest" is unless it was turned off here."""
    found = shimhub.status()
    live = (one for one in found if one.status not in ("DISABLED", "GATED"))
    on = {part_of(one.id) for one in live if one.id.startswith("fast_axolotl/")}
    ours = tuple(f"disabled by {one!r}" for one in patterns({"rest"}))
    is_off = any(one.reason in ours for one in found)
    return on | {"rest"} if on and not is_off else on


def patterns(parts: set[str]) -> list[str]:
    """Return the globs over ids by which shimhub knows some parts.

    Nobody else writes them so: what a user turned off by ``axolotl/dedup/*`` stays off.
    """
    ids = [one.id for one in shimhub.status() or shimhub.plan()]
    return sorted({one.rpartition("/")[0] + "/**" for one in ids if part_of(one) in parts})


def part_of(shim_id: str) -> str:
    """Return the part that a shim belongs to; empty for what is none of axolotl's."""
    return next((part for start, part in _PARTS.items() if shim_id.startswith(start)), "")
