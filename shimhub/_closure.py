"""The source text of adapters, for ``adapt``."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Signature
from typing import TYPE_CHECKING, Any

from shimhub._source import Scope, kind_of, passed, shown

if TYPE_CHECKING:
    from shimhub.adapt import Rules

#: Default of a keyword that was not given.
ABSENT: Any = type("_Absent", (), {"__repr__": lambda self: "<not given>"})()

Made = Callable[..., Any]

#: How each kind of function hands on to the original; async generators have no ``yield from``.
_RETURNS = {
    "function": "    return {call}\n",
    "coroutine": "    return await {call}\n",
    "generator": "    return (yield from {call})\n",
    "async generator": """\
    {p}inner = {call}
    try:
        {p}value = await {p}inner.__anext__()
        while True:
            try:
                {p}sent = yield {p}value
            except GeneratorExit:
                await {p}inner.aclose()
                raise
            except BaseException as {p}error:
                {p}value = await {p}inner.athrow({p}error)
            else:
                {p}value = await {p}inner.asend({p}sent)
    except StopAsyncIteration:
        return
""",
}


def make_closure(rules: Rules, original: Signature, adapted: Signature) -> Made:
    """Return a function of exactly the ``adapted`` signature that keeps the rules."""
    scope = _scope_of(rules, adapted)
    lines = [_drop_lines(scope, rules, keyword) for keyword in rules.neutral]
    lines += [_rename_lines(scope, rules, original, old) for old in rules.renamed]
    call = _passed(rules, original, adapted)
    return _made(scope, rules, shown(scope, adapted), call, "".join(lines))


def make_generic(rules: Rules) -> Made:
    """Return ``(*args, **kwargs)`` that keeps the rules, where there is no plain signature."""
    scope = _scope_of(rules, None)
    p = scope.prefix
    line = f"    {p}kwargs = {p}rules.translate({p}args, {p}kwargs)\n"
    return _made(scope, rules, [f"*{p}args", f"**{p}kwargs"], f"*{p}args, **{p}kwargs", line)


def _made(scope: Scope, rules: Rules, parameters: list[str], call: str, lines: str) -> Made:
    kind, p = kind_of(rules.original), scope.prefix
    head = "async " if kind in ("coroutine", "async generator") else ""
    body = f"{head}def {p}adapter({', '.join(parameters)}):\n{lines}"
    body += _RETURNS[kind].format(call=f"{p}original({call})", p=p)
    return scope.define("adapter", body, f"<shimhub adapt {rules.shim.id}>", rules.original)


def _scope_of(rules: Rules, adapted: Signature | None) -> Scope:
    return Scope(adapted, original=rules.original, rules=rules, absent=ABSENT)


def _passed(rules: Rules, original: Signature, adapted: Signature) -> str:
    known = (original.parameters, rules.shim.default)
    kept = [one for one in adapted.parameters.values() if any(one.name in names for names in known)]
    return passed(kept)


def _drop_lines(scope: Scope, rules: Rules, keyword: str) -> str:
    neutral, p = rules.neutral[keyword], scope.prefix
    neutral = "None" if neutral is None else scope.value(neutral)
    return f"    if {keyword} is not {neutral}:\n        {p}rules.drop({keyword!r}, {keyword})\n"


def _rename_lines(scope: Scope, rules: Rules, original: Signature, old: str) -> str:
    new, p = rules.renamed[old], scope.prefix
    catch_all = next(
        (one.name for one in original.parameters.values() if one.kind is one.VAR_KEYWORD), ""
    )
    if new in original.parameters:
        default = rules.shim.default.get(new, original.parameters[new].default)
        place, value, unset = new, new, scope.value(default)
    else:
        place, unset = f"{catch_all}[{new!r}]", f"{p}absent"
        value = f"{catch_all}.get({new!r}, {unset})"
    call = f"{p}rules.rename({old!r}, {old}, {new!r}, {value}, {unset})"
    return f"    if {old} is not {p}absent:\n        {place} = {call}\n"
