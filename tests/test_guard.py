"""The guard at call time: fallback by reason, breaker, verification, strictness, totals."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import multiprocessing
import os
import threading
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shimhub.errors import Decline, PatchError, VerifyError
from shimhub.guard import Guards, verified_share
from shimhub.model import Shim


@pytest.fixture
def guards(monkeypatch):
    """Guards of their own, and their events; SHIMHUB_VERIFY is not set."""
    monkeypatch.delenv("SHIMHUB_VERIFY", raising=False)
    found = Guards()
    found.events = []
    found.on_event = lambda *event: found.events.append(event)
    return found


def guarded(guards, original, made, **keys):
    """Return ``made`` under the guard of a row for ``target:f``."""
    row = {"id": "target/f", "attach": "target:f", "action": "replace", "why": "w"} | keys
    return guards.guard(Shim(**row), original, made)


def stats(guards):
    """Return the totals of the one shim."""
    return guards.stats()["target/f"]


def original(x, n=1, *, scale=2):
    """Stand in for the target's function."""
    return x * scale + n


def served(x, n=1, *, scale=2):
    """Do the same in another way."""
    return n + scale * x


def declining(x, n=1, *, scale=2):
    """Serve integers alone."""
    if not isinstance(x, int):
        raise Decline(f"no {type(x).__name__}")
    return n + scale * x


def failing(x, n=1, *, scale=2):
    """Have a bug."""
    raise LookupError(f"a bug of the replacement for {x, n, scale}")


def wrong(x, n=1, *, scale=2):
    """Return something else."""
    return 0 * x * n * scale


# ---- a fixture target that shows each of them

SHOP = """
def price(items, unit=1.5):
    return [unit * item for item in items]
def total(items):
    return sum(items)
def fill(items, value):
    items[:] = [value] * len(items)
def mean(items):
    return sum(items) / len(items)
class Till:
    def add(self, amount): return ("till", amount)
    @staticmethod
    def round(amount): return round(amount)
    @classmethod
    def make(cls, n): return (cls, n)
    @property
    def open(self): return True
"""
SHIMS = """
import shimhub
def price(original):
    def price(items, unit=1.5):
        if not isinstance(items, list):
            raise shimhub.Decline("no list")
        return [item * unit for item in items]
    return price
def total(original):
    def total(items):
        return original(items) if len(items) < 3 else undefined
    return total
def fill(original):
    def fill(items, value):
        items[0] = value
        raise MemoryError("in the middle")
    return fill
def mean(original):
    def mean(items): return sum(items) // len(items)
    return mean
def add(original):
    def add(self, amount):
        if amount < 0: raise shimhub.Decline("negative")
        return ("till", amount)
    return add
def round_(original):
    def round(amount): raise shimhub.Decline("always")
    return staticmethod(round)
def make(original):
    import kernels
    return kernels.make
def open_(original):
    return property(lambda self: 1)
class _Till: pass
def till(original):
    return _Till
"""
KERNELS = """
import shimhub
def make(cls, n): raise shimhub.Decline("always")
"""
ROW = """
[[shim]]
id = "shop/{0}"
attach = "shop:{1}"
action = "replace"
source = "shims/shop.py:{2}"
why = "Shows the guard."
{3}
"""
POINTS = ("price", "total", "fill", "mean", "Till.add", "Till.round", "Till.make", "Till.open")


@pytest.fixture
def shop(lab):
    """A lab with a target of which every function is replaced, each in another way."""
    lab.module("shop", SHOP)
    lab.module("kernels", KERNELS)
    lab.module("shop", SHIMS, root="shims")
    names = [(point.lower().replace(".", "-"), point, point.rpartition(".")[2]) for point in POINTS]
    attrs = {"round": "round_", "open": "open_"}
    keys = {"fill": "mutates = true"}
    lab.rows(
        "".join(ROW.format(i, p, attrs.get(name, name), keys.get(name, "")) for i, p, name in names)
    )
    return lab


def test_input_that_a_shim_declines_goes_to_the_original(shop):
    """The caller gets the original's answer; the reason is counted, and told as evidence."""
    shop.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import shop
        assert [3.0] == shop.price([2]) and [3.0] == shop.price((2,)) == shop.price((2,))
        assert {"no list": 2} == shimhub.stats()["shop/price"].fallbacks
        verdict = shimhub.status()["shop/price"]
        assert "fallbacks: 2 x no list" == verdict.evidence["guard"], verdict.evidence
        assert "no fallback" == shimhub.explain("shop/mean")["shop/mean"].evidence["guard"]
        assert "out of use" not in verdict.reason
    """)


def test_an_unexpected_exception_goes_to_the_original_and_three_trip_the_breaker(shop):
    """The fault is logged once with what to do; after the third the replacement is not called."""
    done = shop.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import shop
        for round in range(5):
            assert 6 == shop.total([1, 2, 3]), round
        found = shimhub.stats()["shop/total"]
        assert {"NameError": 3} == found.errors and {"raised NameError": 3} == found.fallbacks
        assert "3 unexpected exceptions, the last one NameError" in found.breaker
        verdict = shimhub.status()["shop/total"]
        assert "APPLIED" == verdict.status and "out of use: 3 unexpected" in verdict.reason
    """)
    lines = done.stderr.splitlines()
    assert 2 == len(lines), done.stderr
    assert "shim shop/total: its replacement of shop:total raised NameError: name 'un" in lines[0]
    assert "--disable shop/total" in lines[0]
    assert "shop.py:" in lines[0]
    assert "shim shop/total is out of use" in lines[1]


