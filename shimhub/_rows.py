"""The rules of one ``[[shim]]`` row: what its keys must say, and which belong to its action."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Iterator
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from shimhub._schema import (
    ENTRY_KEYS,
    PROBE_KEYS,
    SHIM_KEYS,
    Found,
    check_keys,
    is_string,
    is_strings,
    is_table,
)
from shimhub.paths import code_file

#: Keys of ``when`` that are facts of the interpreter, not versions of a target.
PLATFORM_FACTS = ("platform", "machine")

#: What an id may be; it is also a path below ``shims/``.
ID = re.compile(r"[a-z0-9_][a-z0-9_.-]*(?:/[a-z0-9_][a-z0-9_.-]*)*")
ID_RULE = "must be lower-case words joined by '/', '.', '-' or '_'"
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_ATTACH = re.compile(rf"{_MODULE.pattern}(?::[^\s:.]+(?:\.[^\s:.]+)*)?")
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{16}")
_RETIRE = re.compile(r"(?P<target>[A-Za-z0-9_-]+?)\s*(?P<spec>[<>=!~].*)|never: \S.*")

#: Actions whose code is given a Context.
_CODE = ("add", "replace", "wrap")
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
    "mutates": ("replace",),
    "draws": ("replace",),
    "tolerance": ("replace",),
    "parameters": _CODE,
    "proof": ("replace", "wrap"),
    "proved_with": ("replace", "wrap"),
}
_FILLS = ("add", "alias", "placeholder")


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
    if "id" in row and not ID.fullmatch(row["id"]):
        yield "id", f"{row['id']!r} {ID_RULE}"
    for key in ("attach", "to"):
        if key in row and not _ATTACH.fullmatch(row[key]):
            yield key, f"{row[key]!r} must be 'module' or 'module:qualname'"
    for mark in row.get("fingerprints", ()):
        if not _FINGERPRINT.fullmatch(mark):
            yield "fingerprints", f"{mark!r} must be 'sha256:' and 16 hex digits"
    if "retire" in row and not _is_retirement(row["retire"]):
        yield "retire", f"{row['retire']!r} must be '<target><specifier>' or 'never: <why>'"
    for key, value in row.get("when", {}).items():
        yield from _check_when(key, value)
    yield from _check_parameters(row)
    yield from _check_probe(row)
    yield from _check_keywords(row)


def _check_parameters(row: dict[str, Any]) -> Iterator[Found]:
    for when in (table.get("when", {}) for table in row.get("parameters", ())):
        if not is_table(when):
            yield "parameters.when", f"must be a table of version rules, not {when!r}"
            continue
        for key, value in when.items():
            yield from ((f"parameters.{name}", told) for name, told in _check_when(key, value))


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
    if key in PLATFORM_FACTS and not (is_string(value) or is_strings(value)):
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
    if action == "add" and str(row.get("source")).endswith(":build"):
        yield "source", "would add `build` itself; leave ':build' out to add what it returns"
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
    if action == "alias":
        yield from _check_alias(row)
    if action == "placeholder" and "message" not in row:
        yield "message", "is required by action 'placeholder'; add `message = \"the cure\"`"
    if "tolerance" in row and row.get("fidelity") != "lossy":
        yield "tolerance", 'belongs to `fidelity = "lossy"`; all else is compared bit for bit'
    if action == "adapt" and not {"drop", "rename", "default"} & row.keys():
        yield "drop", "action 'adapt' needs one of drop, rename, default"


def _check_alias(row: dict[str, Any]) -> Iterator[Found]:
    if "to" not in row:
        yield "to", "is required by action 'alias'; add `to = \"module:qualname\"`"
        return
    attach, to = str(row["attach"]), str(row["to"])
    if attach == to:
        yield "to", f"{to!r} is the attach point itself; name the place that it moved to"
    elif ":" in to and ":" not in attach:
        yield "to", f"must be a module, without ':', as the attach point is; not {to!r}"


def _check_entry(name: str, entry: Any) -> Iterator[Found]:
    if not is_table(entry) or len(entry) != 1:
        yield f"names.{name}", "must be { alias = 'm:Y' } or { placeholder = 'cure' }"
        return
    for key, message in check_keys(entry, ENTRY_KEYS):
        yield f"names.{name}.{key}", message


def _check_source(row: dict[str, Any], file: str) -> Iterator[Found]:
    for key, path in (code_file(row, file), *_named_files(row, file)):
        if path and (told := check_file(path, file)):
            yield key, f"{told}; action {row['action']!r} needs its code there"
    if "proved_with" in row and "proof" not in row:
        yield "proved_with", "belongs to `proof`; add `proof = true`"


def _named_files(row: dict[str, Any], file: str) -> Iterator[Found]:
    """Yield the key and the file of a behavioural probe, or of cases, that a row names itself."""
    folder = os.path.dirname(os.path.abspath(file))
    for key in ("check", "proof"):
        if isinstance(name := row.get(key), str):
            yield key, os.path.join(folder, name.partition(":")[0])


def check_file(path: str, registry: str) -> str:
    """Return what is wrong with a path that a registry names, from its folder; empty if nothing."""
    folder = os.path.realpath(os.path.dirname(os.path.abspath(registry)))
    full = os.path.join(folder, path)
    if not os.path.realpath(full).startswith(folder + os.sep):
        return f"{full} is outside of the registry's folder {folder}"
    return "" if os.path.isfile(full) else f"there is no file {full}"
