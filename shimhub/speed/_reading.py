"""Mappings into dataclasses whose fields carry rules, with every mistake and its place."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, TypeVar

from shimhub.errors import nearest
from shimhub.speed._keys import shown

_T = TypeVar("_T")


@dataclass(frozen=True)
class Problem:
    """A mistake: the key by its path, what is wrong, and the variable that said so if one did."""

    path: tuple[str, ...]
    text: str
    variable: str = ""

    def told(self, place: str) -> str:
        """Return a line for people; ``place`` tells the file, which a variable is not in."""
        if self.variable:
            return f"{self.variable}: {self.text}"
        return f"{place}{'.'.join(self.path) or 'configuration'}: {self.text}"


def read(
    kind: type[_T],
    data: Any,
    problems: list[Problem],
    variable: str = "",
    path: tuple[str, ...] = (),
) -> _T:
    """Return a dataclass of what is right in ``data``; what is wrong is added to ``problems``."""
    if not isinstance(data, Mapping):
        problems.append(Problem(path, _no_table(data, kind), variable))
        return kind()
    known: dict[str, Field[Any]] = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in data.items():
        at = (*path, _named(key))
        if key not in known:
            problems.append(Problem(at, _unknown(key, known), variable))
        elif value is None:
            continue
        elif section := section_of(known[key]):
            values[key] = read(section, value, problems, variable, at)
        else:
            try:
                values[key] = known[key].metadata["rule"].read(value)
            except ValueError as error:
                problems.append(Problem(at, str(error), variable))
    return kind(**values)


def section_of(one: Field[Any]) -> type | None:
    """Return the dataclass that a field holds; None for a key with a value."""
    made = one.default_factory
    return made if made is not MISSING and isinstance(made, type) else None


def _named(key: Any) -> str:
    return key if isinstance(key, str) and key.isidentifier() else shown(key)


def _unknown(key: Any, known: Mapping[str, Any]) -> str:
    near = nearest(key.lower(), known) if isinstance(key, str) else ""
    return "no such key" + (near or f"; there are {', '.join(known)}")


def _no_table(data: Any, kind: type) -> str:
    names = [one.name for one in fields(kind)]
    switch = isinstance(data, bool) and "enabled" in names
    cure = f"; write {{enabled: {str(data).lower()}}}" if switch else ""
    return f"{shown(data)} is not a table of {', '.join(names)}{cure}"


def plain(config: Any) -> dict[str, Any]:
    """Return what is set in a dataclass and in those that it holds, as dictionaries."""
    told = {}
    for one in fields(config):
        value = getattr(config, one.name)
        if section_of(one):
            value = plain(value) or None
        if value is not None:
            told[one.name] = copy.deepcopy(value)
    return told


def wrong_sections(config: Any) -> list[Problem]:
    """Return the sections that are not of their own dataclass."""
    kinds = {one.name: section_of(one) for one in fields(config)}
    return [
        Problem((name,), f"needs a {kind.__name__}; from_dict takes a table")
        for name, kind in kinds.items()
        if kind is not None and not isinstance(getattr(config, name), kind)
    ]
