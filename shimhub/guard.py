"""The guard of replacements at call time: fallback by reason, breaker, verification, totals.

Served calls run nothing of this module (they are not counted: a counter that Python can see would
make tracing compilers trace anew on every call). Totals are kept per thread, so that no lock is
taken, and begin anew in a forked child.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import sys
from _thread import get_ident
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import CellType, TracebackType
from typing import Any

from shimhub._guarded import annotate, make_guarded, told_of, unguarded
from shimhub._tally import Tally
from shimhub.errors import Decline, PatchError, Raised, VerifyError
from shimhub.model import Shim, ShimStats, Status, Verdict

logger = logging.getLogger("shimhub")

#: Unexpected exceptions of one replacement after which it is not called any more.
_LIMIT = 3
#: What iterators end by: no fault, wherever the original cannot be asked.
_SIGNALS = (StopIteration, StopAsyncIteration)
_NOTHING = contextlib.nullcontext()

OnEvent = Callable[[str, str, str], None]


class Guards:
    """The guards of this process, by shim; ``strict`` and ``on_event`` hold for all of them.

    ``on_event(shim, kind, reason)`` is told of the first fallback by each reason, of the breaker
    and of each new mismatch; kinds are "fallback", "breaker" and "mismatch".
    """

    def __init__(self) -> None:
        self.strict = False
        self.on_event: OnEvent = lambda shim, kind, reason: None
        #: Threads within a verified call: what it calls is not verified again, at every depth.
        self.verifying: set[int] = set()
        self._tallies: dict[str, Tally] = {}
        self._guards: dict[str, Guard] = {}
        self._unguarded: dict[str, str] = {}

    def guard(self, shim: Shim, original: Any, made: Any, is_alike: bool = True) -> Any:
        """Return ``made`` under a guard, or ``made`` itself where it cannot be guarded.

        ``is_alike`` tells whether both are called with the same arguments, as methods too.
        Raises PatchError where SHIMHUB_VERIFY is no share.
        """
        told = unguarded(original, made)
        if not (told or is_alike):
            told = "not guarded: only one of original and replacement gets the instance"
        self._unguarded[shim.id] = told
        self._guards.pop(shim.id, None)
        if told:
            return made
        share = verified_share(os.environ)
        guard = Guard(shim, original, made, share, self)
        self._guards[shim.id] = guard
        return make_guarded(guard, share > 0)

    def is_within(self) -> bool:
        """Whether this thread is within a verified call."""
        logger.debug("asked by a call within a verified one")  # for compilers, as in Tally.add
        return get_ident() in self.verifying

    def go_within(self, is_in: bool) -> None:
        """Enter a verified call in this thread, or leave it."""
        logger.debug("verified call: %s", is_in)  # as above
        (self.verifying.add if is_in else self.verifying.discard)(get_ident())

    def tally(self, shim_id: str) -> Tally:
        """Return the totals of a shim, which outlive its guards."""
        return self._tallies.setdefault(shim_id, Tally(shim_id))

    def forget(self) -> None:
        """After a fork: what the parent counted is the parent's."""
        for tally in self._tallies.values():
            tally.forget()
        for guard in self._guards.values():
            guard.begin()

    def stats(self) -> dict[str, ShimStats]:
        """Return the totals of each shim that is or was guarded in this process."""
        return {shim_id: self._stats(shim_id) for shim_id in self._tallies}

    def told(self, verdict: Verdict) -> Verdict:
        """Return the verdict of a shim in place with what its guard has to say."""
        if verdict.status is not Status.APPLIED or verdict.id not in self._unguarded:
            return verdict
        told = self._unguarded[verdict.id] or str(self._stats(verdict.id))
        verdict = replace(verdict, evidence={**verdict.evidence, "guard": told})
        guard = self._guards.get(verdict.id)
        if guard is None or not guard.broken:
            return verdict
        return replace(verdict, reason=f"{verdict.reason}; out of use: {guard.broken}")

    def _stats(self, shim_id: str) -> ShimStats:
        of, guard = self.tally(shim_id).of, self._guards.get(shim_id)
        return ShimStats(
            shim=shim_id,
            fallbacks=of("fallback"),
            errors=of("error"),
            calls=of("call").get("", 0),
            sampled=of("sampled").get("", 0),
            verified=of("verified").get("", 0),
            mismatches=of("mismatch"),
            unverifiable=of("unverifiable"),
            breaker=guard.broken if guard else "",
        )


def verified_share(environ: Mapping[str, str]) -> float:
    """Return the share of calls that SHIMHUB_VERIFY asks to verify, 0 to 1; raises PatchError."""
    told = environ.get("SHIMHUB_VERIFY") or "0"
    with contextlib.suppress(ValueError):
        if 0 <= (share := float(told)) <= 1:
            return share
    raise PatchError(f"SHIMHUB_VERIFY={told}: must be a share of calls from 0 to 1, such as 0.01")


