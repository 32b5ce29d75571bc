"""The shape of a registry file: which keys there are, of which type, for which actions."""

from __future__ import annotations

import difflib
import keyword
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from shimhub.paths import shims_dir

ACTIONS = ("module", "add", "replace", "wrap", "alias", "placeholder", "adapt")
#: Keys of ``when`` that are facts of the interpreter, not versions of a target.
PLATFORM_FACTS = ("platform", "machine")

_ID = re.compile(r"[a-z0-9_][a-z0-9_.-]*(?:/[a-z0-9_][a-z0-9_.-]*)*")
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_ATTACH = re.compile(rf"{_MODULE.pattern}(?::[^\s:.]+(?:\.[^\s:.]+)*)?")
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{16}")
_RETIRE = re.compile(r"(?P<target>[A-Za-z0-9_-]+?)\s*(?P<spec>[<>=!~].*)|never: \S.*")

Found = tuple[str, str]


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_string(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(*allowed: str) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        return value in allowed

    check.__doc__ = "one of " + ", ".join(repr(word) for word in allowed)
    return check


_TYPE_NAMES: dict[Callable[[Any], bool], str] = {
    _is_strings: "a list of strings",
    _is_string: "a non-empty string",
    _is_table: "a table",
    _is_bool: "true or false",
}

TOP_KEYS: dict[str, Callable[[Any], bool]] = {
    "schema": lambda value: type(value) is int and value == 1,
    "targets": _is_table,
    "packs": _is_table,
    "shim": lambda value: isinstance(value, list),
}
TARGET_KEYS = {"dists": _is_strings, "module": _is_string}
PACK_KEYS = {"summary": _is_string, "opt_in": _is_bool}
PROBE_KEYS = {
    "missing": _is_bool,
    "dynamic": _is_bool,
    "provider": _is_string,
    "keyword": _is_string,
    "of": _is_string,
}
ENTRY_KEYS = {"alias": _is_string, "placeholder": _is_string}
SHIM_KEYS: dict[str, Callable[[Any], bool]] = {
    "id": _is_string,
    "attach": _is_string,
    "action": _one_of(*ACTIONS),
    "why": _is_string,
    "packs": _is_strings,
    "upstream": _is_string,
    "when": _is_table,
    "probe": _is_table,
    "check": lambda value: value is True or _is_string(value),
    "retire": _is_string,
    "retired": _is_string,
    "source": _is_string,
    "to": _is_string,
    "message": _is_string,
    "names": _is_table,
    "drop": lambda value: _is_strings(value) or _is_table(value),
    "rename": lambda value: _is_table(value) and _is_strings(list(value.values())),
    "default": _is_table,
    "lossy": _one_of("warn"),
    "needs": _is_strings,
    "conflicts": _is_strings,
    "before": _is_strings,
    "after": _is_strings,
    "group": _is_string,
    "phase": _one_of("pre", "post"),
    "rebind": _one_of("loaded"),
    "export": _is_bool,
    "capability": _is_bool,
    "fidelity": _one_of("exact", "lossy"),
    "fingerprints": _is_strings,
    "version_of": _one_of("release", "pep440"),
}
#: Keys that only some actions read; on any other action they would be ignored.
_ONLY_FOR = {
    "to": ("alias",),
    "message": ("placeholder",),
    "names": ("module",),
    "capability": ("module", "alias"),
    "drop": ("adapt",),
    "rename": ("adapt",),
    "default": ("adapt",),
    "lossy": ("adapt",),
    "source": ("module", "add", "replace", "wrap"),
    "fingerprints": ("replace", "wrap", "adapt"),
    "rebind": ("replace", "wrap", "adapt"),
    "export": ("add", "alias", "placeholder"),
}
_FILLS = ("add", "alias", "placeholder")
_CODE_ACTIONS = ("add", "replace", "wrap")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest of ``known``, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def check_keys(
    table: Mapping[str, Any], known: Mapping[str, Callable[[Any], bool]]
) -> Iterator[Found]:
    """Yield ``(key, message)`` for unknown keys and for values of the wrong type."""
    for key, value in table.items():
        if key not in known:
            yield key, f"unknown key{nearest(key, known) or '; known: ' + ', '.join(known)}"
        elif not known[key](value):
            hint = _near(known[key], value)
            yield key, f"must be {_expected(key, known[key])}, not {value!r}{hint}"


def _expected(key: str, check: Callable[[Any], bool]) -> str:
    if key == "schema":
        return "1, the only schema that this version reads"
    return _TYPE_NAMES.get(check) or check.__doc__ or "a value that DESIGN.md's table allows"


def _near(check: Callable[[Any], bool], value: Any) -> str:
    choices = re.findall(r"'(\w+)'", check.__doc__ or "")
    return nearest(value, choices) if isinstance(value, str) else ""


def check_row(row: dict[str, Any], file: str) -> Iterator[Found]:
    """Yield every finding about one ``[[shim]]`` row that needs no other row to see."""
    bad = list(check_keys(row, SHIM_KEYS))
    yield from bad
    wrong = {key for key, _ in bad}
    required = ("id", "why") if "retired" in row else ("id", "attach", "action", "why")
    for key in required:
        if key not in row:
            yield key, f"is required; add `{key} = …`"
            wrong.add(key)
    good = {key: value for key, value in row.items() if key not in wrong}
    yield from _check_words(good)
    if "retired" not in row and {"id", "attach", "action"} <= good.keys():
        yield from _check_action(good, row, file)


def _check_words(row: dict[str, Any]) -> Iterator[Found]:
    if "id" in row and not _ID.fullmatch(row["id"]):
        yield "id", f"{row['id']!r} must be lower-case words joined by '/', '.', '-' or '_'"
    if "attach" in row and not _ATTACH.fullmatch(row["attach"]):
        yield "attach", f"{row['attach']!r} must be 'module' or 'module:qualname'"
    for mark in row.get("fingerprints", ()):
        if not _FINGERPRINT.fullmatch(mark):
            yield "fingerprints", f"{mark!r} must be 'sha256:' and 16 hex digits"
    if "retire" in row and not _is_retirement(row["retire"]):
        yield "retire", f"{row['retire']!r} must be '<target><specifier>' or 'never: <why>'"
    for key, value in row.get("when", {}).items():
        yield from _check_when(key, value)
    yield from _check_probe(row)
    yield from _check_keywords(row)


def _is_retirement(rule: str) -> bool:
    found = _RETIRE.fullmatch(rule)
    return found is not None and (not found["target"] or _is_specifier(found["spec"]))


def _is_specifier(value: Any) -> bool:
    try:
        SpecifierSet(value if isinstance(value, str) else "no string")
    except InvalidSpecifier:
        return False
    return True


def retire_target(rule: str) -> str:
    """Return the target that a retirement rule is about; empty for ``never``."""
    found = _RETIRE.fullmatch(rule)
    return (found["target"] or "") if found else ""


def _check_probe(row: dict[str, Any]) -> Iterator[Found]:
    for key, message in check_keys(row.get("probe", {}), PROBE_KEYS):
        yield f"probe.{key}", message
    if ("keyword" in row.get("probe", {})) != ("of" in row.get("probe", {})):
        yield "probe", "`keyword` and `of` go together: which keyword, of which 'module:qualname'"


def _check_keywords(row: dict[str, Any]) -> Iterator[Found]:
    """Adapted keywords become parameters of generated code: nothing but identifiers."""
    for key in ("drop", "rename", "default"):
        words = [*row.get(key, ()), *(row.get(key, {}).values() if key == "rename" else ())]
        for word in words:
            if not word.isidentifier() or keyword.iskeyword(word):
                yield f"{key}.{word}", f"{word!r} cannot be the name of a keyword argument"
    for key in ("drop", "default"):
        if not _is_plain(row.get(key, [])):
            yield key, "values must be strings, numbers, booleans, lists or tables, not dates"


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, dict)):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (str, int, float))


