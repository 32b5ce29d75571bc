"""registry.toml as data: rows, targets and packs, parsed, validated and merged."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shimhub.model import Pack, Shim, Target
from shimhub.paths import code_file, shims_dir

#: ``(path, origin)``: origin is ``packaged`` or the words by which the user named the file.
Source = tuple[str, str]

_TUPLE_KEYS = (
    "packs",
    "fingerprints",
    "needs",
    "conflicts",
    "before",
    "after",
    "parameters",
    "proved_with",
)


@dataclass(frozen=True)
class Registry:
    """Parsed, validated and merged registries; rows in order of declaration."""

    shims: tuple[Shim, ...]
    targets: Mapping[str, Target]
    packs: Mapping[str, Pack]
    digest: str = ""

    @cached_property
    def by_id(self) -> Mapping[str, Shim]:
        """Rows by id."""
        return {shim.id: shim for shim in self.shims}

    @cached_property
    def modules(self) -> frozenset[str]:
        """Names of all modules that a live row attaches to."""
        return frozenset(shim.module for shim in self.shims if not shim.retired)

    def of_module(self, name: str) -> tuple[Shim, ...]:
        """Return the live rows that attach to module ``name``, in order."""
        return tuple(shim for shim in self.shims if shim.module == name and not shim.retired)

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Return the ids that ``pattern`` (an id, a pack or a glob over ids) names."""
        if pattern in self.by_id:
            return (pattern,)
        if pattern in self.packs:
            return tuple(shim.id for shim in self.shims if pattern in shim.packs)
        return tuple(fnmatch.filter(self.by_id, pattern))

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Registry:
        """Build the registry from the plain table that ``load_table`` or the cache gives."""
        return cls(
            shims=tuple(_shim(row) for row in table["shims"]),
            targets={name: _target(name, row) for name, row in table["targets"].items()},
            packs={name: Pack(name, **row) for name, row in table["packs"].items()},
            digest=table["digest"],
        )


def _shim(row: Mapping[str, Any]) -> Shim:
    fields = dict(row)
    for key in _TUPLE_KEYS:
        fields[key] = tuple(fields.get(key, ()))
    fields.setdefault("attach", "")
    fields.setdefault("action", "")
    return Shim(**fields)


def _target(name: str, row: Mapping[str, Any]) -> Target:
    module = row.get("module", name.replace("-", "_"))
    return Target(name, tuple(row.get("dists", [name])), module)


def code_path(shim: Shim) -> str:
    """Path of the file that holds the shim's code; empty for a code-free shim."""
    row: dict[str, Any] = {"id": shim.id, "action": shim.action, "check": shim.check}
    row |= {"source": shim.source} if shim.source else {}
    row |= {} if shim.names is None else {"names": shim.names}
    return code_file(row, shim.file)[1]


def folder_of(shim: Shim) -> str:
    """Folder of a shim under ``shims/`` beside its registry, whether or not it exists."""
    return os.path.join(shims_dir(shim.file), shim.id)
