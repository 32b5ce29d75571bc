"""Counts of what became of a shim's calls."""

from __future__ import annotations

import logging
from _thread import get_ident

logger = logging.getLogger("shimhub")

#: Distinct reasons that are kept of one shim; all further ones are counted as one.
_REASONS = 50


class Tally:
    """Counts of one shim by kind and reason: written per thread, merged on read."""

    def __init__(self, shim_id: str) -> None:
        self._shim_id = shim_id
        self._threads: dict[int, dict[tuple[str, str], int]] = {}
        self._known: dict[tuple[str, str], None] = {}

    def add(self, kind: str, reason: str = "") -> str:
        """Count one; return the reason it was counted by where that is new, else ``""``."""
        # First of all: compilers that trace calls leave off at a logger, in silence.
        logger.debug("shim %s: %s %s", self._shim_id, kind, reason)
        key = (kind, reason)
        is_new = key not in self._known
        if is_new and reason and len(self._known) >= _REASONS:
            key = (kind, "other reasons")
            is_new = key not in self._known
        self._known.setdefault(key)
        own = self._threads.setdefault(get_ident(), {})
        own[key] = own.get(key, 0) + 1
        return key[1] if is_new else ""

    def forget(self) -> None:
        """Begin anew."""
        self._threads, self._known = {}, {}

    def of(self, kind: str) -> dict[str, int]:
        """Return the counts of a kind by reason, over all threads."""
        found: dict[str, int] = {}
        for own in list(self._threads.values()):
            for (one, reason), count in list(own.items()):
                if one == kind:
                    found[reason] = found.get(reason, 0) + count
        return found
