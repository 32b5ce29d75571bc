"""``fast_axolotl.install()`` and its kin: which shims for axolotl are on, asked of shimhub."""

from __future__ import annotations

import importlib
import logging
import sys

import shimhub
from shimhub.attach import module_exists

LOG = logging.getLogger("fast_axolotl")

#: Parts of what ``install`` turns on, by how the ids of their rows begin; the first wins.
_PARTS = {
    "fast_axolotl/streaming/": "streaming",
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
_EVERY = {"all", "streaming", "hashing", "collators", "rest"}
_is_automatic = False


def install() -> bool:
    """Turn all shims for axolotl on; False if they were, or could not be turned on."""
    return _install(_EVERY)


def install_at_import() -> None:
    """Install as ``import fast_axolotl`` does: a selective call narrows that down."""
    global _is_automatic  # shims are the process's, too
    _is_automatic = install()


def install_streaming_shim() -> bool:
    """Turn on the shims of streaming, and off what the import alone has turned on."""
    return _install({"all", "streaming"})


def install_hashing_shim() -> bool:
    """Turn on those of deduplication, as ``install_streaming_shim`` does its own."""
    return _install({"all", "hashing"})


def install_collator_shim() -> bool:
    """Turn on those of collators, as ``install_streaming_shim`` does its own."""
    return _install({"all", "collators"})


def uninstall() -> bool:
    """Turn all shims for axolotl off: its modules hold what they held; False if none was on."""
    if "all" not in _parts_on():
        return False
    shimhub.disable(*_patterns(_EVERY))
    LOG.info("shims uninstalled")
    return True


def _install(parts: set[str]) -> bool:
    global _is_automatic  # shims are the process's, too
    on, was_automatic, _is_automatic = _parts_on(), _is_automatic, False
    if parts <= on and not (was_automatic and parts < on):
        LOG.debug("already installed")
        return False
    unasked = _patterns(_EVERY - parts) if was_automatic or "all" not in on else []
    try:
        verdicts = shimhub.enable(*_patterns(parts))
        verdicts = shimhub.disable(*unasked) if unasked else verdicts
    except shimhub.ShimhubError as error:
        LOG.error("shims not installed: %s", error)  # the message says it all
        return False
    _import_modules(parts)
    for verdict in verdicts:
        LOG.debug("%s", verdict)
    LOG.info("shims installed: %s", ", ".join(sorted(parts - {"all"})))
    return "all" in _parts_on()


def _import_modules(parts: set[str]) -> None:
    is_absent = hasattr(sys.modules.get("axolotl"), "__stub__") or not module_exists("axolotl")
    for name, part in _MODULES.items():
        if part in parts and (is_absent or name.rpartition(".")[0] in sys.modules):
            importlib.import_module(name)


def _parts_on() -> set[str]:
    found = shimhub.status()
    live = (one for one in found if one.status not in ("DISABLED", "GATED"))
    on = {_part(one.id) for one in live if one.id.startswith("fast_axolotl/")}
    is_off = any(one.reason.startswith("disabled by 'axolotl/") for one in found)
    return on | {"rest"} if on and not is_off else on


def _patterns(parts: set[str]) -> list[str]:
    ids = [one.id for one in shimhub.status() or shimhub.plan()]
    return sorted({one.rpartition("/")[0] + "/*" for one in ids if _part(one) in parts})


def _part(shim_id: str) -> str:
    return next((part for start, part in _PARTS.items() if shim_id.startswith(start)), "")