def test_an_exception_that_the_original_raises_too_is_the_users(shop):
    """The caller sees the original's exception alone, and nothing counts against the shim."""
    done = shop.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import shop
        for round in range(9):
            try:
                shop.price([object()])
            except TypeError as error:
                assert error.__context__ is None and error.__cause__ is None
            else:
                raise AssertionError
        found = shimhub.stats()["shop/price"]
        assert not (found.errors or found.fallbacks or found.breaker), found
    """)
    assert "" == done.stderr


@pytest.fixture
def deep(lab):
    """A target that calls itself by its public name, and a replacement that does so too."""
    lab.module("deep", "def f(n):\n    return n if n == 0 else f(n - 1)\n")
    lab.rows("""
        [[shim]]
        id = "deep/f"
        attach = "deep:f"
        action = "replace"
        why = "w"
    """)
    return lab


@pytest.mark.parametrize("body", ["0 if n == 0 else original(n)", "deep.f(n)"])
def test_a_recursion_without_end_ends_as_it_does_plain(deep, body):
    """Stack that runs out is the caller's error after one try of each, not at each depth."""
    deep.shim("deep/f", f"import deep\ndef build(original, ctx):\n    return lambda n: {body}\n")
    done = deep.run(
        """
        import deep, shimhub
        shimhub.install(registry=REGISTRY)
        try:
            print(deep.f(-1))
        except RecursionError:
            print("no stack")
        print(deep.f(3), shimhub.stats()["deep/f"].breaker[:20])
        """
    )
    assert "no stack\n0 it ran out of stack\n" == done.stdout.replace("stack:", "stack")
    assert 1 == done.stderr.count("is out of use: it ran out of stack")


def test_a_verified_call_does_not_verify_what_it_calls(deep):
    """A recursive function under SHIMHUB_VERIFY=1 runs twice, not twice at every depth."""
    deep.shim(
        "deep/f",
        "def build(original, ctx):\n"
        "    def f(n):\n        return 0 if n == 0 else original(n)\n    return f\n",
    )
    code = """
        import deep, shimhub
        shimhub.install(registry=REGISTRY)
        print(deep.f(40), shimhub.stats()["deep/f"].verified)
    """
    assert "0 1\n" == deep.run(code, SHIMHUB_VERIFY="1").stdout


def test_after_a_write_to_the_input_the_exception_goes_to_the_caller(shop):
    """Where the row says ``mutates`` nothing runs twice; the exception names the shim."""
    shop.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import shop
        items = [1, 2]
        for round in range(3):
            try:
                shop.fill(items, 7)
            except MemoryError as error:
                assert ["raised by shim shop/fill, in place of shop:fill"] == error.__notes__
            else:
                raise AssertionError
        assert [7, 2] == items
        shop.fill(items, 8)
        assert [8, 8] == items and {"MemoryError": 3} == shimhub.stats()["shop/fill"].errors
    """)


def test_a_mismatch_is_reported_and_ends_the_use_of_the_shim(shop):
    """On a verified call the caller gets the original's result; log, verdict and stats say so."""
    done = shop.run(
        """
        import shimhub
        shimhub.install(registry=REGISTRY)
        import shop
        assert 1.5 == shop.mean([1, 2]) == shop.mean([1, 2])
        found = shimhub.stats()["shop/mean"]
        assert (2, 1, 0, {"result": 1}) == (
            found.calls, found.sampled, found.verified, dict(found.mismatches))
        assert "shop:mean differs from its original" in found.breaker
        verdict = shimhub.status()["shop/mean"]
        assert "mismatches: 1 x result" in verdict.evidence["guard"], verdict.evidence
        assert "out of use: shop:mean differs" in verdict.reason
        """,
        SHIMHUB_VERIFY="1",
    )
    assert "result: int 1, the original float 1.5" in done.stderr


def test_methods_are_guarded_in_their_own_kind(shop):
    """Methods, static and class methods fall back bound as the original is.

    Each is the attach point's by name, also where the function is not the shim's own.
    """
    shop.run("""
        import inspect, pickle, shimhub
        shimhub.install(registry=REGISTRY)
        import shop
        till = shop.Till()
        assert ("till", -1) == till.add(-1) == shop.Till.add(till, -1)
        assert 3 == till.round(2.6) == shop.Till.round(2.6)
        assert (shop.Till, 4) == till.make(4) == shop.Till.make(4)
        assert "(amount)" == str(inspect.signature(till.add))
        for point in ("add", "round", "make"):
            kept = inspect.getattr_static(shop.Till, point)
            function = getattr(kept, "__func__", kept)
            assert not hasattr(function, "__wrapped__")
            assert f"shop/till-{point}" == function.__shimhub__.shim
            assert f"Till.{point}" == function.__qualname__ and "shop" == function.__module__
        assert pickle.loads(pickle.dumps(shop.price)) is shop.price
    """)


