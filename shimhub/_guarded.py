"""The source text of guarded replacements, for ``guard``.

The closure has the replacement's exact signature where the original has the same one, and costs
one call more. Where they differ it passes on what it was given, so that each side fills in its own
defaults.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import traceback
from collections.abc import Callable, Generator
from inspect import Parameter, Signature
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any

from shimhub._source import Scope, kind_of, passed, shown, signature_of_code

if TYPE_CHECKING:
    from shimhub.guard import Guard

#: How each kind of function is guarded. ``{judge}`` counts what was raised, then either the
#: original runs under it or the exception goes to the caller. Generators are guarded up to their
#: first value: what was handed out cannot be taken back.
_BODIES = {
    "function": """\
    try:
        return {p}replacement({call})
    except {p}Exception as {p}error:
        {judge}
    with {p}judge as {p}instead:
        return {p}original({call}) if {p}instead is None else {p}instead()
""",
    "coroutine": """\
    try:
        return await {p}replacement({call})
    except {p}Exception as {p}error:
        {judge}
    with {p}judge as {p}instead:
        return await ({p}original({call}) if {p}instead is None else {p}instead())
""",
    "generator": """\
    {p}inner = {p}replacement({call})
    try:
        {p}value = {p}next({p}inner)
    except {p}StopIteration as {p}end:
        return {p}end.value
    except {p}Exception as {p}error:
        {judge}
    else:
        return (yield from {p}resumed({p}inner, {p}value))
    with {p}judge as {p}instead:
        return (yield from {p}original({call}) if {p}instead is None else {p}instead())
""",
    "async generator": """\
    {p}inner, {p}judge = {p}replacement({call}), {p}nothing
    try:
        {p}value = await {p}inner.__anext__()
    except {p}StopAsyncIteration:
        return
    except {p}Exception as {p}error:
        {judge}
        {p}inner = {p}original({call})
    try:
        if {p}judge is not {p}nothing:
            with {p}judge:
                {p}value = await {p}inner.__anext__()
        while True:
            try:
                {p}sent = yield {p}value
            except {p}GeneratorExit:
                await {p}inner.aclose()
                raise
            except {p}BaseException as {p}error:
                {p}value = await {p}inner.athrow({p}error)
            else:
                {p}value = await {p}inner.asend({p}sent)
    except {p}StopAsyncIteration:
        return
""",
}
_JUDGE = """\
{p}judge = {p}guard.caught({p}error, ({given}), {{{named}}})
        if {p}judge is None:
            raise"""
_VERIFIED = "    if {p}guard.sampled():\n        return {p}guard.verify(({given}), {{{named}}})\n"
_UNVERIFIED = "    if {p}guard.sampled():\n        {p}guard.skipped('a call of a {kind}')\n"

_PLAIN = (int, float, complex, str, bytes, bool, type(None))
_Arguments = tuple[list[str], str, str, str]


def unguarded(original: Any, made: Any) -> str:
    """Return why ``made`` in place of ``original`` cannot be guarded; empty where it can."""
    if not isinstance(made, FunctionType):
        return f"not guarded: the replacement is no function but a {type(made).__name__}"
    if not callable(original):
        return f"not guarded: the original is no function but a {type(original).__name__}"
    kinds = kind_of(original), kind_of(made)
    if kinds[0] != kinds[1] != "function":
        return f"not guarded: the original is a {kinds[0]}, the replacement a {kinds[1]}"
    return ""


def make_guarded(guard: Guard, verifies: bool) -> FunctionType:
    """Return the function that calls the guard's replacement, and falls back to its original."""
    original, made = guard.original, guard.replacement
    signature = signature_of_code(made)
    is_exact = _same(signature, _signature(original))
    names = {"guard": guard, "original": original, "replacement": made}
    scope = Scope(signature if is_exact else None, **_NAMES, **names)
    p, kind = scope.prefix, kind_of(made)
    parameters, call, given, named = _exact(scope, signature) if is_exact else _generic(p)
    head = "async " if kind in ("coroutine", "async generator") else ""
    text = f"{head}def {p}guarded({', '.join(parameters)}):\n"
    if verifies:
        text += _VERIFIED if kind == "function" else _UNVERIFIED
    text += _BODIES[kind].replace("{judge}", _JUDGE)
    words = {"p": p, "kind": kind, "call": call, "given": given, "named": named}
    filename = f"<shimhub guard {guard.shim.id}>"
    found = scope.define("guarded", text.format(**words), filename, made)
    functools.update_wrapper(found, made)
    del found.__wrapped__  # type: ignore[attr-defined]
    told = _signature(made)
    if told and not (is_exact and told == signature):
        found.__signature__ = told  # type: ignore[attr-defined]
    guard.serve = _cell(found, p + "replacement")
    return found