def _check_when(key: str, value: Any) -> Iterator[Found]:
    if key in PLATFORM_FACTS and not (_is_string(value) or _is_strings(value)):
        yield f"when.{key}", f"must be a string or a list of strings, not {value!r}"


def version_problem(rule: Any) -> str:
    """Return what is wrong with a version rule of ``when``, or an empty string."""
    return "" if _is_specifier(rule) else f"{rule!r} is no PEP 440 specifier such as '>=2.6,<2.9'"


def _check_action(row: dict[str, Any], whole: dict[str, Any], file: str) -> Iterator[Found]:
    action = row["action"]
    for key, actions in _ONLY_FOR.items():
        if key in whole and action not in actions:
            yield key, f"action {action!r} does not read it; it belongs to {' and '.join(actions)}"
    yield from _check_name(row, whole) if ":" in row["attach"] else _check_module(row, whole)
    yield from _check_needed(action, whole)
    for name, entry in row.get("names", {}).items():
        yield from _check_entry(name, entry)
    yield from _check_source(row, file)


def _check_name(row: dict[str, Any], whole: dict[str, Any]) -> Iterator[Found]:
    if row["action"] == "module":
        yield "attach", "action 'module' serves a whole module: give 'pkg.mod' without ':'"
    is_own_name = "." not in row["attach"].partition(":")[2]
    if whole.get("phase") == "pre" and not (row["action"] in _FILLS and is_own_name):
        yield "phase", f"'pre' seeds a module's own name, by {', '.join(_FILLS)}"


