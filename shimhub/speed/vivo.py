"""Candidates tried on the steps of an unmodified script, and kept only where they are FASTER.

A hook tells of each optimizer's step. Once the loop is known, a candidate is turned on and off in
blocks of steps, and ``timing.PairTest`` judges the pairs. Only what is bit-exact or adds up in
another order is tried unasked. No error of ours reaches the script: it ends the measurement, and
everything is as it was.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from shimhub._version import __version__
from shimhub.speed._asked import Asked
from shimhub.speed._rounds import LoopChangedError, Round
from shimhub.speed._steps import Clock, HostClock, Loop, StreamClock, block_of
from shimhub.speed._switch import Switch
from shimhub.speed.hardware import detect
from shimhub.speed.ranks import Alone, Ranks, RanksDifferError, ranks_of

#: What becomes of something: ``tell(kind, text)`` writes it into the run's records.
Tell = Callable[[str, str], object]
#: A script whose loop changes more often is left alone.
_RESTARTS = 8
#: Devices that tell what passed between two events of a stream.
_CLOCKED = ("cuda", "xpu")
_GONE = "UNDECIDED, as the program ended first; everything is as it was"


class Session:
    """What is measured and kept in this process. Begins with ``start``, ends with ``close``."""

    def __init__(self, text: str, tell: Tell, environ: Mapping[str, str] = os.environ) -> None:
        self._asked, self._tell, self._environ = Asked(text), tell, environ
        self._pid, self._thread = os.getpid(), 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._settled: dict[Any, tuple[Switch, ...]] = {}
        self._kept: list[Switch] = []
        self._loop: Loop | None = Loop()
        self._round: Round | None = None
        self._ranks: Alone | Ranks | None = None
        self._restarts = self._rounds = 0
        self._hook: Any = None
        #: Whether it is over: torch goes through all hooks when it calls ours, which stays.
        self._is_deaf = False
        self._has_met = False
        self._speaks = environ.get("RANK", "0") == "0"
        self.lines: list[str] = []

    def start(self) -> None:
        """Set what was asked for, and listen to steps. Raises DeviceError."""
        for line in self._asked.set_flags():
            self._say(line)
        self._hook = register_optimizer_step_post_hook(self._after_step)
        atexit.register(self.finish)

    def close(self) -> None:
        """Stop listening and undo everything."""
        atexit.unregister(self.finish)
        self._undo()
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def finish(self) -> None:
        """Say at the end of the process what came of it; a fork has nothing to say."""
        if os.getpid() != self._pid:
            return
        if self._round is not None:
            self._say(f"{self._round.told()}: {_GONE}")
            self._trying(self._round.off)
        elif self._loop is not None:
            steps = self._loop.steps
            self._say(f"{steps} steps of optimizers: {_GONE}" if steps else "no optimizer stepped")
        if self._has_met and self._speaks:
            with contextlib.suppress(Exception):  # the program closed it, or put its own there
                _write(f"shimhub: speed: {'; '.join(self.lines)}\n")

    def _say(self, line: str) -> None:
        if line in self.lines:
            return
        self.lines.append(line)
        self._tell("speed", line)

    # -- steps ------------------------------------------------------------------------------------

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Take the end of an optimizer's step; called by torch."""
        if torch.compiler.is_compiling() or self._is_deaf or not self._is_watched():
            return
        try:
            self._take(optimizer)
        except LoopChangedError as error:
            self._restart(str(error))
        except RanksDifferError as error:
            self._stop("divided", str(error))
        except Exception as error:  # noqa: BLE001  # the script's training is not ours to end
            self._stop("error", f"{type(error).__name__}: {error}")

    def _is_watched(self) -> bool:
        """Whether the step is of the process and the thread that the first step was of."""
        if os.getpid() != self._pid:
            self._fork()
            return False
        self._thread = self._thread or threading.get_ident()
        return self._thread == threading.get_ident()

    def _fork(self) -> None:
        """In a fork nothing is measured; what was kept before stays."""
        self._is_deaf = True
        if self._round is not None:
            self._trying(self._round.off)
            self._round = None

    def _take(self, optimizer: Any) -> None:
        if optimizer not in self._known:
            self._meet(optimizer)
        if self._round is not None:
            self._round.step(optimizer)
            self._settle()
        elif self._loop is not None:
            self._loop.count(optimizer)
            if (marker := self._loop.marker()) is not None:
                self._begin(marker, self._loop.seconds(marker))

    def _meet(self, optimizer: Any) -> None:
        """Take in an optimizer; one like those that were measured gets what they got."""
        self._has_met = True
        self._known.add(optimizer)
        self._asked.take(optimizer, self._say)
        if (kept := self._settled.get(_kind(optimizer))) is not None:
            for one in kept:
                one.add(optimizer, self._hardware)
        else:
            self._open.add(optimizer)
            self._restart("another optimizer came")

    def _begin(self, marker: Any, seconds: float) -> None:
        """Begin a round for the optimizers about which nothing is decided."""
        device = next(one.device for group in marker.param_groups for one in group["params"])
        if self._ranks is None:
            self._ranks = ranks_of(self._environ)
            self._speaks = self._ranks.rank == 0
        candidates = self._asked.candidates(device.type, is_first=not self._settled)
        switches = [Switch(one, self._open, self._say) for one in candidates]
        self._rounds += 1
        self._loop = None
        self._round = Round(str(self._rounds), self._ranks, marker, _clock_of(device), self._say)
        facts = [__version__, torch.__version__, self._asked.config.to_dict()]
        facts += sorted(repr(_kind(one)[0]) for one in self._open)
        self._hardware = detect(str(device))
        for line in self._round.begin(switches, block_of(seconds), self._hardware, facts):
            self._say(line)
        self._settle()

    def _settle(self) -> None:
        """Where a round is over, what it kept is for all optimizers of its kind."""
        if self._round is None or not self._round.is_over:
            return
        kept, self._round = self._round.kept, None
        self._kept += kept
        for one in self._open:
            self._settled[_kind(one)] = tuple(kept)
        self._open.clear()

    # -- ends -------------------------------------------------------------------------------------

    def _restart(self, reason: str) -> None:
        """Look at the loop anew, with everything of the round undone."""
        running, self._round, self._loop = self._round, None, Loop()
        if running is None:
            return
        running.off()
        self._restarts += 1
        if self._restarts > _RESTARTS:
            self._stop("speed", f"nothing more is tried: {reason}, for the {_RESTARTS + 1}th time")

    def _stop(self, kind: str, reason: str) -> None:
        """Undo everything, and have nothing to do with this process any more."""
        told = f"everything is off: {reason}"
        self.lines.append(told)
        self._trying(lambda: self._tell(kind, told))
        if kind != "speed":
            self._speaks = True
        if self._ranks is not None and kind != "speed":
            ranks = self._ranks
            self._trying(lambda: ranks.leave(reason))
        self._undo()

    def _undo(self) -> None:
        self._is_deaf = True
        running, self._round, self._loop = self._round, None, None
        if running is not None:
            self._trying(running.off)
        for one in reversed(self._kept):
            self._trying(one.off)
        self._kept, self._settled = [], {}
        self._trying(self._asked.undo)

    def _trying(self, undo: Callable[[], object]) -> None:
        """Undo as much as can be: one failure is told, and does not keep the rest."""
        try:
            if told := undo():
                self.lines.append(str(told))
        except Exception as error:  # noqa: BLE001  # as in _after_step
            self.lines.append(f"{type(error).__name__}: {error}")


