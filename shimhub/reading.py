"""Read registry files: find all errors of all files at once, and merge the rows.

Later sources win, row by row, and say so in ``Shim.overrides``. Start-up does not come here while
the compiled table is warm.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shimhub import _rows, _schema, _toml, paths
from shimhub.errors import RegistryError, nearest
from shimhub.model import Problem
from shimhub.registry import Source

Lines = Mapping[_toml.Path, int]

_PATTERN_KEYS = ("needs", "conflicts", "before", "after")


def load_table(sources: Iterable[Source], digest: str = "") -> dict[str, Any]:
    """Read and merge ``sources`` into a plain table of strings, lists and dicts.

    Raises RegistryError with every problem of every source; a file that cannot be read is one.
    """
    problems: list[Problem] = []
    files = [_read(path, origin, problems) for path, origin in sources]
    targets = {name: row for file in files for name, row in file.table("targets")}
    packs = {name: {**row, "file": one.path} for one in files for name, row in one.table("packs")}
    rows = _merge(files)
    ids = {str(row.get("id")) for file in files for row in file.raw_rows()}
    for file in files:
        problems += file.cross_check(targets, packs, ids)
    problems += _cycles(rows, {row["id"]: file for file in files for row in file.rows})
    if problems:
        raise RegistryError(sorted(set(problems), key=lambda item: (item.file, item.line)))
    return {"shims": list(rows.values()), "targets": targets, "packs": packs, "digest": digest}


@dataclass(frozen=True)
class _File:
    path: str
    origin: str
    data: Mapping[str, Any]
    lines: Lines
    rows: tuple[dict[str, Any], ...]

    def table(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        value = self.data.get(name, {})
        if isinstance(value, dict):
            yield from ((key, row) for key, row in value.items() if isinstance(row, dict))

    def problem(self, path: _toml.Path, message: str, shown: str | None = None) -> Problem:
        prefixes = (path[:size] for size in range(len(path), 0, -1))
        inside = (line for one, line in self.lines.items() if one[: len(path)] == path)
        line = next(
            (self.lines[one] for one in prefixes if one in self.lines), min(inside, default=0)
        )
        return Problem(self.path, line, shown or ".".join(str(part) for part in path), message)

    def row_problem(self, index: int, key: str, message: str) -> Problem:
        row = self.data["shim"][index]
        name = row.get("id", f"shim {index + 1}") if isinstance(row, dict) else f"shim {index + 1}"
        return self.problem(("shim", index, *key.split(".")), message, f"{name}: {key}")

    def check(self) -> Iterator[Problem]:
        for key, message in _schema.check_keys(dict(self.data), _schema.TOP_KEYS):
            yield self.problem((key,), message)
        if "schema" not in self.data:
            yield Problem(self.path, 1, "schema", "is required; add `schema = 1`")
        yield from self._check_tables("targets", _schema.TARGET_KEYS, ())
        yield from self._check_tables("packs", _schema.PACK_KEYS, ("summary",))
        yield from self._check_rows()

    def _check_tables(
        self, kind: str, known: Mapping[str, Any], required: Iterable[str]
    ) -> Iterator[Problem]:
        value = self.data.get(kind, {})
        for name, row in value.items() if isinstance(value, dict) else ():
            if not isinstance(row, dict):
                yield self.problem((kind, name), "must be a table")
                continue
            for key, message in _schema.check_keys(row, known):
                yield self.problem((kind, name, key), message)
            for key in required:
                if key not in row:
                    yield self.problem((kind, name), f"{key} is required; say what it is for")
            if "compat" in row and (told := _rows.check_file(str(row["compat"]), self.path)):
                yield self.problem((kind, name, "compat"), told)

    def _check_rows(self) -> Iterator[Problem]:
        seen: dict[str, int] = {}
        rows = self.data.get("shim", [])
        for index, row in enumerate(rows if isinstance(rows, list) else []):
            if not isinstance(row, dict):
                yield self.row_problem(index, "shim", "must be a [[shim]] table")
                continue
            for key, message in _rows.check_row(row, self.path):
                yield self.row_problem(index, key, message)
            if (first := seen.setdefault(str(row.get("id")), index)) != index and "id" in row:
                line = self.lines.get(("shim", first), 0)
                yield self.row_problem(index, "id", f"is declared twice; first in line {line}")

    def cross_check(
        self, targets: Mapping[str, Any], packs: Mapping[str, Any], ids: Collection[str]
    ) -> Iterator[Problem]:
        """Yield findings about words that another row or file must declare."""
        facts = {*targets, "python"}
        for index, row in enumerate(self.raw_rows()):
            found = [*_check_when(row, facts), *_check_words(row, packs, facts)]
            for key, message in (*found, *_check_patterns(row, ids)):
                yield self.row_problem(index, key, message)

    def raw_rows(self) -> list[dict[str, Any]]:
        """Return the rows as they stand in the file, right or wrong."""
        rows = self.data.get("shim", [])
        return [_table(row) for row in rows] if isinstance(rows, list) else []


def _check_when(row: dict[str, Any], facts: Collection[str]) -> Iterator[tuple[str, str]]:
    known = [*facts, *_rows.PLATFORM_FACTS]
    for name, rule in _rules(row):
        is_platform = name in _rows.PLATFORM_FACTS or nearest(name, known[-2:])
        if not is_platform and (message := _rows.version_problem(rule)):
            yield f"when.{name}", message
        if name not in known:
            hint = nearest(name, known)
            yield "when", f"unknown target {name!r}{hint}; declare [targets.<name>]"


def _rules(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the version rules of a row, those of its parameters too."""
    yield from _table(row.get("when")).items()
    tables = row.get("parameters", [])
    for table in tables if isinstance(tables, list) else []:
        yield from _table(_table(table).get("when")).items()


