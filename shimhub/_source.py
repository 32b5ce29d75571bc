"""Functions made from source text: identifiers and calls, never values."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Sequence
from inspect import Parameter, Signature
from textwrap import indent
from types import FunctionType
from typing import Any

_MARKS: dict[Any, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}


class Scope:
    """Names of generated code: a prefix that no parameter has, and the values behind it."""

    def __init__(self, signature: Signature | None, **values: Any) -> None:
        taken = list(signature.parameters) if signature else []
        self.prefix = "_s_"
        while any(name.startswith(self.prefix) for name in taken):
            self.prefix += "_"
        self._names = values

    def value(self, value: Any) -> str:
        """Return a name by which the generated code can use ``value``."""
        name = f"value{len(self._names)}"
        self._names[name] = value
        return self.prefix + name

    def define(self, name: str, body: str, filename: str, like: Any) -> FunctionType:
        """Compile ``body``, which defines function ``name`` (prefixed), in the globals of ``like``.

        Its text can be read by tracebacks and ``inspect.getsource``. Annotations as text are
        looked up in those globals.
        """
        p = self.prefix
        names = {p + name: value for name, value in self._names.items()}
        source = f"def {p}make({', '.join(names)}):\n{indent(body, '    ')}    return {p}{name}\n"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        scratch: dict[str, Any] = {}
        exec(compile(source, filename, "exec"), scratch)  # noqa: S102  # text of identifiers alone
        return _in_globals_of(like, scratch[f"{p}make"](**names))


def _in_globals_of(like: Any, made: FunctionType) -> FunctionType:
    space = getattr(like, "__globals__", made.__globals__)
    code, defaults, closure = made.__code__, made.__defaults__, made.__closure__
    found = FunctionType(code, space, made.__name__, defaults, closure)
    found.__kwdefaults__ = made.__kwdefaults__
    return found


def shown(scope: Scope, signature: Signature) -> list[str]:
    """Return the parameters of a ``def`` with exactly this signature."""
    found: list[str] = []
    seen: set[Any] = set()
    for one in signature.parameters.values():
        if one.kind is not one.POSITIONAL_ONLY and seen == {one.POSITIONAL_ONLY}:
            found.append("/")
        if one.kind is one.KEYWORD_ONLY and not seen & {one.KEYWORD_ONLY, one.VAR_POSITIONAL}:
            found.append("*")
        seen.add(one.kind)
        default = "" if one.default is one.empty else f"={scope.value(one.default)}"
        found.append(f"{_MARKS.get(one.kind, '')}{one.name}{default}")
    return found + (["/"] if seen == {Parameter.POSITIONAL_ONLY} else [])


def passed(parameters: Sequence[Parameter]) -> str:
    """Return the arguments of a call that hands on these parameters."""
    return ", ".join(
        f"{one.name}={one.name}"
        if one.kind is one.KEYWORD_ONLY
        else f"{_MARKS.get(one.kind, '')}{one.name}"
        for one in parameters
    )


def kind_of(function: Any) -> str:
    """Return how a call of ``function`` runs: as a function, coroutine or (async) generator."""
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isasyncgenfunction(function):
        return "async generator"
    # What types.coroutine marks can be awaited: only the original's own generator is marked so.
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    is_marked = flags & inspect.CO_ITERABLE_COROUTINE
    is_generator = inspect.isgeneratorfunction(function) and not is_marked
    return "generator" if is_generator else "function"


def signature_of_code(function: FunctionType) -> Signature:
    """Return the signature that the function's code has, whatever it says of itself."""
    bare = FunctionType(function.__code__, {}, None, function.__defaults__, function.__closure__)
    bare.__kwdefaults__ = function.__kwdefaults__
    return inspect.signature(bare)