def test_what_is_no_function_is_not_guarded_and_says_so(shop):
    """Properties and classes stand in place as they were built; the evidence tells."""
    shop.rows(ROW.format("open", "Till.open", "open_", "") + ROW.format("till", "Till", "till", ""))
    shop.run("""
        import shimhub
        shimhub.install(registry=REGISTRY, only="shop/open")
        import shop
        assert 1 == shop.Till().open
        told = "not guarded: the replacement is no function but a "
        assert told + "property" == shimhub.status()["shop/open"].evidence["guard"]
        shimhub.install(registry=REGISTRY, only="shop/till")
        assert shop.Till.__module__ == "shop"
        assert told + "type" == shimhub.status()["shop/till"].evidence["guard"]
        assert {} == shimhub.stats()
    """)


def test_what_is_bound_otherwise_is_not_guarded(lab):
    """A function that gets the instance cannot fall back to a callable that does not."""
    lab.module(
        "target",
        """
        class Callable:
            def __call__(self, x): return ("original", x)
        class K:
            f = Callable()
            def g(self): return "original"
        """,
    )
    lab.module(
        "both",
        """
        import shimhub
        def f(original):
            def f(self, x=None): raise shimhub.Decline("always")
            return staticmethod(f)
        def g(original):
            return f(original).__func__
        """,
        root="shims",
    )
    point = ROW.replace("shop", "both").replace('attach = "both', 'attach = "target')
    lab.rows(point.format("f", "K.f", "g", "") + point.format("g", "K.g", "f", ""))
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        for call in (lambda: target.K().f(1), lambda: target.K.g(1)):
            try:
                call()
            except shimhub.Decline:
                pass
            else:
                raise AssertionError
        told = "not guarded: only one of original and replacement gets the instance"
        for shim in ("both/f", "both/g"):
            assert told == shimhub.status()[shim].evidence["guard"], shimhub.status()[shim]
    """)


def test_strictness_follows_the_last_install(shop):
    """A shim that stays in place is strict or not as the configuration says now."""
    shop.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import shop
        before = shop.total
        assert 6 == shop.total([1, 2, 3])
        shimhub.install(registry=REGISTRY, strict=True)
        assert shop.total is before
        try:
            shop.total([1, 2, 3])
        except NameError as error:
            assert error.__context__ is None
        else:
            raise AssertionError
        assert [3.0] == shop.price((2,))
        assert "" == shimhub.stats()["shop/total"].breaker
    """)


def test_totals_outlive_an_uninstall_and_uninstall_is_exact(shop):
    """The original is back by identity; what was counted can still be read."""
    shop.run("""
        import shop
        original = shop.price
        import shimhub
        with shimhub.shimmed(registry=REGISTRY):
            shop.price((1,))
        assert shop.price is original
        assert {"no list": 1} == shimhub.stats()["shop/price"].fallbacks
        with shimhub.shimmed(registry=REGISTRY):
            shop.price((1,))
        assert {"no list": 2} == shimhub.stats()["shop/price"].fallbacks
    """)


def test_a_share_that_is_none_fails_the_shim_with_the_cure(shop):
    """A mistake in SHIMHUB_VERIFY leaves the original in place and is told."""
    shop.run(
        """
        import shimhub
        shimhub.install(registry=REGISTRY)
        import shop
        verdict = shimhub.status()["shop/price"]
        assert "FAILED" == verdict.status and not hasattr(shop.price, "__shimhub__")
        assert "SHIMHUB_VERIFY=1%: must be a share of calls from 0 to 1" in verdict.reason
        """,
        SHIMHUB_VERIFY="1%",
    )


def test_a_forked_child_counts_anew(shop):
    """Totals and the position in the sample are the child's own; what is out of use stays so."""
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    shop.run(
        """
        import os, shimhub
        shimhub.install(registry=REGISTRY)
        import shop
        shop.price((1,)); shop.mean([1, 2])
        child = os.fork()
        if child == 0:
            empty = shimhub.stats()["shop/price"]
            assert (0, {}) == (empty.calls, empty.fallbacks), empty
            shop.price([1]); shop.price((1,))
            found = shimhub.stats()["shop/price"]
            assert (2, 1, 1) == (found.calls, found.sampled, found.verified), found
            assert 1.5 == shop.mean([1, 2]) and shimhub.stats()["shop/mean"].breaker
            os._exit(0)
        assert 0 == os.waitpid(child, 0)[1]
        assert {"no list": 1} == shimhub.stats()["shop/price"].fallbacks
        """,
        SHIMHUB_VERIFY="0.5",
    )


# ---- fallback