def _check_words(
    row: dict[str, Any], packs: Collection[str], facts: Collection[str]
) -> Iterator[tuple[str, str]]:
    for word in _strings(row.get("packs")):
        if word not in packs:
            hint = nearest(word, packs)
            yield "packs", f"unknown pack {word!r}{hint}; declare [packs.<name>]"
    for word in _strings(row.get("proved_with")):
        if word not in facts:
            yield "proved_with", f"unknown target {word!r}{nearest(word, facts)}; declare it"
    target = _rows.retire_target(str(row.get("retire", "")))
    if target and target not in facts:
        hint = nearest(target, facts)
        yield "retire", f"unknown target {target!r}{hint}; declare [targets.<name>]"


def _check_patterns(row: dict[str, Any], ids: Collection[str]) -> Iterator[tuple[str, str]]:
    for key in _PATTERN_KEYS:
        for word in _strings(row.get(key)):
            if not fnmatch.filter(ids, word):
                yield key, f"names no shim: {word!r}{nearest(word, ids)}"


def _strings(value: Any) -> list[str]:
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _read(path: str, origin: str, problems: list[Problem]) -> _File:
    path = os.path.abspath(path)
    try:
        if not os.path.isdir(path) and os.path.exists(path) and not os.path.isfile(path):
            raise OSError(0, "is no regular file")
        with open(path, "rb") as stream:
            is_refused = origin != "packaged" and paths.is_open_to_all(os.fstat(stream.fileno()))
            text = stream.read(_toml.MAX_BYTES + 1)
    except OSError as error:
        problems.append(Problem(path, 0, "file", f"cannot be read: {error.strerror}"))
        return _File(path, origin, {}, {}, ())
    if is_refused:
        told = f"can be written by everybody; `chmod o-w {path}`"
        problems.append(Problem(path, 0, "file", told))
    data, lines, found = _toml.parse(text, path)
    file = _File(path, origin, data, lines, ())
    found += list(file.check()) if not found else []
    problems += found
    rows = data.get("shim", []) if not found else []
    return _File(path, origin, data, lines, tuple(rows))


def _tombstone(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a retired row still says; its rules are history, and are not checked either."""
    return {key: value for key, value in row.items() if not isinstance(value, (dict, list))}


def _merge(files: Iterable[_File]) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for file in files:
        for index, row in enumerate(file.rows):
            earlier = merged.get(row["id"], {}).get("file", "")
            merged[row["id"]] = {
                **(_tombstone(row) if "retired" in row else row),
                "file": file.path,
                "line": file.lines.get(("shim", index), 0),
                "origin": file.origin,
                "overrides": earlier,
            }
    return merged


def _cycles(rows: Mapping[str, Any], files: Mapping[str, _File]) -> Iterator[Problem]:
    """Yield one problem for each cycle of ``needs``, naming its members."""
    for start in rows:
        path = _walk_needs(start, rows)
        if path and start == min(path):
            line = files[start].lines.get(("shim", files[start].rows.index(_own(start, files))), 0)
            names = " -> ".join([*path, start])
            yield Problem(files[start].path, line, f"{start}: needs", f"is a cycle: {names}")


def _own(shim_id: str, files: Mapping[str, _File]) -> dict[str, Any]:
    return next(row for row in files[shim_id].rows if row["id"] == shim_id)


def _walk_needs(start: str, rows: Mapping[str, Any]) -> list[str]:
    """Return a path of needs from ``start`` back to it, or an empty list."""
    stack = [[start]]
    seen = set()
    while stack:
        path = stack.pop()
        for pattern in rows[path[-1]].get("needs", ()):
            for needed in fnmatch.filter(rows, pattern):
                if needed == start and (pattern == start or path[-1] != start):
                    return path
                if needed not in seen:
                    seen.add(needed)
                    stack.append([*path, needed])
    return []
