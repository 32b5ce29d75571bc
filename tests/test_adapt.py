from __future__ import annotations

import asyncio
import functools
import inspect
import types
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.adapt import accepts_keyword, accepts_natively, make_adapter
from shimhub.errors import AdaptError, PatchError
from shimhub.model import Shim


def rules(**keys):
    """Return an adapt row."""
    return Shim(id="target/f", attach="target:f", action="adapt", why="Because.", **keys)


def adapt(original, **keys):
    """Return the original adapted by these rules."""
    return make_adapter(rules(**keys), original)


# ---- drop


def test_the_neutral_value_is_dropped():
    """A dropped keyword may be given with its neutral value, or not at all."""

    def f(a, b=2):
        return a, b

    adapted = adapt(f, drop={"pin": False})
    assert (1, 2) == adapted(1) == adapted(1, pin=False) == adapted(a=1, pin=False)


@pytest.mark.parametrize("value", [True, None, 0, 0.0, "", "False"])
def test_any_other_value_raises(value):
    """A value that the original cannot honour is an AdaptError, also where it compares equal."""
    adapted = adapt(lambda a: a, drop={"pin": False})
    with pytest.raises(AdaptError) as caught:
        adapted(1, pin=value)
    for part in ("target:f", f"pin={value!r}", "pin=False", "Because."):
        assert part in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_the_list_form_means_none():
    """`drop = ["a", "b"]` drops keywords whose neutral value is None."""
    adapted = adapt(lambda x: x, drop=("a", "b"))
    assert 1 == adapted(1, a=None, b=None)
    with pytest.raises(AdaptError, match="b=0"):
        adapted(1, b=0)


def test_equal_neutral_values_of_the_same_type_are_neutral():
    """Neutral strings, numbers and lists are told by type and value, not by identity."""
    adapted = adapt(lambda: 1, drop={"mode": "auto", "sizes": [1, 2], "rate": 0.5})
    assert 1 == adapted(mode="AUTO".lower(), sizes=[1, 2], rate=1 / 2)


@pytest.mark.parametrize("how", ["exact", "generic"])
def test_lossy_warns_once_where_the_user_called(how):
    """With lossy = "warn" another value is dropped, with one warning at the caller's line."""
    original = (lambda a=0: a) if how == "exact" else max
    call = (1,) if how == "exact" else (1, 0)
    adapted = adapt(original, drop={"pin": False}, lossy="warn")
    with pytest.warns(UserWarning, match="does not support pin=True") as seen:
        assert 1 == adapted(*call, pin=True)
    assert [__file__] == [one.filename for one in seen]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 1 == adapted(*call, pin=True)


def test_a_keyword_that_the_original_has_is_left_to_it():
    """Where one of two dropped keywords is native by now, all its values go to the original."""

    def f(x, a=1):
        return x, a

    adapted = adapt(f, drop=("a", "b"))
    assert (1, 1) == adapted(1)
    assert (1, 5) == adapted(1, a=5) == adapted(1, 5) == adapted(1, 5, b=None)


def test_a_dropped_keyword_does_not_reach_open_keywords():
    """A keyword that `**kwargs` would swallow is dropped before."""

    def f(**kwargs):
        return kwargs

    assert {"other": 1} == adapt(f, drop=("pin",))(other=1, pin=None)


# ---- rename


def test_the_old_name_means_the_new_one():
    """A renamed keyword reaches the original under its new name."""

    def f(a, new=2):
        return a, new

    adapted = adapt(f, rename={"old": "new"})
    assert (1, 2) == adapted(1)
    assert (1, 3) == adapted(1, old=3) == adapted(1, new=3) == adapted(1, 3)
    assert (1, None) == adapted(1, old=None)


def test_both_names_at_once_are_an_error():
    """Old and new together have no meaning."""
    adapted = adapt(lambda new=2: new, rename={"old": "new"})
    with pytest.raises(AdaptError, match="got both 'old' and 'new'"):
        adapted(new=3, old=3)


@pytest.mark.parametrize("given", [(3,), ()])
def test_a_renamed_parameter_may_be_required(given):
    """A parameter without a default may be given by either name, and must be given."""

    def f(a, new):
        return a, new

    adapted = adapt(f, rename={"old": "new"})
    assert (1, 3) == adapted(1, 3) == adapted(1, new=3) == adapted(1, old=3) == adapted(a=1, old=3)
    with pytest.raises(TypeError):
        adapted(1, *given, **({"old": 3} if given else {}))