def test_a_served_call_runs_the_replacement_alone(guards):
    """What the replacement returns is what the caller gets, and nothing is counted."""
    asked = []
    f = guarded(guards, asked.append, lambda item: item)
    token = object()
    assert f(token) is token
    assert [] == asked
    assert "no fallback" == str(stats(guards))
    assert [] == guards.events


def test_the_observer_hears_of_each_reason_once(guards):
    """First fallbacks by reason, the breaker and the mismatch are events; repetitions are not."""
    f = guarded(guards, lambda x: x, lambda x: x / 0 if x is None else declining(x))
    for x in ("a", "b", 2.0, "c"):
        assert x == f(x)
    assert [
        ("target/f", "fallback", "no str"),
        ("target/f", "fallback", "no float"),
    ] == guards.events
    for _ in range(4):
        assert f(None) is None
    kinds = [kind for _, kind, _ in guards.events]
    assert ["fallback"] * 3 + ["breaker"] == kinds


def test_reasons_are_kept_up_to_a_number(guards):
    """A shim that puts values into its reasons fills no memory: further ones are one."""
    f = guarded(guards, lambda x: x, lambda x: (_ for _ in ()).throw(Decline(f"value {x}")))
    for x in range(500):
        assert x == f(x)
    found = stats(guards).fallbacks
    assert 51 == len(found)
    assert 450 == found["other reasons"]
    assert 51 == len(guards.events)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_passes(guards, error):
    """Ctrl-C and exits are neither caught nor counted."""

    def stop(x):
        raise error(x)

    with pytest.raises(error):
        guarded(guards, original, stop)(1)
    assert "no fallback" == str(stats(guards))


def test_another_exception_than_the_originals_counts(guards):
    """The caller gets the original's exception; the shim's own is counted against it."""
    f = guarded(guards, int, lambda x: {}[x])
    with pytest.raises(ValueError, match="invalid literal"):
        f("a")
    assert {"KeyError": 1} == stats(guards).errors


def test_an_iterator_among_the_input_may_have_been_read_from(guards):
    """Then the original cannot be called on the rest: the exception goes to the caller."""

    def half(items):
        raise LookupError(next(items))

    f = guarded(guards, list, half)
    for _ in range(3):
        with pytest.raises(LookupError, match="1") as caught:
            f(iter([1, 2]))
        assert ["raised by shim target/f, in place of target:f"] == caught.value.__notes__
    assert {"LookupError": 3} == stats(guards).errors
    assert stats(guards).breaker
    assert [1, 2] == f(iter([1, 2]))


@pytest.mark.parametrize("strict", [False, True])
def test_the_end_of_an_iterator_is_no_fault(guards, strict):
    """A replaced ``__next__`` ends as often as it likes, without a note and in strict mode too."""
    guards.strict = strict

    class Empty:
        def __next__(self):
            raise StopIteration

    f = guarded(guards, Empty.__next__, lambda self: next(iter(())))
    for _ in range(4):
        with pytest.raises(StopIteration) as caught:
            f(Empty())
        assert not hasattr(caught.value, "__notes__")
    assert "no fallback" == str(stats(guards))
    assert not stats(guards).breaker


def test_an_open_breaker_leaves_the_originals_exceptions_alone(guards):
    """What the original raises then is neither counted nor called twice."""
    asked = []

    def raising(x):
        asked.append(x)
        raise ValueError(x)

    f = guarded(guards, raising, lambda x: {}[x])
    for x in range(5):
        with pytest.raises(ValueError, match=str(x)):
            f(x)
    assert [0, 1, 2, 3, 4] == asked
    assert {"KeyError": 3} == stats(guards).errors


def test_strict_raises_what_the_replacement_raises(guards):
    """No fallback hides it, the breaker leaves it, and a declined input still is the original's."""
    guards.strict = True
    f = guarded(guards, original, failing)
    for _ in range(4):
        with pytest.raises(LookupError, match="a bug"):
            f(1)
    assert ({"LookupError": 4}, {}) == (stats(guards).errors, stats(guards).fallbacks)
    assert not stats(guards).breaker
    assert "aab" == guarded(guards, original, declining)("a", "b")


def test_an_exception_that_cannot_be_printed_is_told_all_the_same(guards, caplog):
    """The log is made of what can be had."""

    class BrokenError(Exception):
        def __str__(self):
            raise ValueError

    def broken(x):
        raise BrokenError(x)

    assert 3 == guarded(guards, original, broken)(1)
    assert "BrokenError: <" in caplog.text


def test_no_frame_is_kept_alive_by_a_fallback(guards):
    """After a fallback the input is freed at once, without the garbage collector."""
    import gc
    import weakref

    class Input:
        pass

    def fail(x):
        raise LookupError(len([x]))

    f = guarded(guards, lambda x: None, fail)
    gc.disable()
    try:
        one = Input()
        seen = weakref.ref(one)
        f(one)
        del one
        assert seen() is None
    finally:
        gc.enable()


# ---- signatures and kinds


