"""``fast_axolotl.install()`` and its kin: which shims for axolotl are on, asked of shimhub."""

from __future__ import annotations

import logging
import threading

from fast_axolotl._parts import EVERY, import_modules, part_of, parts_on, patterns

import shimhub

LOG = logging.getLogger("fast_axolotl")

_LOCK = threading.RLock()
_is_automatic = False


def install() -> bool:
    """Turn all shims for axolotl on; False if they were, or could not be turned on."""
    return _install(EVERY)


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
    with _LOCK:
        was_on = "all" in parts_on()
        if was_on:
            shimhub.disable(*patterns(EVERY))
            LOG.info("shims uninstalled")
        return was_on


def _install(parts: set[str]) -> bool:
    try:
        with _LOCK:
            return _is_turned_on(parts)
    except shimhub.ShimhubError as error:
        LOG.error("shims not installed: %s", error)
        return False


def _is_turned_on(parts: set[str]) -> bool:
    """Turn ``parts`` on unless they are; return whether that was done."""
    global _is_automatic  # shims are the process's, too
    on, was_automatic, _is_automatic = parts_on(), _is_automatic, False
    if parts <= on and not (was_automatic and parts < on):
        LOG.debug("already installed")
        return False
    verdicts = shimhub.enable(*patterns(parts))
    if was_automatic or "all" not in on:
        verdicts = shimhub.disable(*patterns(EVERY - parts)) if parts < EVERY else verdicts
    import_modules(parts & parts_on())
    for verdict in verdicts:
        if part_of(verdict.id) in parts:
            LOG.debug("%s", verdict)
    told = parts & parts_on()
    LOG.info("shims installed: %s", ", ".join(sorted(told - {"all"})) or "none, as you said")
    return "all" in told