def test_a_renamed_keyword_may_go_to_open_keywords():
    """Where `**kwargs` takes the new name, the old one is handed on under it."""

    def f(a, **rest):
        return a, rest

    adapted = adapt(f, rename={"old": "new"})
    assert (1, {"new": 3}) == adapted(1, old=3) == adapted(1, new=3)
    with pytest.raises(AdaptError):
        adapted(1, old=3, new=3)


def test_an_old_name_that_the_original_has_is_left_to_it():
    """Where the original still takes the old name itself, it gets it."""

    def f(old=1, new=2):
        return old, new

    adapted = adapt(f, rename={"old": "new", "older": "new"})
    assert (1, 2) == adapted()
    assert (5, 2) == adapted(old=5)
    assert (1, 7) == adapted(older=7)


# ---- default


def test_a_default_is_what_is_passed_where_nothing_is_given():
    """`default` changes what an argument is where it is not given."""

    def f(a=1, *, b=2):
        return a, b

    adapted = adapt(f, default={"a": 10, "b": 20})
    assert (10, 20) == adapted()
    assert (3, 4) == adapted(3, b=4)


def test_a_default_may_go_to_open_keywords():
    """Where `**kwargs` takes the name, the default is handed on."""

    def f(**kwargs):
        return kwargs

    adapted = adapt(f, default={"size": 1})
    assert {"size": 1} == adapted()
    assert {"size": 2, "x": 3} == adapted(size=2, x=3)


def test_all_rules_at_once():
    """Drop, rename and default work together on one callable."""

    def f(a, new=2, size=3, **rest):
        return a, new, size, rest

    adapted = adapt(f, drop={"pin": False}, rename={"old": "new"}, default={"size": 30})
    assert (1, 5, 30, {"z": 6}) == adapted(1, old=5, pin=False, z=6)


# ---- what it looks like


def test_the_signature_tells_the_truth():
    """inspect.signature has the original's parameters, and the adapted keywords at their place."""

    def f(a, /, b: int, *args, c=3, **rest) -> str:
        """Doc."""

    shown = inspect.signature(adapt(f, drop={"pin": False}, default={"c": 4}))
    kinds = {name: one.kind.name for name, one in shown.parameters.items()}
    assert ["a", "b", "args", "c", "pin", "rest"] == list(shown.parameters)
    assert "KEYWORD_ONLY" == kinds["pin"]
    assert (4, False) == (shown.parameters["c"].default, shown.parameters["pin"].default)
    assert ("int", "str") == (shown.parameters["b"].annotation, shown.return_annotation)


@pytest.mark.parametrize("required", [True, False])
def test_a_signature_that_the_original_tells_by_itself_is_adapted_too(required):
    """An original with `__signature__` does not hide the adapted keyword."""

    def plain(a, new):
        return a, new

    def plain_default(a, new=1):
        return a, new

    inner = plain if required else plain_default

    def f(*args, **kwargs):
        return inner(*args, **kwargs)

    f.__signature__ = inspect.signature(inner)
    adapted = adapt(f, drop=("pin",), rename={"old": "new"})
    assert {"pin", "old"} < set(inspect.signature(adapted).parameters)
    assert (1, 2) == adapted(1, old=2, pin=None)


def test_names_and_attributes_are_the_originals():
    """Name, module, doc, annotations and attributes are copied; no __wrapped__ is left."""

    @functools.wraps(len)
    def f(a: int, b: str = "") -> int:
        """Doc of f."""

    f.__name__, f.__qualname__, f.__module__, f.mark = "f", "C.f", "target", object()
    adapted = adapt(f, drop=("pin",))
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "mark", "__annotations__"):
        assert getattr(f, name) == getattr(adapted, name)
    assert not hasattr(adapted, "__wrapped__")
    assert f.__annotations__ is not adapted.__annotations__


def test_errors_of_a_call_name_the_original():
    """A wrong call is told under the original's name."""

    def f(a):
        return a

    adapted = adapt(f, drop=("pin",))
    with pytest.raises(TypeError, match=r"f\(\) missing 1 required positional argument: 'a'"):
        adapted()
    with pytest.raises(TypeError, match=r"f\(\) got an unexpected keyword argument 'pim'"):
        adapted(1, pim=1)


def test_the_adapter_has_source_in_tracebacks():
    """The generated function shows its lines, like any function."""
    adapted = adapt(lambda a: a, drop=("pin",))
    assert "adapter(a, *, pin=" in inspect.getsource(adapted.__code__)