def begin(text: str, tell: Tell) -> Session:
    """Begin to measure in this process; ``text`` is ``auto``, a file or a table as JSON.

    Raises SpeedConfigError, OSError and DeviceError, with nothing changed.
    """
    session = Session(text, tell)
    session.start()
    return session


def _clock_of(device: Any) -> Clock:
    """Return what times steps on a device. Raises LookupError where nothing does."""
    if device.type == "cpu":
        return HostClock()
    if device.type in _CLOCKED:
        return StreamClock(getattr(torch, device.type))
    raise LookupError(f"no clock for {device.type}: nothing is measured there")


def _write(line: str) -> None:
    """Write to stderr; what a program made of its stdout is the program's.

    Nothing is left in a buffer: python would end with code 120 where that cannot be written.
    """
    stream: Any = sys.__stderr__ if sys.stderr is sys.stdout else sys.stderr
    try:
        place = stream.fileno()
    except (AttributeError, OSError, ValueError):
        stream.write(line)
    else:
        stream.flush()
        os.write(place, line.encode(errors="backslashreplace"))


def _kind(optimizer: Any) -> tuple[Any, ...]:
    """Return what makes a measurement hold for another optimizer: its class and sizes."""
    groups = [one["params"] for one in optimizer.param_groups]
    return type(optimizer), *((len(one), sum(p.numel() for p in one)) for one in groups)