def shadowing(next, Exception, *, StopIteration=None, _s_guard=0, **kwargs):  # noqa: A002, N803
    """Have parameters by the names that the guard's text uses."""
    return next, Exception, StopIteration, _s_guard, kwargs


def positional(a, /, b, *args, c, d=4, **kwargs):
    """Have parameters of every kind."""
    return a, b, args, c, d, kwargs


@pytest.mark.parametrize("function", [original, shadowing, positional, lambda: None])
@pytest.mark.parametrize("verify", ["0", "1"])
def test_the_exact_signature_is_kept(guards, function, verify, monkeypatch):
    """A guard has the code's parameters, by whatever names, and passes them on to both."""
    monkeypatch.setenv("SHIMHUB_VERIFY", verify)

    twin = type(function)(function.__code__, globals(), "twin", function.__defaults__)
    twin.__kwdefaults__ = function.__kwdefaults__
    f = guarded(guards, function, twin)
    assert inspect.signature(function) == inspect.signature(f)
    assert "__signature__" not in vars(f)
    call = {
        "shadowing": ((1, 2), {"StopIteration": 3, "more": 4}),
        "positional": ((1, 2, 3), {"c": 4, "a": 5}),
        "original": ((1,), {"scale": 3}),
    }.get(function.__name__, ((), {}))
    assert function(*call[0], **call[1]) == f(*call[0], **call[1])
    assert not stats(guards).mismatches
    with pytest.raises(TypeError):
        f(*call[0], 1, 2, 3, wrong=1)


def test_each_side_fills_in_its_own_defaults(guards):
    """Where signatures differ, the original gets what the caller gave, and no more."""
    missing = object()

    def first(x, default=missing):
        return x, default is missing

    def second(x, default=None):
        raise Decline(f"always {x, default}")

    f = guarded(guards, first, second)
    assert (1, True) == f(1)
    assert (1, False) == f(1, None)
    assert inspect.signature(second) == inspect.signature(f)
    assert 3 == guarded(guards, max, lambda *items: declining("no"))(1, 3, 2)


def test_a_guarded_function_keeps_its_attributes_and_shows_its_source(guards):
    """Attributes and annotations come along, ``__wrapped__`` does not; tracebacks have lines."""

    def made(x: int) -> int:
        raise ValueError(x)

    made.mark = 1
    made.__wrapped__ = original
    f = guarded(guards, lambda x: int("x"), made)
    assert (1, {"x": "int", "return": "int"}) == (f.mark, f.__annotations__)
    assert not hasattr(f, "__wrapped__")
    with pytest.raises(ValueError, match="invalid literal") as caught:
        f(1)
    assert "return _s_original(x)" in "".join(traceback.format_exception(caught.value))


async def _twice(x):
    await asyncio.sleep(0)
    return x * 2


def test_coroutines_fall_back(guards):
    """A coroutine function stays one; what is raised while it runs goes to the original."""

    async def made(x):
        await asyncio.sleep(0)
        return declining(x) if x != 13 else failing(x)

    f = guarded(guards, _twice, made)
    assert inspect.iscoroutinefunction(f)
    assert [3, "aa", 26] == [asyncio.run(f(x)) for x in (1, "a", 13)]
    assert {"no str": 1, "raised LookupError": 1} == stats(guards).fallbacks

    async def cancelled():
        task = asyncio.ensure_future(f(1))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())


def _count_to(x):
    got = ["got"]
    for index in range(x):
        got += [(yield index)]
    return got


def drive(generator):
    """Send and throw into a generator; return all that came out."""
    seen = [next(generator)]
    try:
        seen += [generator.send("sent"), next(generator), generator.throw(KeyError("thrown"))]
        while True:
            seen.append(next(generator))
    except (KeyError, StopIteration) as end:
        return seen, type(end), end.args


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_generators_behave_as_without_a_guard(guards, size):
    """Values, sent values, thrown exceptions and the return value pass through."""

    def patient(x):
        sent = None
        for index in range(x):
            try:
                sent = yield index, sent
            except KeyError as error:
                sent = str(error)
        return "end"

    for function in (_count_to, patient):
        twin = type(function)(function.__code__, globals())
        f = guarded(guards, function, twin)
        assert inspect.isgeneratorfunction(f)
        assert drive(function(size)) == drive(f(size))
        assert list(function(size)) == list(f(size))
    assert "no fallback" == str(stats(guards))


def test_generators_fall_back_before_their_first_value_alone(guards):
    """What was handed out is not handed out again."""

    def made(x):
        if x == 2:
            raise Decline("two")
        yield 0
        raise LookupError("late")

    f = guarded(guards, _count_to, made)
    assert [0, 1] == list(f(2))
    late = f(3)
    assert 0 == next(late)
    with pytest.raises(LookupError, match="late"):
        next(late)
    closed = []

    def closing():
        try:
            yield 1
        finally:
            closed.append(True)

    inner = guarded(
        guards, closing, closing.__class__(closing.__code__, {}, "c", None, closing.__closure__)
    )()
    next(inner)
    inner.close()
    assert [True] == closed
    assert [] == list(guarded(guards, _count_to, lambda x: iter(()))(0))


