"""What a replacement may say of the original: that an exception is its own, what to call of it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import traceback
import weakref

import pytest

from shimhub.errors import Decline, Raised
from shimhub.guard import Guards
from shimhub.model import Shim


@pytest.fixture(params=["0", "1"])
def guards(request, monkeypatch):
    """Guards of their own, that verify no call or every one."""
    monkeypatch.setenv("SHIMHUB_VERIFY", request.param)
    return Guards()


def guarded(guards, original, made, **keys):
    """Return ``made`` under the guard of a row for ``target:f``."""
    row = {"id": "target/f", "attach": "target:f", "action": "replace", "why": "w"} | keys
    return guards.guard(Shim(**row), original, made)


class Original:
    """An original that raises, and counts its calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, x):
        self.calls.append(x)
        try:
            {}[x]
        except KeyError as error:
            raise ValueError(f"no {x}") from error


@pytest.mark.parametrize("keys", [{}, {"mutates": True}])
@pytest.mark.parametrize("strict", [False, True])
def test_an_exception_of_the_originals_own_is_the_callers(guards, keys, strict):
    """It comes as it was, without a note, and counts for nothing."""
    guards.strict, asked = strict, Original()
    f = guarded(guards, asked, lambda x: Raised.by(asked, x), **keys)
    for _ in range(4):
        with pytest.raises(ValueError, match="no 1") as caught:
            f(1)
        error = caught.value
        assert isinstance(error.__cause__, KeyError)
        assert error.__context__ is error.__cause__
        assert not hasattr(error, "__notes__")
        assert "errors.Raised" not in "".join(traceback.format_exception(error))
    stats = guards.stats()["target/f"]
    assert ({}, {}, {}, "") == (stats.fallbacks, stats.errors, stats.mismatches, stats.breaker)
    assert 4 == stats.verified + (not stats.calls) * 4


def test_the_original_is_not_called_again(guards):
    """Once on a call, and once more where that call is verified."""
    asked = Original()
    with pytest.raises(ValueError, match="no 1"):
        guarded(guards, asked, lambda x: Raised.by(asked, x))(1)
    assert [1] * (1 + guards.stats()["target/f"].calls) == asked.calls


def test_input_that_cannot_be_copied_raises_once(guards):
    """There is nothing to compare with: the replacement's call is the only one."""
    asked, given = Original(), (_ for _ in ())
    with pytest.raises(ValueError, match="no <gen"):
        guarded(guards, asked, lambda x: Raised.by(asked, x))(given)
    assert [given] == asked.calls


def test_an_exception_that_the_original_does_not_raise_is_a_fault(monkeypatch):
    """Verification finds what is said of the original and is not so."""
    monkeypatch.setenv("SHIMHUB_VERIFY", "1")
    guards = Guards()

    def wrong(x):
        raise Raised(KeyError(x))

    assert "1" == guarded(guards, str, wrong)(1)
    assert {"KeyError": 1} == guards.stats()["target/f"].errors


async def _awaited(x):
    return x


def _yielded(x):
    yield x


async def _ayielded(x):
    yield x


@pytest.mark.parametrize("kind", ["coroutine", "generator", "async generator"])
def test_all_kinds_of_functions_say_so(guards, kind):
    """The exception is raised where the function runs."""

    async def awaited(x):
        raise Raised(LookupError(x))

    def yielded(x):
        raise Raised(LookupError(x))
        yield

    async def ayielded(x):
        raise Raised(LookupError(x))
        yield

    async def first(items):
        return [one async for one in items]

    calls = {
        "coroutine": lambda: asyncio.run(guarded(guards, _awaited, awaited)(7)),
        "generator": lambda: list(guarded(guards, _yielded, yielded)(7)),
        "async generator": lambda: asyncio.run(first(guarded(guards, _ayielded, ayielded)(7))),
    }
    with pytest.raises(LookupError, match="7"):
        calls[kind]()
    assert {} == guards.stats()["target/f"].errors


def test_no_frame_holds_the_exception(monkeypatch):
    """The input is freed when the exception is, without the garbage collector."""
    monkeypatch.delenv("SHIMHUB_VERIFY", raising=False)
    guards = Guards()

    class Input:
        pass

    def fail(x):
        raise LookupError(len([x]))

    f = guarded(guards, fail, lambda x: Raised.by(fail, x))
    gc.disable()
    try:
        one = Input()
        seen = weakref.ref(one)
        with contextlib.suppress(LookupError):
            f(one)
        del one
        assert seen() is None
    finally:
        gc.enable()


def test_what_is_known_by_now_is_told_with_the_decline(guards):
    """The call is counted as declined, and the original is called on what is given instead."""
    asked = []

    def original(x):
        asked.append(x)
        return [x]

    def declining(x):
        known = x + 1
        raise Decline("known", lambda: original(known))

    f = guarded(guards, original, declining)
    found = f(1)
    stats = guards.stats()["target/f"]
    assert {"known": 1} == stats.fallbacks
    assert ([1], [1]) == (found, asked) if stats.calls else ([2], [2]) == (found, asked)


def test_what_is_called_instead_raises_to_the_caller(guards):
    """Where the input cannot be copied, too."""

    def original(x):
        raise LookupError(x)

    def declining(x):
        raise Decline("known", lambda: original(x))

    f = guarded(guards, original, declining)
    for given in (1, (_ for _ in ())):
        with pytest.raises(LookupError):
            f(given)
    assert {} == guards.stats()["target/f"].errors


def test_coroutines_and_generators_call_it_too(monkeypatch):
    """What is given instead returns what the original would: an awaitable, a generator."""
    monkeypatch.delenv("SHIMHUB_VERIFY", raising=False)
    guards = Guards()

    async def awaited(x):
        raise Decline("known", lambda: _awaited(x + 1))

    def yielded(x):
        raise Decline("known", lambda: _yielded(x + 1))
        yield

    assert 2 == asyncio.run(guarded(guards, _awaited, awaited)(1))
    assert [2] == list(guarded(guards, _yielded, yielded)(1))