def _check_module(row: dict[str, Any], whole: dict[str, Any]) -> Iterator[Found]:
    action, name = row["action"], row["attach"]
    if action not in ("module", "alias"):
        yield "attach", f"action {action!r} needs a name in the module: 'module:qualname'"
    for key in sorted({"check", "phase", "export", "rebind"} & whole.keys()):
        yield key, "needs a name in a module, 'module:qualname'; this row serves a module"
    if "." not in name and not row.get("capability"):
        yield (
            "attach",
            (
                f"generating the top-level package {name!r} would fool capability checks; "
                "say `capability = true` if that is meant"
            ),
        )


def _check_needed(action: str, row: dict[str, Any]) -> Iterator[Found]:
    if action == "alias" and "to" not in row:
        yield "to", "is required by action 'alias'; add `to = \"module:qualname\"`"
    if action == "placeholder" and "message" not in row:
        yield "message", "is required by action 'placeholder'; add `message = \"the cure\"`"
    if action == "adapt" and not {"drop", "rename", "default"} & row.keys():
        yield "drop", "action 'adapt' needs one of drop, rename, default"


def _check_entry(name: str, entry: Any) -> Iterator[Found]:
    if not _is_table(entry) or len(entry) != 1:
        yield f"names.{name}", "must be { alias = 'm:Y' } or { placeholder = 'cure' }"
        return
    for key, message in check_keys(entry, ENTRY_KEYS):
        yield f"names.{name}.{key}", message


def _check_source(row: dict[str, Any], file: str) -> Iterator[Found]:
    for key, path in (code_file(row, file), _check_file(row, file)):
        if path:
            yield from _check_path(key, path, row["action"], file)


def _check_file(row: dict[str, Any], file: str) -> Found:
    """Return the key and the file of a behavioural probe that a row names itself."""
    name = row.get("check")
    if not isinstance(name, str):
        return "", ""
    return "check", os.path.join(os.path.dirname(os.path.abspath(file)), name.partition(":")[0])


def _check_path(key: str, path: str, action: str, file: str) -> Iterator[Found]:
    folder = os.path.realpath(os.path.dirname(os.path.abspath(file)))
    if not os.path.realpath(path).startswith(folder + os.sep):
        yield key, f"{path} is outside of the registry's folder {folder}"
    elif not os.path.isfile(path):
        yield key, f"there is no file {path}; action {action!r} needs its code there"


def code_file(row: dict[str, Any], file: str) -> tuple[str, str]:
    """Return ``(key that says so, path)`` of a row's code; the path is empty without code."""
    if "source" in row:
        name = row["source"].partition(":")[0]
        return "source", os.path.join(os.path.dirname(os.path.abspath(file)), name)
    if row["action"] == "module" and "names" not in row:
        return "id", os.path.join(shims_dir(file), row["id"], "module.py")
    if row["action"] in _CODE_ACTIONS or row.get("check") is True:
        return "id", os.path.join(shims_dir(file), row["id"], "shim.py")
    return "", ""