def test_a_parameter_may_have_any_name():
    """Parameters named as the generated code's own names are parameters all the same."""

    def f(_original, _rules, _absent, _value0, adapter=0, value=1, inner=2, sent=3, error=4):
        return _original, _rules, _absent, _value0, adapter, value, inner, sent, error

    adapted = adapt(f, drop={"pin": False}, rename={"old": "value"})
    assert f(1, 2, 3, 4, value=9) == adapted(1, 2, 3, 4, old=9, pin=False)


# ---- what cannot be adapted


@pytest.mark.parametrize("subject", [int, 3, None, type("C", (), {})])
def test_only_functions_are_adapted(subject):
    """A class or a plain object is refused with the way that works."""
    with pytest.raises(PatchError, match=r"adapt a function or `Class\.__init__`"):
        adapt(subject, drop=("pin",))


@pytest.mark.parametrize(
    "keys",
    [
        {"rename": {"old": "nothing"}},
        {"default": {"nothing": 1}},
        {"default": {"a": 1}},
        {"default": {"args": 1}},
        {"rename": {"old": "args"}},
    ],
)
def test_rules_that_the_signature_refutes_are_refused(keys):
    """Rules about parameters that there are not, or that cannot have them, are a PatchError."""

    def f(a, b, *args):
        return a, b, args

    with pytest.raises(PatchError, match="target:f"):
        adapt(f, **keys)


def test_a_c_function_without_a_signature_is_adapted():
    """A callable that tells no signature gets its rules by keyword."""
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(max, follow_wrapped=False)
    adapted = adapt(max, drop=("pin",), rename={"by": "key"}, default={"default": 0})
    assert 0 == adapted([], pin=None)
    assert -3 == adapted([1, -3, 2], by=abs)
    assert 2 == adapted([1, -3, 2], key=None)
    with pytest.raises(AdaptError):
        adapted([1], pin=1)
    with pytest.raises(AdaptError):
        adapted([1], by=abs, key=abs)


def test_an_object_whose_call_tells_no_signature_is_adapted():
    """A callable object is adapted by keyword, also where nothing about it tells a signature."""

    class Told:
        def __call__(self, a, new=1):
            return a, new

    class Silent:
        __call__ = max

    assert (1, 2) == adapt(Told(), rename={"old": "new"})(1, old=2)
    with pytest.raises(ValueError, match="signature"):
        inspect.signature(Silent())
    assert 2 == adapt(Silent(), drop=("pin",))(1, 2, pin=None)


# ---- native by now


def test_a_function_that_accepts_it_by_itself_needs_nothing():
    """Native is: each dropped and old keyword is named, each default is the row's."""
    row = rules(drop={"pin": False}, rename={"old": "new"}, default={"size": 2})
    assert accepts_natively(row, lambda *, pin, old, new, size=2: 0)
    assert not accepts_natively(row, lambda *, pin, old, new, size=3: 0)
    assert not accepts_natively(row, lambda *, pin, new, size=2: 0)
    assert not accepts_natively(row, lambda new, size=2, **rest: 0)
    assert not accepts_natively(rules(drop=("pin",)), lambda pin, /: 0)
    assert not accepts_natively(rules(drop=("pin",)), max)


def test_accepts_keyword_wants_an_explicit_parameter():
    """`**kwargs` swallows a keyword and does not accept it."""
    assert accepts_keyword(lambda pin: 0, "pin")
    assert accepts_keyword(lambda *, pin: 0, "pin")
    assert not accepts_keyword(lambda pin, /: 0, "pin")
    assert not accepts_keyword(lambda **pin: 0, "pin")
    assert not accepts_keyword(max, "key")


# ---- kinds of functions


def test_a_coroutine_function_stays_one():
    """`async def` is a coroutine function after adapting, and returns what it returned."""

    async def f(a, new=1):
        await asyncio.sleep(0)
        return a, new

    adapted = adapt(f, rename={"old": "new"})
    assert inspect.iscoroutinefunction(adapted)
    assert (1, 2) == asyncio.run(adapted(1, old=2))


def test_a_generator_function_stays_one():
    """send, throw, close and the return value go through."""

    def f(a):
        log.append("in")
        try:
            got = yield a
            try:
                yield got
            except KeyError:
                yield "caught"
        finally:
            log.append("out")
        return "end"

    log = []
    adapted = adapt(f, drop=("pin",))
    assert inspect.isgeneratorfunction(adapted)
    assert ["caught", "end"] == [drive(adapted(1, pin=None)), ending(adapted(1))]
    first = adapted(1)
    next(first)
    first.close()
    assert ["in", "out"] * 3 == log