def _exact(scope: Scope, signature: Signature) -> _Arguments:
    parameters = list(signature.parameters.values())
    named = [one for one in parameters if one.kind in (one.KEYWORD_ONLY, one.VAR_KEYWORD)]
    given = [one for one in parameters if one not in named]
    pairs = [
        f"**{one.name}" if one.kind is one.VAR_KEYWORD else f"'{one.name}': {one.name}"
        for one in named
    ]
    tuple_of = passed(given) + "," if given else ""
    return shown(scope, signature), passed(parameters), tuple_of, ", ".join(pairs)


def _generic(p: str) -> _Arguments:
    stars = [f"*{p}args", f"**{p}kwargs"]
    return stars, ", ".join(stars), f"*{p}args,", f"**{p}kwargs"


def _cell(function: FunctionType, name: str) -> CellType:
    cells: tuple[CellType, ...] = function.__closure__ or ()
    return cells[function.__code__.co_freevars.index(name)]


def _signature(function: Any) -> Signature | None:
    """Return the signature that callers see, or None for a C callable that tells none."""
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):
        return None


def _same(one: Signature, other: Signature | None) -> bool:
    """Whether all arguments of one, defaults filled in, mean the same to the other."""
    if other is None or len(one.parameters) != len(other.parameters):
        return False
    pairs = zip(one.parameters.values(), other.parameters.values(), strict=True)
    return all(a.name == b.name and a.kind == b.kind and _same_default(a, b) for a, b in pairs)


def _same_default(a: Parameter, b: Parameter) -> bool:
    one, other = a.default, b.default
    return one is other or (type(one) is type(other) and type(one) in _PLAIN and one == other)


def resumed(inner: Generator[Any, Any, Any], value: Any) -> Generator[Any, Any, Any]:
    """Go on with a generator that has given ``value``, as ``yield from`` would have."""
    step: Callable[[Any], Any]
    while True:
        try:
            sent = yield value
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as error:  # noqa: BLE001  # whatever the caller throws in is handed on
            step, word = inner.throw, error
        else:
            if sent is None:
                return (yield from inner)
            step, word = inner.send, sent
        try:
            value = step(word)
        except StopIteration as end:
            return end.value
        finally:
            del word  # an exception that its own traceback's frame holds would live on


#: Builtins are values of the closure: a parameter may have the name of one.
_NAMES: dict[str, Any] = {
    **{one.__name__: one for one in (Exception, BaseException, GeneratorExit)},
    **{one.__name__: one for one in (StopIteration, StopAsyncIteration, next, resumed)},
    "nothing": contextlib.nullcontext(),
}


def told_of(error: Exception) -> str:
    """Return an exception's type, words and place."""
    told = traceback.format_exception_only(type(error), error)[-1].strip()
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{told} (at {frame.filename}:{frame.lineno})"


def annotate(error: Exception, note: str) -> None:
    """Add a note to the traceback (PEP 678); Python 3.10 keeps it and does not print it."""
    notes = [*getattr(error, "__notes__", ()), note]
    error.__notes__ = notes  # type: ignore[attr-defined]
