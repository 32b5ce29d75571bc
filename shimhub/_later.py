"""Names of a package whose modules are imported at the first use of a name (PEP 562)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def attributes(
    namespace: dict[str, Any], modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of the package whose ``globals()`` are given.

    ``modules`` has modules below the package, each with the names that it has for the package,
    separated by blanks. A name that was asked for once is kept in the package. Packages call this
    where no type checker looks: to one, a module with ``__getattr__`` has any name.
    """
    package = namespace["__name__"]
    homes = {name: module for module, names in modules.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        namespace[name] = found
        return found

    def listed() -> list[str]:
        return sorted({*namespace, *homes})

    return find, listed
