"""Fingerprints: a hash of a function's or class's AST, equal on all supported Pythons.

A replacement applies only to bodies that it was proved against. Comments, formatting and
docstrings do not count; everything else does.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Iterator
from types import FunctionType
from typing import Any

_DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def fingerprint(original: Any) -> str:
    """Return ``sha256:`` and 16 hex digits, or an empty string where there is no source.

    A decorated function is all of its layers: its own code and what it says it wraps, down to the
    last. So neither a foreign wrapper made with ``functools.wraps`` passes for the original, nor
    one body for another under the same decorator.
    """
    layers = [_body(layer) for layer in _layers(original)]
    if not all(layers):
        return ""
    return "sha256:" + hashlib.sha256("\n".join(layers).encode()).hexdigest()[:16]


def _layers(original: Any) -> list[Any]:
    """Return the object and what it wraps, outermost first; a loop of wrappers ends."""
    found = [original]
    while isinstance(found[-1], FunctionType) and "__wrapped__" in vars(found[-1]):
        inner = vars(found[-1])["__wrapped__"]
        if any(inner is one for one in found):
            break
        found.append(inner)
    return found


def _body(layer: Any) -> str:
    try:
        tree = ast.parse(textwrap.dedent(_source(layer)))
    except SyntaxError:
        return ""
    return "\n".join(_dump(tree)) if tree.body else ""


def _source(original: Any) -> str:
    if isinstance(original, (staticmethod, classmethod)):
        original = original.__func__
    if isinstance(original, property):
        original = original.fget
    subject = original.__code__ if isinstance(original, FunctionType) else original
    if getattr(subject, "co_filename", "").startswith("<"):
        return ""  # made by exec: "<string>" is the name of many sources
    try:
        return inspect.getsource(subject)
    except (OSError, TypeError):
        return ""


def _dump(node: Any) -> Iterator[str]:
    """Yield type names and values in field order; what a newer Python adds empty is left out."""
    if isinstance(node, list):
        for item in node:
            yield from _dump(item)
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if value not in (None, []) and name not in ("ctx", "kind", "type_comment"):
                yield f".{name}"
                yield from _dump(_canonical(node, name, value))
        yield ")"
    else:
        yield repr(node)


def _canonical(node: ast.AST, name: str, value: Any) -> Any:
    """Leave out a docstring, and the empty text that 3.12 puts into format specs."""
    if isinstance(node, ast.JoinedStr):
        return [one for one in value if getattr(one, "value", None) != ""]
    if name != "body" or not isinstance(node, _DOCUMENTED):
        return value
    first = value[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return value[1:] if is_docstring and isinstance(first.value.value, str) else value