def drive(made):
    """Send and throw into a generator."""
    assert (1, 5) == (next(made), made.send(5))
    found = made.throw(KeyError())
    made.close()
    return found


def ending(made):
    """Return the value that a generator returns."""

    def whole():
        found.append((yield from made))

    found = []
    list(whole())
    return found[0]


def test_a_generator_based_coroutine_can_be_awaited():
    """`types.coroutine` functions stay awaitable."""

    @types.coroutine
    def f(a):
        yield
        return a

    async def main():
        return await adapt(f, drop=("pin",))(3, pin=None)

    async def plain():
        return await f(3)

    assert asyncio.run(plain()) == asyncio.run(main())


def agen(log):
    """Return an async generator function that writes down what happens to it."""

    async def f(n, new=0):
        log.append(("start", n, new))
        try:
            for index in range(n):
                try:
                    log.append(("sent", (yield index)))
                except KeyError:
                    log.append(("caught",))
                    yield "after"
                except ValueError as error:
                    raise RuntimeError("other") from error
        finally:
            await asyncio.sleep(0)
            log.append(("closed",))

    return f


STEPS = st.lists(
    st.sampled_from(["next", "send", "key", "value", "stop", "os", "close", "exit"]), max_size=8
)


ERRORS = (KeyError, RuntimeError, ValueError, TypeError, OSError, StopAsyncIteration, GeneratorExit)


async def play(made, steps):
    """Drive an async generator; return what each step gave."""
    moves = {
        "next": lambda: made.asend(None),
        "send": lambda: made.asend("x"),
        "key": lambda: made.athrow(KeyError("k")),
        "value": lambda: made.athrow(ValueError("v")),
        "stop": lambda: made.athrow(StopAsyncIteration()),
        "os": lambda: made.athrow(OSError("o")),
        "exit": lambda: made.athrow(GeneratorExit()),
        "close": made.aclose,
    }
    found = []
    for step in steps:
        try:
            found.append(("gave", await moves[step]()))
        except ERRORS as error:
            found.append((type(error), str(error), type(error.__cause__)))
    await made.aclose()
    return found


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, n=st.integers(0, 3))
def test_an_async_generator_behaves_as_the_original(steps, n):
    """asend, athrow and aclose in any order give the same values, errors and effects."""
    logs = [], []
    original, adapted = agen(logs[0]), adapt(agen(logs[1]), rename={"old": "new"})
    assert inspect.isasyncgenfunction(adapted)
    expected = asyncio.run(play(original(n, new=2), steps))
    assert expected == asyncio.run(play(adapted(n, old=2), steps))
    assert logs[0] == logs[1]


def test_a_dropped_async_generator_closes_the_original():
    """Leaving an `async for` and dropping the generator runs the original's finally."""

    async def main():
        async for _ in adapted(3):
            break
        await asyncio.sleep(0)
        await asyncio.get_running_loop().shutdown_asyncgens()

    log = []
    adapted = adapt(agen(log), drop=("pin",))
    asyncio.run(main())
    assert ("closed",) == log[-1]


# ---- any signature

NAMES = ["a", "b", "c", "value", "args", "kwargs", "self", "adapter", "_original", "_value0"]
DEFAULTS = [None, 0, False, "s", (), "object()"]


@st.composite
def signatures(draw):
    """Draw the source of a function that returns all its arguments."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=6))
    kinds = sorted(draw(st.lists(st.integers(0, 4), min_size=len(names), max_size=len(names))))
    kinds = [one for at, one in enumerate(kinds) if one not in (2, 4) or one not in kinds[:at]]
    parts, seen_default = [], False
    for name, kind in zip(names, kinds, strict=False):
        has_default = kind in (0, 1, 3) and (draw(st.booleans()) or (seen_default and kind < 2))
        seen_default = seen_default or (has_default and kind < 2)
        default = draw(st.sampled_from(DEFAULTS)) if has_default else inspect.Parameter.empty
        parts.append(inspect.Parameter(name, inspect._ParameterKind(kind), default=default))
    return inspect.Signature(parts)


def function_of(signature, kind="def"):
    """Return a function of this signature that returns its locals."""
    defaults = {
        f"_d{index}": one.default
        for index, one in enumerate(signature.parameters.values())
        if one.default is not one.empty
    }
    shown = signature.replace(
        parameters=[
            one.replace(default=Name(f"_d{index}")) if f"_d{index}" in defaults else one
            for index, one in enumerate(signature.parameters.values())
        ]
    )
    space = dict(defaults)
    exec(f"{kind} f{shown}:\n    return locals()\n", space)
    return space["f"]


class Name:
    """Prints as an identifier."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


