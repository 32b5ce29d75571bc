"""A round: one candidate after the other on the steps of a loop, and what was kept of them."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from shimhub.speed._steps import IDLE, Clock, Trial
from shimhub.speed._switch import Switch
from shimhub.speed.errors import SpeedError
from shimhub.speed.model import Hardware, Timing, Verdict
from shimhub.speed.ranks import Alone, Ranks, digest_of
from shimhub.speed.timing import PairTest

_KEEP, _DROP, _MORE = "keep", "drop", "more"


class LoopChangedError(SpeedError, RuntimeError):
    """The script does something else than when its loop was looked at."""


class Round:
    """Candidates tried on steps that end with a step of ``marker``; ``is_over`` when all were."""

    def __init__(
        self,
        name: str,
        ranks: Alone | Ranks,
        marker: Any,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        self._name, self._ranks, self._clock, self._say = name, ranks, clock, say
        self._marker = weakref.ref(marker)
        self._todo: list[Switch] = []
        self._switch: Switch | None = None
        self._others = self._begun = self._block = self._seed = 0
        self.kept: list[Switch] = []
        self.is_over = False

    def begin(
        self, switches: Sequence[Switch], block: int, hardware: Hardware, facts: Any
    ) -> list[str]:
        """Begin on all ranks at once; returns why which switches are not tried.

        Raises RanksDifferError where ranks have other facts, or other switches to try.
        """
        reasons = {one: one.why_not(hardware) for one in switches}
        self._todo = [one for one, reason in reasons.items() if not reason]
        digest = digest_of([facts, [str(one.candidate) for one in self._todo]])
        offer = f"{block} {int.from_bytes(os.urandom(4), 'little')}"
        self._block, self._seed = map(int, self._ranks.join(self._name, digest, offer).split())
        self._next()
        return [f"{one.candidate}: not tried: {why}" for one, why in reasons.items() if why]

    def step(self, optimizer: Any) -> None:
        """Take a step of an optimizer.

        Raises LoopChangedError where it is time to look at the loop anew, RanksDifferError where
        ranks are not at one; ``off`` is to be called then.
        """
        if optimizer is not self._marker():
            self._others += 1
            if self._others > IDLE:
                raise LoopChangedError("another optimizer ends the steps now")
            return
        self._others = 0
        is_end = self._trial.step()
        if is_end:
            self._decide()
        if not self.is_over:
            self._turn(self._trial.on)
            if is_end:
                self._trial.resume()

    def off(self) -> str:
        """Undo what is on and what was kept; returns a word on what the script changed since."""
        switches, self.kept = [*self.kept, self._switch], []
        return "; ".join(filter(None, (one.off() for one in reversed(switches) if one)))

    def told(self) -> str:
        """Return how far the candidate at hand has come."""
        assert self._switch is not None  # there is one until the round is over
        return f"{self._switch.candidate}: {self._test.pairs} pairs of {_steps(self._block)}"

    def _next(self) -> None:
        self.is_over = not self._todo
        self._switch = None if self.is_over else self._todo.pop(0)
        if not self.is_over:
            self._begun += 1
            self._test = PairTest()
            self._trial = Trial(self._test, self._clock, self._block, self._seed)
            self._turn(self._trial.on)

    def _turn(self, on: bool) -> None:
        assert self._switch is not None  # as in told
        if not self._switch.stands():
            raise LoopChangedError(f"the script changed {self._switch.candidate} meanwhile")
        if on:
            self._switch.on()
        else:
            self._switch.off()

    def _decide(self) -> None:
        """Go on, keep or drop, as rank 0 has it; all ranks are told before the next step."""
        timing = self._test.verdict() if self._ranks.rank == 0 else None
        place = f"{self._name}/{self._begun}"
        said = _MORE if timing is None else _KEEP if _is_faster(timing) else _DROP
        said = self._ranks.follow(f"{place}/{self._trial.cycles}", said)
        if said != _MORE:
            self._end(said, place, timing)

    def _end(self, said: str, place: str, timing: Timing | None) -> None:
        switch = self._switch
        assert switch is not None  # as in told
        self._turn(said == _KEEP)
        self._ranks.join(f"{place}/end", said, said)
        if said == _KEEP:
            self.kept.append(switch)
            knob = switch.candidate.knob
            self._todo = [one for one in self._todo if one.candidate.knob is not knob]
        became = "kept" if said == _KEEP else "undone"
        told = "as rank 0 measured" if timing is None else _told(timing, self._block)
        self._switch = None
        self._say(f"{switch.candidate}: {told}, {became}")
        self._next()


def _is_faster(timing: Timing) -> bool:
    return timing.verdict is Verdict.FASTER


def _told(timing: Timing, block: int) -> str:
    bounds = f"[{timing.low:.2f}, {timing.high:.2f}]"
    pairs = f"{timing.pairs} pairs of {_steps(block)}"
    why = f" ({timing.reason})" if timing.verdict is Verdict.UNDECIDED else ""
    return f"{timing.verdict.value} {timing.ratio:.2f}x {bounds}, {pairs}{why}"


def _steps(count: int) -> str:
    return "one step" if count == 1 else f"{count} steps"
