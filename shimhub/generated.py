"""Generated modules: served from a real file when no finder has the real module."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import Any

from shimhub.attach import module_exists
from shimhub.errors import nearest
from shimhub.model import Provenance, Shim
from shimhub.patching import MISSING
from shimhub.placeholder import make_placeholder
from shimhub.registry import code_path


def make_spec(shim: Shim, is_package: bool, version: str = "") -> ModuleSpec:
    """Return the spec of the module that a row of action ``module`` or ``alias`` serves.

    ``version`` is that of the distribution that lacks it, for the messages of placeholders.
    Its file is the shim's ``module.py``; a code-free module's file is the registry that declares
    it, which is its source indeed.
    """
    path = code_path(shim)
    if path:
        spec = spec_from_file_location(shim.module, path)
    else:
        loader: Any = AliasLoader(shim) if shim.action == "alias" else NamesLoader(shim, version)
        spec = spec_from_file_location(shim.module, shim.file, loader=loader)
    assert spec is not None  # a location was given
    if is_package:
        spec.submodule_search_locations = []  # children are generated too, not found beside us
    spec.cached = spec.cached if path else None
    return spec


def fill_names(shim: Shim, module: ModuleType, version: str) -> None:
    """Put the row's aliases and placeholders into ``module``; raises ImportError for an alias."""
    for name, entry in (shim.names or {}).items():
        if "alias" in entry:
            module.__dict__[name] = import_object(entry["alias"])
        else:
            stamp = Provenance(shim.id, f"{shim.module}:{name}", shim.file, placeholder=True)
            cure = entry["placeholder"]
            made = make_placeholder(shim.module, name, cure, stamp, version)
            module.__dict__[name] = made


def import_object(point: str) -> Any:
    """Import ``module:qualname`` and return the object; raises ImportError naming the point."""
    name, _, qualname = point.partition(":")
    found: Any = importlib.import_module(name)
    for part in qualname.split(".") if qualname else ():
        owner, found = found, getattr(found, part, MISSING)
        if found is MISSING:
            hint = nearest(part, map(str, dir(owner)))
            raise ImportError(f"{name} has no {qualname!r}{hint}", name=name)
    return found


class NamesLoader:
    """Loader of a code-free module: fills in the row's names."""

    def __init__(self, shim: Shim, version: str = "") -> None:
        self.shim = shim
        self.name = shim.module
        self._version = version

    def create_module(self, spec: ModuleSpec) -> None:
        """Let importlib make a plain module."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module; raises ImportError where an alias leads nowhere."""
        module.__dict__["__doc__"] = self.shim.why
        fill_names(self.shim, module, self._version)

    def get_source(self, fullname: str) -> str:
        """Return the registry's text, for tracebacks and ``inspect.getsource``."""
        with open(self.shim.file, encoding="utf-8") as stream:
            return stream.read()


class AliasLoader(NamesLoader):
    """Loader of a module that moved: the old name becomes the very same module object."""

    def exec_module(self, module: ModuleType) -> None:
        """Import the module's new place and put it under the old name."""
        sys.modules[self.shim.module] = importlib.import_module(self.shim.to)


class AliasChildren:
    """Finder of the submodules of aliased packages; on ``sys.meta_path`` while one is served."""

    def __init__(self, serve: Callable[[Shim], ModuleSpec]) -> None:
        self.packages: dict[str, Shim] = {}
        self._serve = serve

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec that serves the child of the package's new place."""
        for old, shim in self.packages.items():
            if fullname.startswith(old + "."):
                return self._child(shim, fullname, shim.to + fullname[len(old) :])
        return None

    def _child(self, shim: Shim, old: str, new: str) -> ModuleSpec | None:
        row = replace(shim, attach=old, to=new)
        return self._serve(row) if module_exists(new) else None


def refuse_import(shim: Shim, error: Exception) -> ModuleNotFoundError:
    """Return the error that an importer expects when the module cannot be generated."""
    told = f"No module named {shim.module!r} (shim {shim.id} could not serve it: {error})"
    return ModuleNotFoundError(told, name=shim.module)


def guard_exec(
    spec: ModuleSpec, shim: Shim, loaded: Callable[[ModuleType], None], failed: Callable[..., None]
) -> None:
    """Make the spec's loader report what became of the generated module."""
    loader: Any = spec.loader
    inner = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        loader.__dict__.pop("exec_module", None)
        if shim.action != "alias":  # that is another's module under an old name
            place = code_path(shim) or shim.file
            module.__dict__["__shimhub__"] = Provenance(shim.id, shim.attach, place)
        try:
            inner(module)
        except Exception as error:  # a shim's module may raise anything; it is chained
            failed(shim, error)
            raise refuse_import(shim, error) from error
        loaded(module)

    loader.exec_module = exec_module
