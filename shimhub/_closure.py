"""Generate the adapter of a callable as source text: identifiers and calls, never values."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from textwrap import indent
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shimhub.adapt import Rules

#: Default of a keyword that was not given.
ABSENT: Any = type("_Absent", (), {"__repr__": lambda self: "<not given>"})()

_MARKS: dict[Any, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}

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


def make_closure(rules: Rules, original: Signature, adapted: Signature) -> Callable[..., Any]:
    """Return a function of exactly the ``adapted`` signature that keeps the rules."""
    scope = _Scope(rules, adapted)
    lines = [_drop_lines(scope, keyword) for keyword in rules.neutral]
    lines += [_rename_lines(scope, original, old) for old in rules.renamed]
    return scope.compile(_shown(scope, adapted), _passed(scope, original, adapted), "".join(lines))


def make_generic(rules: Rules) -> Callable[..., Any]:
    """Return ``(*args, **kwargs)`` that keeps the rules, where there is no plain signature."""
    scope = _Scope(rules, None)
    p = scope.prefix
    line = f"    {p}kwargs = {p}rules.translate({p}args, {p}kwargs)\n"
    return scope.compile([f"*{p}args", f"**{p}kwargs"], f"*{p}args, **{p}kwargs", line)


class _Scope:
    """Names of the generated code: a prefix that no parameter has, and the values behind it."""

    def __init__(self, rules: Rules, adapted: Signature | None) -> None:
        taken = list(adapted.parameters) if adapted else []
        self.rules = rules
        self.prefix = "_s_"
        while any(name.startswith(self.prefix) for name in taken):
            self.prefix += "_"
        self._names = {"original": rules.original, "rules": rules, "absent": ABSENT}

    def value(self, value: Any) -> str:
        """Return a name by which the generated code can use ``value``."""
        name = f"value{len(self._names)}"
        self._names[name] = value
        return self.prefix + name

    def compile(self, shown: Sequence[str], passed: str, lines: str) -> Callable[..., Any]:
        """Compile the adapter; its text can be read by tracebacks and ``inspect.getsource``."""
        kind, p = _kind(self.rules.original), self.prefix
        head = "async " if kind in ("coroutine", "async generator") else ""
        body = f"{head}def {p}adapter({', '.join(shown)}):\n{lines}"
        body += _RETURNS[kind].format(call=f"{p}original({passed})", p=p)
        names = {p + name: value for name, value in self._names.items()}
        source = f"def {p}make({', '.join(names)}):\n{indent(body, '    ')}    return {p}adapter\n"
        filename = f"<shimhub adapt {self.rules.shim.id}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        scratch: dict[str, Any] = {}
        exec(compile(source, filename, "exec"), scratch)  # noqa: S102  # text of identifiers alone
        return _in_globals_of(self.rules.original, scratch[f"{p}make"](**names))


def _in_globals_of(original: Any, made: FunctionType) -> FunctionType:
    """Return ``made`` with the original's globals, where its annotations as text are looked up."""
    space = getattr(original, "__globals__", made.__globals__)
    code, defaults, closure = made.__code__, made.__defaults__, made.__closure__
    found = FunctionType(code, space, made.__name__, defaults, closure)
    found.__kwdefaults__ = made.__kwdefaults__
    return found


def _shown(scope: _Scope, adapted: Signature) -> list[str]:
    shown: list[str] = []
    seen: set[Any] = set()
    for one in adapted.parameters.values():
        if one.kind is not one.POSITIONAL_ONLY and seen == {one.POSITIONAL_ONLY}:
            shown.append("/")
        if one.kind is one.KEYWORD_ONLY and not seen & {one.KEYWORD_ONLY, one.VAR_POSITIONAL}:
            shown.append("*")
        seen.add(one.kind)
        default = "" if one.default is one.empty else f"={scope.value(one.default)}"
        shown.append(f"{_MARKS.get(one.kind, '')}{one.name}{default}")
    return shown + (["/"] if seen == {Parameter.POSITIONAL_ONLY} else [])


def _passed(scope: _Scope, original: Signature, adapted: Signature) -> str:
    defaults = scope.rules.shim.default
    passed = [
        f"{one.name}={one.name}"
        if one.kind is one.KEYWORD_ONLY
        else f"{_MARKS.get(one.kind, '')}{one.name}"
        for one in adapted.parameters.values()
        if one.name in original.parameters or one.name in defaults
    ]
    return ", ".join(passed)


def _drop_lines(scope: _Scope, keyword: str) -> str:
    neutral, p = scope.rules.neutral[keyword], scope.prefix
    neutral = "None" if neutral is None else scope.value(neutral)
    return f"    if {keyword} is not {neutral}:\n        {p}rules.drop({keyword!r}, {keyword})\n"


def _rename_lines(scope: _Scope, original: Signature, old: str) -> str:
    new, p = scope.rules.renamed[old], scope.prefix
    catch_all = next(
        (one.name for one in original.parameters.values() if one.kind is one.VAR_KEYWORD), ""
    )
    if new in original.parameters:
        default = scope.rules.shim.default.get(new, original.parameters[new].default)
        place, value, unset = new, new, scope.value(default)
    else:
        place, unset = f"{catch_all}[{new!r}]", f"{p}absent"
        value = f"{catch_all}.get({new!r}, {unset})"
    call = f"{p}rules.rename({old!r}, {old}, {new!r}, {value}, {unset})"
    return f"    if {old} is not {p}absent:\n        {place} = {call}\n"


def _kind(original: Any) -> str:
    if inspect.iscoroutinefunction(original):
        return "coroutine"
    if inspect.isasyncgenfunction(original):
        return "async generator"
    # What types.coroutine marks can be awaited: only the original's own generator is marked so.
    flags = getattr(getattr(original, "__code__", None), "co_flags", 0)
    is_marked = flags & inspect.CO_ITERABLE_COROUTINE
    is_generator = inspect.isgeneratorfunction(original) and not is_marked
    return "generator" if is_generator else "function"