async def _echo(x):
    for index in range(x):
        got = yield index
        if got:
            yield got


async def _echo_but_three(x):
    if x == 3:
        raise Decline("three")
    for index in range(x):
        got = yield index
        if got:
            yield got


def test_async_generators_fall_back_before_their_first_value(guards):
    """Values come from the replacement, or from the original where it declines."""
    f = guarded(guards, _echo, _echo_but_three)
    assert inspect.isasyncgenfunction(f)

    async def values(x):
        found = f(x)
        seen = [await found.asend(None), await found.asend("sent")]
        return seen + [item async for item in found]

    assert [0, "sent", 1] == asyncio.run(values(2))
    assert [0, "sent", 1, 2] == asyncio.run(values(3))
    assert {"three": 1} == stats(guards).fallbacks


def test_async_generators_are_thrown_into_closed_and_empty(guards):
    """What is thrown in reaches the replacement, and ends it as without a guard."""
    f = guarded(guards, _echo, _echo_but_three)

    async def thrown():
        found = f(2)
        await found.asend(None)
        with pytest.raises(KeyError):
            await found.athrow(KeyError("thrown"))
        return [item async for item in f(0)]

    assert [] == asyncio.run(thrown())


def test_async_generators_are_closed_with_the_guard(guards):
    """What the replacement does at its end is done when ``aclose`` returns."""
    closed = []

    async def first():
        try:
            yield 1
        finally:
            closed.append(True)

    twin = type(first)(first.__code__, {}, "twin", None, first.__closure__)

    async def close():
        found = guarded(guards, first, twin)()
        await found.asend(None)
        await found.aclose()
        return list(closed)

    assert [True] == asyncio.run(close())


def test_kinds_that_differ_are_not_guarded(guards):
    """Nothing can fall back from a coroutine to a function."""
    assert guarded(guards, original, _twice) is _twice
    told = guards._unguarded["target/f"]
    assert "not guarded: the original is a function, the replacement a coroutine" == told
    assert guarded(guards, 3, original) is original
    assert {} == guards.stats()


# ---- verification


def test_the_sample_is_a_share_and_has_the_first_call(guards, monkeypatch):
    """Of n calls the first and then one in 1/share are verified, the same ones each time."""
    monkeypatch.setenv("SHIMHUB_VERIFY", "0.01")
    f = guarded(guards, original, served)
    counts = []
    for x in range(1000):
        assert original(x) == f(x)
        counts.append(stats(guards).verified)
    assert (1, 1, 2, 10) == (counts[0], counts[99], counts[101], counts[-1])
    assert (1000, 10) == (stats(guards).calls, stats(guards).sampled)
    assert "1000 calls, 10 sampled, 10 verified" == str(stats(guards))


def test_without_a_share_nothing_is_verified_or_counted(guards):
    """Served calls run no code of the guard: there is no count of them."""
    f = guarded(guards, original, wrong)
    assert 0 == f(1)
    assert (0, 0) == (stats(guards).calls, stats(guards).sampled)


@pytest.mark.parametrize("told", ["", "0", "1", "0.01", "1e-3"])
def test_a_share_is_between_nothing_and_all(told):
    """SHIMHUB_VERIFY is a number from 0 to 1."""
    assert float(told or 0) == verified_share({"SHIMHUB_VERIFY": told})


@pytest.mark.parametrize("told", ["2", "-0.1", "nan", "yes", "1%"])
def test_what_is_no_share_is_refused(told):
    """Anything else is an error that says what to write."""
    with pytest.raises(PatchError, match=r"from 0 to 1, such as 0\.01"):
        verified_share({"SHIMHUB_VERIFY": told})


@pytest.fixture
def verifying(guards, monkeypatch):
    """Guards that verify every call."""
    monkeypatch.setenv("SHIMHUB_VERIFY", "1")
    return guards


def test_a_mismatch_in_strict_mode_is_raised(verifying):
    """The error names the shim, the place and both values."""
    verifying.strict = True
    told = r"shim target/f: target:f differs from its original: result: 0, the original 3"
    with pytest.raises(VerifyError, match=told):
        guarded(verifying, original, wrong)(1)
    assert ["breaker", "mismatch"] == sorted(kind for _, kind, _ in verifying.events)


def test_the_original_runs_on_the_very_input(verifying):
    """The caller's objects are what the original worked on; the replacement had copies."""
    seen = []

    def in_place(items):
        items.append(1)
        return items

    def twin(items):
        seen.append(items)
        items.append(1)
        return items

    f = guarded(verifying, in_place, twin, mutates=True)
    items = []
    assert f(items) is items
    assert [1] == items == seen[0]
    assert seen[0] is not items
    assert 1 == stats(verifying).verified


