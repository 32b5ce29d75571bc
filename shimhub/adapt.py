"""``adapt``: let a callable accept the keywords that its users pass, without ignoring a value.

The adapter of a plain function is a closure of its exact signature plus the adapted keywords: it
costs about 50 ns a call where ``*args, **kwargs`` costs 170. Words that the callable accepts by
itself are left to it.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from types import FunctionType
from typing import Any

from shimhub._closure import ABSENT, make_closure, make_generic
from shimhub._source import signature_of_code
from shimhub.errors import AdaptError, PatchError
from shimhub.model import Shim


def neutral_values(shim: Shim) -> dict[str, Any]:
    """Return keyword -> the one value that may be dropped; the list form of ``drop`` means None."""
    return dict(shim.drop) if isinstance(shim.drop, Mapping) else dict.fromkeys(shim.drop)


def accepts_natively(shim: Shim, original: Any) -> bool:
    """Whether the original names every adapted keyword, with the row's defaults, by itself."""
    accepted = _accepted(original)
    words = {*neutral_values(shim), *shim.rename}
    return words <= accepted.keys() and all(
        name in accepted and _same(accepted[name].default, value)
        for name, value in shim.default.items()
    )


def accepts_keyword(original: Any, keyword: str) -> bool:
    """Whether a callable has an explicit parameter ``keyword`` that can be passed by name."""
    return keyword in _accepted(original)


def make_adapter(shim: Shim, original: Any) -> Callable[..., Any]:
    """Return ``original`` under the row's drop, rename and default rules.

    Raises PatchError for a class (adapt its ``__init__``) and for rules the signature refutes.
    """
    if isinstance(original, type) or not callable(original):
        raise PatchError(f"{shim.attach} is no function; adapt a function or `Class.__init__`")
    signature = _signature(original)
    rules = Rules(shim, original, signature)
    adapted = signature and _adapted(rules, signature)
    is_plain = isinstance(original, FunctionType) and not vars(original).keys() & _TELLS
    if is_plain and adapted and signature and _is_exact(rules, signature):
        wrapper = make_closure(rules, signature, adapted)
    else:
        wrapper = make_generic(rules)
    functools.update_wrapper(wrapper, original)
    del wrapper.__wrapped__  # type: ignore[attr-defined]
    wrapper.__annotations__ = dict(wrapper.__annotations__)
    if not isinstance(original, FunctionType):
        _keep_attributes(original, wrapper)
    if adapted:
        wrapper.__signature__ = adapted  # type: ignore[attr-defined]
    return wrapper


def _keep_attributes(original: Any, wrapper: Any) -> None:
    """Hand on what a callable object offers beside its call, such as ``cache_clear``."""
    for name in dir(original):
        if not name.startswith("__"):
            vars(wrapper).setdefault(name, getattr(original, name))


#: What makes ``inspect.signature`` tell another signature than the function's code has.
_TELLS = frozenset({"__wrapped__", "__signature__"})


class Rules:
    """The row's rules for one callable, without the words that it accepts by itself.

    Its methods are what the generated code calls.
    """

    def __init__(self, shim: Shim, original: Any, signature: Signature | None) -> None:
        accepted = _accepted(original)
        self.shim = shim
        self.original = original
        self.neutral = _without(neutral_values(shim), accepted)
        self.renamed = _without(shim.rename, accepted)
        self._positional = _positional(signature)
        self._warned: set[str] = set()
        self._check(signature)

    def drop(self, keyword: str, value: Any, depth: int = 3) -> None:
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
            warnings.warn(told, UserWarning, stacklevel=depth)

    def rename(self, old: str, given: Any, new: str, value: Any, default: Any) -> Any:
        """Return the value for ``new``; raises AdaptError when both names were given."""
        if given is ABSENT:
            return value
        if value is not default:
            raise AdaptError(f"{self.shim.attach} got both {old!r} and {new!r}; they are one")
        return given

    def translate(self, arguments: Sequence[Any], keywords: dict[str, Any]) -> dict[str, Any]:
        """Return the keywords under all rules, next to what is given by position."""
        given = dict(zip(self._positional, arguments, strict=False))
        for keyword in self.neutral.keys() & keywords.keys():
            self.drop(keyword, keywords.pop(keyword), depth=4)
        for old, new in self.renamed.items():
            told = keywords.pop(old, ABSENT)
            value = given.get(new, keywords.get(new, ABSENT))
            if told is not ABSENT:
                keywords[new] = self.rename(old, told, new, value, ABSENT)
        return {**_without(self.shim.default, given), **keywords}

    def _check(self, signature: Signature | None) -> None:
        kinds = {one.kind for one in signature.parameters.values()} if signature else set()
        if signature is None or Parameter.VAR_KEYWORD in kinds:
            return
        catch_alls = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        parameters = signature.parameters.values()
        known = {one.name for one in parameters if one.kind not in catch_alls}
        for name in (*self.renamed.values(), *self.shim.default):
            if name not in (_accepted(self.original) if name in self.renamed.values() else known):
                told = f"{self.shim.attach} has no parameter {name!r} to rename to or default"
                raise PatchError(told)


def _signature(original: Any) -> Signature | None:
    """Return the signature that callers see, or None for a C callable that tells none."""
    try:
        return inspect.signature(original)
    except (ValueError, TypeError):
        pass
    try:
        called = inspect.signature(type(original).__call__)
    except (ValueError, TypeError):
        return None
    return called.replace(parameters=list(called.parameters.values())[1:])


def _accepted(original: Any) -> dict[str, Parameter]:
    """Return the parameters that can be given by name, as seen by callers or in the code."""
    found: dict[str, Parameter] = {}
    for signature in (_signature(original), _signature_of_code(original)):
        for name, one in signature.parameters.items() if signature else ():
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
                found.setdefault(name, one)
    return found


def _signature_of_code(original: Any) -> Signature | None:
    if not isinstance(original, FunctionType):
        return None
    return signature_of_code(original)


def _positional(signature: Signature | None) -> list[str]:
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    parameters = signature.parameters if signature else {}
    return [name for name, one in parameters.items() if one.kind in kinds]


def _adapted(rules: Rules, signature: Signature) -> Signature:
    """Return the signature that users see: the original's, new defaults, added keywords."""
    defaults = rules.shim.default
    kept = [
        one.replace(default=defaults[name]) if name in defaults else one
        for name, one in signature.parameters.items()
    ]
    added = {**rules.neutral, **dict.fromkeys(rules.renamed, ABSENT), **defaults}
    extra = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=value)
        for name, value in added.items()
        if name not in signature.parameters
    ]
    tail = [one for one in kept if one.kind is one.VAR_KEYWORD]
    head = [one for one in kept if one.kind is not one.VAR_KEYWORD]
    try:
        return signature.replace(parameters=[*head, *extra, *tail])
    except ValueError as error:
        raise PatchError(f"{rules.shim.attach} cannot take these defaults: {error}") from error


def _is_exact(rules: Rules, signature: Signature) -> bool:
    """Whether a closure of the exact signature can keep the rules.

    Not where a word is also the name of a catch-all or positional-only parameter, and not where
    what a name is renamed to is required: then it may be missing under its own name.
    """
    parameters = signature.parameters
    if {*rules.neutral, *rules.renamed} & parameters.keys():
        return False
    targets = [parameters[new] for new in rules.renamed.values() if new in parameters]
    return all(one.default is not one.empty for one in targets)


def _without(rules: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in rules.items() if name not in known}


def _same(value: Any, neutral: Any) -> bool:
    return value is neutral or (type(value) is type(neutral) and bool(value == neutral))
