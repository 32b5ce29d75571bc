"""The replacements of axolotl's packing as they are without it: for tests beside their rows."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def shared(test: str) -> SimpleNamespace:
    """Return what the shims of packing share."""
    return SimpleNamespace(**runpy.run_path(str(Path(test).parent.parent / "_packing.py")))


def building(test: str, **fixed: Any) -> Any:
    """Return ``build`` of the shim beside a test file: for a module, or class, that nobody has.

    ``fixed`` are parameters that it has unless told otherwise, and ``owner``. What a replacement
    logs is appended to ``build.said``.
    """
    said = list[str]()
    owner = fixed.pop("owner", None)

    def build(**parameters: Any) -> Any:
        log = SimpleNamespace(debug=said.append)
        ctx = SimpleNamespace(
            parameters={"calls": {}, **fixed, **parameters},
            load=lambda name: shared(test),
            module=SimpleNamespace(LOG=log, gc=SimpleNamespace(collect=lambda: 0)),
            owner=owner,
        )
        return runpy.run_path(str(Path(test).with_name("shim.py")))["build"](lambda: None, ctx)

    build.said = said  # type: ignore[attr-defined]
    return build