class Guard:
    """What one guarded replacement calls where it does not simply serve."""

    serve: CellType  # the cell of the guarded function that holds what it calls

    def __init__(
        self, shim: Shim, original: Any, replacement: Any, share: float, house: Guards
    ) -> None:
        self.shim = shim
        self.original = original
        self.replacement = replacement
        self.broken = ""
        self._unwinding = False
        self._share = share.as_integer_ratio()  # exact: no call more, however many
        self._house = house
        self._failures = itertools.count(1)
        self._said: dict[str, object] = {}
        self._tally = house.tally(shim.id)
        self.begin()

    def begin(self) -> None:
        """The next call is the first one of this process."""
        self._calls = itertools.count()

    def caught(self, error: Exception, args: Any, kwargs: Any) -> Any:
        """Return the context to call the original in after ``error``; None where it goes on.

        Raises what a replacement says to be the original's own.
        """
        if isinstance(error, Decline):
            self._fell_back(error.reason)
            return contextlib.nullcontext(error.instead) if error.instead else _NOTHING
        if isinstance(error, Raised):
            error.give()
        if isinstance(error, RecursionError) and (self._unwinding or not self.broken):
            return self._out_of_stack(error)
        if self.broken:
            return None  # the original's own: it is what is called by now
        told = self._written(args, kwargs)
        if isinstance(error, _SIGNALS) and (told or self._house.strict):
            return None
        if self._house.strict:
            self._tally.add("error", type(error).__name__)
            return None
        return self._gone_on(error, told) if told else _Judge(self, error)

    def _gone_on(self, error: Exception, why: str) -> None:
        self._failed(error, f"the exception goes to the caller, because {why}")
        annotate(error, f"raised by shim {self.shim.id}, in place of {self.shim.attach}")

    def _out_of_stack(self, error: RecursionError) -> Any:
        """Let the error out of all calls of this function but the outermost, which has a stack.

        Were each of them to call the original, they would be twice as many at every depth.
        """
        guarded: Any = sys._getframe(2)
        outer = guarded.f_back
        while outer is not None and outer.f_code is not guarded.f_code:
            outer = outer.f_back
        self._unwinding = outer is not None
        if outer is not None:
            return None
        self._trip(f"it ran out of stack: {told_of(error)}")
        return _Judge(self, error)

    def fell_back(self, error: Exception) -> None:
        """Count an unexpected exception that the original did not raise."""
        self._fell_back(f"raised {type(error).__name__}")
        self._failed(error, "the original was called instead")

    def sampled(self) -> bool:
        """Count a call; whether it is one of those to verify. The first one is."""
        self._tally.add("call")
        share, whole = self._share
        is_due = next(self._calls) * share % whole < share and not self.broken
        return is_due and not (self._house.verifying and self._house.is_within())

    def skipped(self, reason: str) -> None:
        """Count a sampled call that was not verified."""
        self._tally.add("sampled")
        self._tally.add("unverifiable", reason)

    def verify(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the original, the replacement on copies of the same input, and compare."""
        from shimhub._verifying import verify

        self._house.go_within(True)
        try:
            return verify(self, args, kwargs)
        finally:
            self._house.go_within(False)

    def verified(self) -> None:
        """Count a sampled call whose outcome was the original's."""
        self._tally.add("sampled")
        self._tally.add("verified")

    def mismatched(self, told: str, kind: str) -> None:
        """Report that the replacement did something else; raises VerifyError in strict mode."""
        self._tally.add("sampled")
        self._tally.add("mismatch", kind)
        told = f"{self.shim.attach} differs from its original: {told}"
        logger.error("shim %s: %s; %s", self.shim.id, told, self._cure())
        self._house.on_event(self.shim.id, "mismatch", told)
        self._trip(told)
        if self._house.strict:
            raise VerifyError(f"shim {self.shim.id}: {told}")

    @property
    def strict(self) -> bool:
        """Whether what goes wrong is raised."""
        return self._house.strict

    def _written(self, args: Any, kwargs: Any) -> str:
        """Return why the input may not be what it was; empty where it is."""
        if self.shim.mutates:
            return "the replacement may have written to its input"
        given = (*args, *kwargs.values())
        if any(hasattr(type(one), "__next__") for one in given):
            return "the replacement may have read from an iterator of its input"
        return ""

    def _failed(self, error: Exception, done: str) -> None:
        self._tally.add("error", type(error).__name__)
        if self._is_first("error"):
            told = f"its replacement of {self.shim.attach} raised {told_of(error)}; {done}"
            logger.warning("shim %s: %s; %s", self.shim.id, told, self._cure())
        if next(self._failures) >= _LIMIT:
            self._trip(f"{_LIMIT} unexpected exceptions, the last one {told_of(error)}")

    def _trip(self, reason: str) -> None:
        """From now on the guarded function calls the original."""
        if self._is_first("breaker"):
            self.broken = reason
            self.serve.cell_contents = self.original
            logger.warning("shim %s is out of use: %s", self.shim.id, reason)
            self._house.on_event(self.shim.id, "breaker", reason)

    def _fell_back(self, reason: str) -> None:
        if new := self._tally.add("fallback", reason):
            self._house.on_event(self.shim.id, "fallback", new)

    def _is_first(self, what: str) -> bool:
        token = object()
        return self._said.setdefault(what, token) is token

    def _cure(self) -> str:
        return f"--disable {self.shim.id} leaves it out, --strict raises where it goes wrong"


class _Judge:
    """Calls the original after an exception: what both raise is the caller's, not the shim's."""

    def __init__(self, guard: Guard, error: Exception) -> None:
        self._guard = guard
        self._errors = [error]

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        mine = self._errors.pop()  # not kept: its traceback has the frame that holds this
        if kind is not type(mine):
            self._guard.fell_back(mine)