def test_an_input_left_otherwise_is_a_mismatch(verifying, caplog):
    """A replacement that leaves another input behind is found, whatever it returns."""
    f = guarded(verifying, lambda items: None, lambda items: items.append(1), mutates=True)
    f([0])
    assert "input afterwards[0][0]: 2 items, the original 1" in stats(verifying).breaker
    assert logging.ERROR == max(one.levelno for one in caplog.records)


def test_an_undeclared_write_is_a_mismatch(verifying):
    """Who writes to the input as the original does must say so: a fallback would run on it."""
    f = guarded(verifying, lambda items: items.clear(), lambda items: items.clear())
    f([1])
    assert "input, which it may not write to," in stats(verifying).breaker


def test_exceptions_are_compared_by_type(verifying):
    """Both raise the same: verified. The original alone raises: a mismatch, and it is raised."""
    f = guarded(verifying, int, lambda x: 0 if x == "b" else int(x))
    with pytest.raises(ValueError, match="invalid literal"):
        f("a")
    assert 1 == stats(verifying).verified
    with pytest.raises(ValueError, match="invalid literal"):
        f("b")
    assert "outcome: returned 0, the original raised ValueError" in stats(verifying).breaker


def test_a_fault_on_a_verified_call_counts_as_on_any_other(verifying):
    """Declined input and unexpected exceptions are fallbacks, and verified is nothing."""
    f = guarded(verifying, original, declining)
    assert "aab" == f("a", "b")
    assert ({"no str": 1}, 0) == (stats(verifying).fallbacks, stats(verifying).verified)
    f = guarded(verifying, original, failing)
    for _ in range(4):
        assert 3 == f(1)
    assert 3 == stats(verifying).errors["LookupError"]
    assert "3 unexpected exceptions" in stats(verifying).breaker
    verifying.strict = True
    with pytest.raises(LookupError):
        guarded(verifying, original, failing)(1)


def test_what_cannot_be_verified_is_counted_by_reason(verifying):
    """Uncopyable input, opaque results and lossy rows are neither a pass nor a mismatch."""
    lock = threading.Lock()
    assert guarded(verifying, lambda x: x, lambda x: x)(lock) is lock
    guarded(verifying, iter, lambda x: iter([*x]))([1])
    lossy = guarded(verifying, lambda x: x, lambda x: x + 1e-9, fidelity="lossy")
    assert 1 + 1e-9 == lossy(1.0)
    reasons = {
        "the input cannot be copied: TypeError": 1,
        "a list_iterator cannot be compared": 1,
        "lossy, and no tolerance in the row": 1,
    }
    assert reasons == stats(verifying).unverifiable
    assert (3, 0) == (stats(verifying).sampled, stats(verifying).verified)


def test_input_that_cannot_be_copied_is_served_as_ever(verifying):
    """Then the call is guarded like any other: declined, fallen back, raised."""
    lock = threading.Lock()
    f = guarded(verifying, lambda x: "original", lambda x: declining(x, 2))
    assert "original" == f(lock)
    f = guarded(verifying, lambda x: "original", lambda x: {}[x])
    assert "original" == f(lock)
    verifying.strict = True
    with pytest.raises(KeyError):
        f(lock)


def test_a_tolerance_in_the_row_verifies_lossy_results(verifying):
    """Within it a result passes, beyond it is a mismatch; the caller gets the original's."""
    keys = {"fidelity": "lossy", "tolerance": 1e-6}
    f = guarded(verifying, lambda x: x, lambda x: x + 1e-9, **keys)
    assert 1.0 == f(1.0)
    assert 1 == stats(verifying).verified
    assert 1.0 == guarded(verifying, lambda x: x, lambda x: x + 1e-3, **keys)(1.0)
    assert {"result": 1} == stats(verifying).mismatches


def test_generators_and_coroutines_are_served_unverified(verifying):
    """They are counted as what was not verified."""
    assert [0, 1] == list(guarded(verifying, _count_to, type(_count_to)(_count_to.__code__, {}))(2))
    assert {"a call of a generator": 1} == stats(verifying).unverifiable


# ---- threads, and what holds for any input


@pytest.mark.parametrize("share", ["0", "0.1"])
def test_totals_of_eight_threads_are_exact(guards, share, monkeypatch):
    """Each thread counts for itself; merged, no call of 8 x 10,000 is missing."""
    monkeypatch.setenv("SHIMHUB_VERIFY", share)
    f = guarded(guards, lambda x: x, lambda x: x if x % 2 else declining(str(x)))
    start = threading.Barrier(8)

    def work():
        start.wait()
        for x in range(10_000):
            assert x == f(x)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    found = stats(guards)
    assert {"no str": 40_000} == found.fallbacks
    if share != "0":
        assert (80_000, 8_000) == (found.calls, found.sampled)
        assert 8_000 == found.verified + sum(found.unverifiable.values())
    assert not found.breaker


def capricious(x, n=1, *, scale=2):
    """Declines, fails or serves, as the input has it."""
    if isinstance(x, str) and x:
        raise Decline("text")
    if isinstance(x, list) and len(x) > 1:
        raise AttributeError("a bug")
    return original(x, n, scale=scale)


