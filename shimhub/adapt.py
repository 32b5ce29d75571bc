"""``adapt``: let a callable accept the keywords that its users pass, without ignoring a value.

The adapter is a closure of the callable's exact signature plus the adapted keywords: it costs
about 50 ns a call where ``*args, **kwargs`` costs 170, and ``inspect.signature`` stays true.
"""

from __future__ import annotations

import functools
import inspect
import linecache
import warnings
from collections.abc import Callable, Mapping
from inspect import Parameter
from types import FunctionType
from typing import Any

from shimhub.errors import AdaptError, PatchError
from shimhub.model import Shim

_MARKS: dict[Any, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
_ABSENT: Any = type("_Absent", (), {"__repr__": lambda self: "<not given>"})()

#: How each kind of function hands on to the original; async generators have no ``yield from``.
_RETURNS = {
    "function": "    return {call}\n",
    "coroutine": "    return await {call}\n",
    "generator": "    return (yield from {call})\n",
    "async generator": """\
    inner = {call}
    try:
        value = await inner.__anext__()
        while True:
            try:
                sent = yield value
            except GeneratorExit:
                await inner.aclose()
                raise
            except BaseException as error:
                value = await inner.athrow(error)
            else:
                value = await inner.asend(sent)
    except StopAsyncIteration:
        return
""",
}


def neutral_values(shim: Shim) -> dict[str, Any]:
    """Return keyword -> the one value that may be dropped; the list form of ``drop`` means None."""
    return dict(shim.drop) if isinstance(shim.drop, Mapping) else dict.fromkeys(shim.drop)


def accepts_natively(shim: Shim, original: Any) -> bool:
    """Whether the original names every adapted keyword, with the row's defaults, by itself."""
    parameters = _parameters(original)
    if parameters is None:
        return False
    named = {
        name
        for name, one in parameters.items()
        if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL, one.POSITIONAL_ONLY)
    }
    has_defaults = all(
        name in named and _same(parameters[name].default, value)
        for name, value in shim.default.items()
    )
    return has_defaults and {*neutral_values(shim), *shim.rename} <= named


def accepts_keyword(original: Any, keyword: str) -> bool:
    """Whether a callable has an explicit parameter ``keyword`` that can be passed by name."""
    found = (_parameters(original) or {}).get(keyword)
    return found is not None and found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY)


def make_adapter(shim: Shim, original: Any) -> Callable[..., Any]:
    """Return ``original`` under the row's drop, rename and default rules.

    Raises PatchError for a class (adapt its ``__init__``) and for rules the signature refutes.
    """
    if isinstance(original, type) or not callable(original):
        raise PatchError(f"{shim.attach} is no function; adapt a function or `Class.__init__`")
    parameters = _parameters(original)
    rules = _Rules(shim, original)
    if parameters is None:
        return _finish(rules, _generic(rules))
    _check_rules(shim, parameters)
    if any(parameters[new].default is Parameter.empty for new in _named(shim.rename, parameters)):
        wrapper = _generic(rules)
        wrapper.__signature__ = _adapted(shim, parameters)  # type: ignore[attr-defined]
        return _finish(rules, wrapper)
    return _finish(rules, _compile(rules, *_exact(rules, _adapted(shim, parameters), parameters)))


class _Rules:
    """What the generated closure calls by the names ``original``, ``drop`` and ``rename``."""

    def __init__(self, shim: Shim, original: Any) -> None:
        self.shim = shim
        self.original = original
        self.neutral = neutral_values(shim)
        self.values: dict[str, Any] = {}
        self._warned: set[str] = set()

    def value(self, value: Any) -> str:
        """Return a name that the generated code can use for ``value``."""
        name = f"_value{len(self.values)}"
        self.values[name] = value
        return name

    def drop(self, keyword: str, value: Any) -> None:
        """Accept the neutral value; raise, or warn once where the row is lossy, for others."""
        if _same(value, self.neutral[keyword]):
            return
        told = (
            f"{self.shim.attach} does not support {keyword}={value!r} here; "
            f"only {keyword}={self.neutral[keyword]!r} can be dropped ({self.shim.why})"
        )
        if self.shim.lossy != "warn":
            raise AdaptError(told)
        if keyword not in self._warned:
            self._warned.add(keyword)
            warnings.warn(told, UserWarning, stacklevel=3)

    def rename(self, old: str, given: Any, new: str, value: Any, default: Any) -> Any:
        """Return the value for ``new``; raises AdaptError when both names were given."""
        if given is _ABSENT:
            return value
        if value is not default:
            raise AdaptError(f"{self.shim.attach} got both {old!r} and {new!r}; they are one")
        return given

    def translate(self, keywords: dict[str, Any]) -> dict[str, Any]:
        """Apply all rules to a keyword dict, for callables without a usable signature."""
        for keyword in self.neutral.keys() & keywords.keys():
            self.drop(keyword, keywords.pop(keyword))
        for old, new in self.shim.rename.items():
            given = keywords.pop(old, _ABSENT)
            value = self.rename(old, given, new, keywords.pop(new, _ABSENT), _ABSENT)
            keywords |= {new: value} if value is not _ABSENT else {}
        return {**self.shim.default, **keywords}


