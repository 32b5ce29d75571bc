"""Verify one call: run the original, then the replacement on copies of its input, and compare.

The caller gets what the original does, on the very objects that were given. What a call reads or
writes elsewhere (a random generator, a file) is read and written twice.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shimhub._compare import Finding, first_finding, shown
from shimhub.errors import Decline, Raised

if TYPE_CHECKING:
    from shimhub.guard import Guard

_Call = tuple[tuple[Any, ...], dict[str, Any]]


class _Outcome:
    """What a call returned or raised."""

    def __init__(self, function: Callable[..., Any], call: _Call) -> None:
        self.error: Exception | None = None
        self.value: Any = None
        self.is_own = False
        try:
            self.value = function(*call[0], **call[1])
        except Raised as said:
            self.error, self.is_own = said.error, True
            if self.error.__traceback__ is None:  # made by the replacement, and never raised
                self.error.__traceback__ = said.__traceback__
        except Exception as error:  # noqa: BLE001  # whatever it raises is what is compared
            self.error = error

    def get(self) -> Any:
        """Return the value, or raise; nothing is held on to that holds this."""
        error, self.error = self.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error
        return self.value


def verify(guard: Guard, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return or raise what the original does; report where the replacement does something else.

    In strict mode raises VerifyError on a mismatch, and what the replacement alone raises.
    """
    call = (args, kwargs)
    copies = _why_not(guard) or _copies(call)
    if isinstance(copies, str):
        guard.skipped(copies)
        return _unverified(guard, call)
    before, given = copies
    original = _Outcome(guard.original, call)
    mine = _Outcome(guard.replacement, given)
    if isinstance(mine.error, Decline):
        guard.skipped("declined")
        guard.caught(mine.error, (), {})
    elif mine.error is not None and type(mine.error) is not type(original.error):
        _raised(guard, mine)
    else:
        _report(guard, _compare(guard, original, mine, (call, given, before)))
    return original.get()


def _why_not(guard: Guard) -> str:
    """Return why no call of this row is compared; empty where they are."""
    if guard.shim.draws:
        return "it draws random numbers, and the second run draws others"
    is_lossy = guard.shim.fidelity == "lossy" and not guard.shim.tolerance
    return "lossy, and no tolerance in the row" if is_lossy else ""


def _copies(call: _Call) -> tuple[_Call, _Call] | str:
    """Return two copies of the input, or why there are none."""
    try:
        return copy.deepcopy(call), copy.deepcopy(call)
    except Exception as error:  # noqa: BLE001  # copying runs code of the objects
        return f"the input cannot be copied: {type(error).__name__}"


def _unverified(guard: Guard, call: _Call) -> Any:
    mine = _Outcome(guard.replacement, call)
    if mine.error is None or mine.is_own:
        return mine.get()
    judge = guard.caught(mine.error, *call)
    if judge is None:
        return mine.get()
    with judge as instead:
        return guard.original(*call[0], **call[1]) if instead is None else instead()


def _raised(guard: Guard, mine: _Outcome) -> None:
    """Count what the replacement alone raised, as on a call that is not verified."""
    guard.skipped(f"raised {type(mine.error).__name__}")
    if guard.strict:
        mine.get()
    assert mine.error is not None
    guard.fell_back(mine.error)


def _compare(
    guard: Guard, original: _Outcome, mine: _Outcome, calls: tuple[_Call, _Call, _Call]
) -> Finding | None:
    """Compare what came out, then what became of the input."""
    call, given, before = calls
    if mine.error is None and original.error is not None:
        raised = type(original.error).__name__
        return Finding(
            True, "outcome", f"returned {shown(mine.value)}, the original raised {raised}"
        )
    tolerance = guard.shim.tolerance
    findings = [
        first_finding("result", mine.value, original.value, tolerance),
        first_finding("input afterwards", given, call, tolerance),
    ]
    if not guard.shim.mutates:
        findings.append(first_finding("input, which it may not write to,", given, before, 0.0))
    found = [one for one in findings if one is not None]
    return next((one for one in found if one.differs), found[0] if found else None)


def _report(guard: Guard, found: Finding | None) -> None:
    if found is None:
        guard.verified()
    elif found.differs:
        guard.mismatched(f"{found.place}: {found.told}", found.place)
    else:
        guard.skipped(found.told)