def outcome(function, *args):
    """Return what a call returns or raises, and its input afterwards."""
    args = copy.deepcopy(args)
    try:
        return function(*args), None, args
    except Exception as error:  # noqa: BLE001  # whatever is raised is compared
        return None, (type(error), str(error)), args


INPUT = st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.binary()


@given(st.lists(st.tuples(INPUT, INPUT)), st.sampled_from(["0", "0.3", "1"]))
def test_a_guarded_replacement_does_what_the_original_does(calls, share):
    """Random calls, raising ones included, end as the original's, through breaker and sample."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHIMHUB_VERIFY", share)
        guards = Guards()
        f = guarded(guards, original, capricious)
    logging.disable(logging.ERROR)
    try:
        for args in calls:
            assert outcome(original, *args) == outcome(f, *args)
    finally:
        logging.disable(logging.NOTSET)
    assert not stats(guards).mismatches


def _child(f, queue):
    f("x")
    queue.put(f("x"))


def test_a_process_of_multiprocessing_forks_with_the_guard(guards):
    """A guard works in a forked worker: no lock of the parent's is in its way."""
    context = multiprocessing.get_context("fork")
    f = guarded(guards, original, declining)
    queue = context.SimpleQueue()
    worker = context.Process(target=_child, args=(lambda x: f(x, "!"), queue))
    worker.start()
    assert "xx!" == queue.get()
    worker.join()
    assert {} == stats(guards).fallbacks


# ---- rows


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('action = "wrap"\nmutates = true', "action 'wrap' does not read it"),
        ('action = "replace"\nmutates = "yes"', "must be true or false"),
        ('action = "replace"\ntolerance = 1e-6', "belongs to `fidelity"),
        ('action = "wrap"\nfidelity = "lossy"\ntolerance = 1e-6', "action 'wrap' does not read it"),
        ('action = "replace"\nfidelity = "lossy"\ntolerance = 0', "must be a number between 0"),
    ],
)
def test_the_keys_of_the_guard_are_checked(shop, keys, told):
    """``mutates`` and ``tolerance`` belong to ``replace``, with values that mean something."""
    row = 'id = "shop/price"\nattach = "shop:price"\nwhy = "w"\nsource = "shims/shop.py:price"\n'
    shop.rows(f"\n[[shim]]\n{row}{keys}\n")
    done = shop.cli("check", "--registry", "registry.toml", check=False)
    assert told in done.stdout + done.stderr


# ---- torch.compile

COMPILED = """
import torch, shimhub, target
from torch._dynamo.utils import counters
shimhub.install(registry=REGISTRY)
x = torch.arange(4.0)
def user(x, n=1):
    return target.f(x, n) * 2
def compiled(*args, **keys):
    torch._dynamo.reset()
    counters.clear()
    fast = torch.compile(user, backend="eager", **keys)
    for round in range(4):
        assert torch.equal(fast(*args), (args[0] + args[1]) * 2)
    return counters["stats"]["unique_graphs"]
"""
COMPILED_SHIM = """
import shimhub
def build(original, ctx):
    def f(x, n):
        if n == 2: raise shimhub.Decline("two")
        return x + n
    return f
"""


@pytest.fixture
def traced(lab):
    """A lab whose target's function is replaced, to be compiled."""
    pytest.importorskip("torch", reason="needs torch.compile")
    lab.module("target", "def f(x, n): return x + n\n")
    lab.rows(
        ROW.format("f", "f", "", "")
        .replace("shop", "target")
        .replace('source = "shims/target.py:"', "")
    )
    lab.shim("target/f", COMPILED_SHIM)
    return lab


def test_a_served_call_is_compiled_whole_and_once(traced):
    """Under torch.compile a guard breaks no graph, and no count makes it compile again."""
    traced.run(COMPILED + "assert 1 == compiled(x, 1, fullgraph=True)\n", "-W", "error")


def test_a_declined_call_under_torch_compile_is_the_originals(traced):
    """The slow path leaves the compiler in silence, and counts."""
    code = """
compiled(x, 2)
assert 4 <= shimhub.stats()["target/f"].fallbacks["two"]
"""
    traced.run(COMPILED + code, "-W", "error")


def test_verification_works_under_torch_compile(traced):
    """Then calls leave the graph, and are compared."""
    code = "compiled(x, 1)\nassert 4 <= shimhub.stats()['target/f'].verified\n"
    traced.run(COMPILED + code, "-W", "error", SHIMHUB_VERIFY="1")


def test_what_draws_random_numbers_is_not_compared(guards, monkeypatch):
    """The second run draws others: that is no difference, and it is counted."""
    import random

    monkeypatch.setenv("SHIMHUB_VERIFY", "1")
    draw = guarded(guards, lambda: random.random() / 2, lambda: random.random() / 2, draws=True)
    assert 0 <= draw() <= 1
    told = stats(guards)
    assert (1, 1, {}, "") == (told.calls, told.sampled, told.mismatches, told.breaker)
    assert ["it draws random numbers, and the second run draws others"] == list(told.unverifiable)
