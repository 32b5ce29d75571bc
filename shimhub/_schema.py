"""The shape of a registry file: which keys there are, of which type, for which actions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shimhub.errors import nearest

ACTIONS = ("module", "add", "replace", "wrap", "alias", "placeholder", "adapt")


Found = tuple[str, str]


def is_strings(value: Any) -> bool:
    """Whether ``value`` is a list of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_string(value: Any) -> bool:
    """Whether ``value`` is a string that says something."""
    return isinstance(value, str) and bool(value.strip())


def is_table(value: Any) -> bool:
    """Whether ``value`` is a table."""
    return isinstance(value, dict)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(*allowed: str) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        return value in allowed

    check.__doc__ = "one of " + ", ".join(repr(word) for word in allowed)
    return check


def _is_schema(value: Any) -> bool:
    return type(value) is int and value == 1


def _is_rows(value: Any) -> bool:
    return isinstance(value, list)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_table, value))


def _is_tolerance(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < 1


def _is_check(value: Any) -> bool:
    return value is True or is_string(value)


def _is_drop(value: Any) -> bool:
    return is_strings(value) or is_table(value)


def _is_rename(value: Any) -> bool:
    return is_table(value) and is_strings(list(value.values()))


_TYPE_NAMES: dict[Callable[[Any], bool], str] = {
    is_strings: "a list of strings",
    is_string: "a non-empty string",
    is_table: "a table",
    _is_bool: "true or false",
    _is_schema: "1, the only schema that this version reads",
    _is_rows: "[[shim]] tables",
    _is_tables: "a list of tables, [[shim.parameters]]",
    _is_tolerance: "a number between 0 and 1, such as 1e-6",
    _is_check: "true or 'file.py:function'",
    _is_drop: "a list of keywords (dropped when None) or a table of their neutral values",
    _is_rename: "a table of strings, old = 'new'",
}

TOP_KEYS: dict[str, Callable[[Any], bool]] = {
    "schema": _is_schema,
    "targets": is_table,
    "packs": is_table,
    "shim": _is_rows,
}
TARGET_KEYS = {"dists": is_strings, "module": is_string}
PACK_KEYS = {"summary": is_string, "opt_in": _is_bool, "compat": is_string}
PROBE_KEYS = {
    "missing": _is_bool,
    "dynamic": _is_bool,
    "provider": is_string,
    "keyword": is_string,
    "of": is_string,
}
ENTRY_KEYS = {"alias": is_string, "placeholder": is_string}
SHIM_KEYS: dict[str, Callable[[Any], bool]] = {
    "id": is_string,
    "attach": is_string,
    "action": _one_of(*ACTIONS),
    "why": is_string,
    "packs": is_strings,
    "upstream": is_string,
    "when": is_table,
    "probe": is_table,
    "check": _is_check,
    "retire": is_string,
    "retired": is_string,
    "source": is_string,
    "to": is_string,
    "message": is_string,
    "names": is_table,
    "drop": _is_drop,
    "rename": _is_rename,
    "default": is_table,
    "lossy": _one_of("warn"),
    "needs": is_strings,
    "conflicts": is_strings,
    "before": is_strings,
    "after": is_strings,
    "group": is_string,
    "phase": _one_of("pre", "post"),
    "rebind": _one_of("loaded"),
    "export": _is_bool,
    "capability": _is_bool,
    "fidelity": _one_of("exact", "lossy"),
    "fingerprints": is_strings,
    "version_of": _one_of("release", "pep440"),
    "mutates": _is_bool,
    "draws": _is_bool,
    "tolerance": _is_tolerance,
    "parameters": _is_tables,
    "proof": _is_check,
    "proved_with": is_strings,
}


def check_keys(
    table: Mapping[str, Any], known: Mapping[str, Callable[[Any], bool]]
) -> Iterator[Found]:
    """Yield ``(key, message)`` for unknown keys and for values of the wrong type."""
    for key, value in table.items():
        if key not in known:
            yield key, f"unknown key{nearest(key, known) or '; known: ' + ', '.join(known)}"
        elif not known[key](value):
            hint = _near(known[key], value)
            yield key, f"must be {_expected(known[key])}, not {value!r}{hint}"


def _expected(check: Callable[[Any], bool]) -> str:
    return _TYPE_NAMES.get(check) or str(check.__doc__)


def _near(check: Callable[[Any], bool], value: Any) -> str:
    choices = re.findall(r"'(\w+)'", check.__doc__ or "")
    return nearest(value, choices) if isinstance(value, str) else ""