def called(function, args, kwargs):
    """Return what a call gave, or that it was refused."""
    try:
        return function(*args, **kwargs)
    except TypeError:
        return "refused"


CALL_NAMES = st.dictionaries(st.sampled_from([*NAMES, "zz"]), st.integers(), max_size=4)


@settings(max_examples=300, deadline=None)
@given(signature=signatures(), args=st.lists(st.integers(), max_size=5), kwargs=CALL_NAMES)
def test_drop_changes_nothing_else(signature, args, kwargs):
    """Under any signature every call without the keyword is the original's, and so with it."""
    original = function_of(signature)
    adapted = adapt(original, drop={"pin": False})
    expected = called(original, args, kwargs)
    assert expected == called(adapted, args, kwargs)
    assert expected == called(adapted, args, {**kwargs, "pin": False})
    assert adapted.__kwdefaults__.pop("pin") is False
    assert (original.__defaults__, original.__kwdefaults__ or {}) == (
        adapted.__defaults__,
        adapted.__kwdefaults__,
    )
    told = inspect.signature(adapted).parameters
    assert list(signature.parameters.values()) == [told[name] for name in told if name != "pin"]


@settings(max_examples=300, deadline=None)
@given(
    signature=signatures(),
    args=st.lists(st.integers(), max_size=5),
    kwargs=CALL_NAMES,
    data=st.data(),
)
def test_rename_is_the_new_name(signature, args, kwargs, data):
    """Under any signature f(old=x) is f(new=x), for parameters that may be given by name."""
    new = [
        one.name
        for one in signature.parameters.values()
        if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    if not new:
        return
    original, name = function_of(signature), data.draw(st.sampled_from(new))
    adapted = adapt(original, rename={"old": name})
    assert called(original, args, kwargs) == called(adapted, args, kwargs)
    kwargs.pop(name, None)
    expected = called(original, args, {**kwargs, name: 12345})
    assert expected == called(adapted, args, {**kwargs, "old": 12345})


@settings(max_examples=300, deadline=None)
@given(
    signature=signatures(),
    args=st.lists(st.integers(), max_size=5),
    kwargs=CALL_NAMES,
    data=st.data(),
)
def test_default_is_a_default(signature, args, kwargs, data):
    """Under any signature a row's default is what an absent argument with a default becomes."""
    names = [one.name for one in signature.parameters.values() if one.default is not one.empty]
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    parts = [
        one.replace(default="row") if one.name == name else one
        for one in signature.parameters.values()
    ]
    oracle = function_of(signature.replace(parameters=parts))
    adapted = adapt(function_of(signature), default={name: "row"})
    assert called(oracle, args, kwargs) == called(adapted, args, kwargs)
    assert inspect.signature(oracle) == inspect.signature(adapted)


@settings(max_examples=60, deadline=None)
@given(signature=signatures(), args=st.lists(st.integers(), max_size=3))
def test_a_coroutine_of_any_signature_is_adapted(signature, args):
    """The same holds for coroutine functions."""
    original = function_of(signature, "async def")
    adapted = adapt(original, drop=("pin",))

    def run(function, **more):
        try:
            made = function(*args, **more)
        except TypeError:
            return "refused"
        return asyncio.run(made)

    assert run(original) == run(adapted) == run(adapted, pin=None)


# ---- in place


def test_methods_are_adapted_in_place(lab):
    """Methods of all kinds take the keyword by class and by instance."""
    lab.module(
        "target",
        """
        class C:
            def __init__(self, a): self.a = a
            def m(self, x): return self.a, x
            @classmethod
            def c(cls, x): return cls, x
            @staticmethod
            def s(x): return x
        """,
    )
    row = '[[shim]]\nid = "{0}"\nattach = "target:C.{1}"\naction = "adapt"\n'
    row += 'why = "w"\ndrop = ["p"]\n'
    names = {"init": "__init__", "m": "m", "c": "c", "s": "s"}
    lab.rows("".join(row.format(*pair) for pair in names.items()))
    lab.run("""
        import shimhub, target
        original = vars(target.C)["c"]
        shimhub.install(registry=REGISTRY)
        C = target.C
        class D(C): pass
        assert (1, 2) == C(1, p=None).m(2, p=None)
        assert (D, 2) == D.c(2, p=None) and (C, 2) == C(1).c(2, p=None)
        assert 2 == C.s(2, p=None) == C(1).s(2, p=None)
        shimhub.uninstall()
        assert vars(C)["c"] is original
    """)
