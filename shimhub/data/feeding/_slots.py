"""A shuffle buffer as arithmetic: which row lies in which slot, at any time, without a history.

A stream's rows are numbered. The first ``size`` fill the slots; then in each step ``chunk`` rows
come in, as many slots are drawn, their rows are given out in the order drawn, and the new rows
take their places. When no more come, the slots are given out in random order. A step's draw is
told by the key and the step's number, so the slots before any step are found from a few steps
back (about log(size) times size / chunk), not from the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from shimhub.data.feeding._order import Array, chosen, key, permutation

#: Steps in which the buffer turns over once; more would take longer, fewer would mix less.
_TURN: Final = 8


@dataclass(frozen=True, slots=True)
class Slots:
    """The order of a buffer of ``size`` rows."""

    size: int
    seed: tuple[int, ...]

    @property
    def chunk(self) -> int:
        """How many rows go in and out in a step."""
        return -(-self.size // _TURN)

    def drawn(self, step: int) -> Array:
        """Return the slots of a step, in the order in which they are given out."""
        return chosen(key(*self.seed, "step", step), self.size, self.chunk)

    def drained(self, count: int) -> Array:
        """Return the order in which the last ``count`` slots are given out."""
        return permutation(key(*self.seed, "end"), count)

    def first_of(self, step: int) -> int:
        """Return the number of the first row that comes in at a step."""
        return self.size + step * self.chunk

    def before(self, step: int, total: int | None = None) -> Array:
        """Return each slot's row before a step: int64; ``total`` rows there are, if known."""
        held = np.full(self.size if total is None else min(self.size, total), -1, np.int64)
        missing = len(held)
        for earlier in reversed(range(step)):
            first = self.first_of(earlier)
            came = self.chunk if total is None else min(self.chunk, total - first)
            slots = self.drawn(earlier)[:came]
            is_new = held[slots] < 0
            held[slots[is_new]] = first + np.flatnonzero(is_new)
            missing -= int(is_new.sum())
            if not missing:
                return held
        is_old = held < 0
        held[is_old] = np.flatnonzero(is_old)
        return held

    def step_of(self, given: int, total: int | None = None) -> tuple[int, int]:
        """Return the step in which a stream is that gave so many rows, and how many of them in it.

        With ``total`` known the step may be the one after the last: there the slots are drained.
        """
        if total is not None and given >= max(0, total - self.size):
            incoming = max(0, total - self.size)
            return -(-incoming // self.chunk), given - incoming
        return divmod(given, self.chunk)