def _parameters(original: Any) -> Mapping[str, Parameter] | None:
    """Return the parameters, or None for a C callable that tells no signature."""
    try:
        return inspect.signature(original, follow_wrapped=False).parameters
    except (ValueError, TypeError):
        return None


def _check_rules(shim: Shim, parameters: Mapping[str, Parameter]) -> None:
    open_ended = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for name in (*shim.rename.values(), *shim.default):
        if name not in parameters and not open_ended:
            raise PatchError(f"{shim.attach} has no parameter {name!r} to rename to or default")


def _named(rename: Mapping[str, str], parameters: Mapping[str, Parameter]) -> list[str]:
    return [new for new in rename.values() if new in parameters]


def _adapted(shim: Shim, parameters: Mapping[str, Parameter]) -> inspect.Signature:
    """Return the signature that users see: the original's, new defaults, added keywords."""
    kept = [
        one.replace(default=shim.default[name]) if name in shim.default else one
        for name, one in parameters.items()
    ]
    added = {
        **neutral_values(shim),
        **dict.fromkeys(shim.rename, _ABSENT),
        **{name: value for name, value in shim.default.items() if name not in parameters},
    }
    extra = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=value)
        for name, value in added.items()
        if name not in parameters
    ]
    tail = [one for one in kept if one.kind is one.VAR_KEYWORD]
    return inspect.Signature([*(one for one in kept if one not in tail), *extra, *tail])


def _exact(
    rules: _Rules, adapted: inspect.Signature, original: Mapping[str, Parameter]
) -> tuple[list[str], str]:
    """Return the parameter list and the argument list of the generated closure."""
    shown: list[str] = []
    passed: list[str] = []
    kinds = [one.kind for one in adapted.parameters.values()]
    for index, one in enumerate(adapted.parameters.values()):
        starred = {one.KEYWORD_ONLY, one.VAR_POSITIONAL} & set(kinds[:index])
        if one.kind is one.KEYWORD_ONLY and not starred:
            shown.append("*")
        mark = _MARKS.get(one.kind, "")
        default = "" if one.default is one.empty else f"={rules.value(one.default)}"
        shown.append(f"{mark}{one.name}{default}")
        if one.kind is one.POSITIONAL_ONLY and kinds[index + 1 : index + 2] != [one.kind]:
            shown.append("/")
        if one.name in original or one.name in rules.shim.default:
            keyword = f"{one.name}=" if one.kind is one.KEYWORD_ONLY else mark
            passed.append(f"{keyword}{one.name}")
    return shown, ", ".join(passed)


def _generic(rules: _Rules) -> Callable[..., Any]:
    return _compile(rules, ["*args", "**kwargs"], "*args, **kwargs", generic=True)


def _compile(
    rules: _Rules, shown: list[str], passed: str, generic: bool = False
) -> Callable[..., Any]:
    kind = _kind(rules.original)
    is_async = "async " if kind in ("coroutine", "async generator") else ""
    body = "    kwargs = _rules.translate(kwargs)\n" if generic else _rule_lines(rules, passed)
    source = f"{is_async}def adapter({', '.join(shown)}):\n" + body
    source += _RETURNS[kind].format(call=f"_original({passed})")
    filename = f"<shimhub adapt {rules.shim.id}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    names = {"_original": rules.original, "_rules": rules, "_absent": _ABSENT, **rules.values}
    exec(compile(source, filename, "exec"), names)  # noqa: S102  # text of identifiers alone
    wrapper: Callable[..., Any] = names["adapter"]
    return wrapper


def _rule_lines(rules: _Rules, passed: str) -> str:
    lines = []
    for keyword, neutral in rules.neutral.items():
        name = rules.value(neutral)
        lines.append(f"    if {keyword} is not {name}:\n")
        lines.append(f"        _rules.drop({keyword!r}, {keyword})\n")
    for old, new in rules.shim.rename.items():
        lines.append(f"    if {old} is not _absent:\n")
        lines.append(f"        {_rename_line(rules, old, new, passed)}\n")
    return "".join(lines)


def _rename_line(rules: _Rules, old: str, new: str, passed: str) -> str:
    parameters = _parameters(rules.original) or {}
    if new in parameters:
        default = rules.value(rules.shim.default.get(new, parameters[new].default))
        return f"{new} = _rules.rename({old!r}, {old}, {new!r}, {new}, {default})"
    rest = passed.rpartition("**")[2]
    value = f"_rules.rename({old!r}, {old}, {new!r}, {rest}.get({new!r}, _absent), _absent)"
    return f"{rest}[{new!r}] = {value}"


def _kind(original: Any) -> str:
    if inspect.iscoroutinefunction(original):
        return "coroutine"
    if inspect.isasyncgenfunction(original):
        return "async generator"
    return "generator" if inspect.isgeneratorfunction(original) else "function"


def _finish(rules: _Rules, wrapper: Callable[..., Any]) -> Callable[..., Any]:
    functools.update_wrapper(wrapper, rules.original)
    del wrapper.__wrapped__  # type: ignore[attr-defined]
    if isinstance(rules.original, FunctionType):
        wrapper.__annotations__ = dict(rules.original.__annotations__)
    return wrapper


def _same(value: Any, neutral: Any) -> bool:
    return value is neutral or (type(value) is type(neutral) and bool(value == neutral))
