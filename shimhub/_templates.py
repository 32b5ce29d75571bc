"""The texts that ``shimhub new`` writes: a row, its code and its test."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """What the user asked ``shimhub new`` for; empty words get a stand-in that works."""

    id: str
    attach: str
    action: str
    to: str = ""
    message: str = ""
    why: str = ""

    @property
    def module(self) -> str:
        """The module that the attach point is in."""
        return self.attach.partition(":")[0]

    @property
    def name(self) -> str:
        """The last word of the attach point: what the replacement is called."""
        return self.attach.replace(":", ".").rpartition(".")[2]

    @property
    def origin(self) -> str:
        """Where an alias leads."""
        return self.to or ("builtins:object" if ":" in self.attach else "builtins")

    @property
    def cure(self) -> str:
        """What a placeholder tells."""
        return self.message or f"{self.attach} is not there; say here what to use instead"


def row(wish: Wish) -> str:
    """Return the ``[[shim]]`` table."""
    lines = ["[[shim]]", *(f"{key} = {_quoted(value)}" for key, value in _keys(wish).items())]
    if wish.action == "adapt":
        lines.append('drop = ["new_keyword"]  # what callers pass and it lacks; dropped when None')
    if wish.action in ("module", "alias") and "." not in wish.attach and ":" not in wish.attach:
        lines.append(
            "capability = true  # a top-level package: `import` of it succeeds from now on"
        )
    return "\n".join(lines) + "\n"


def _keys(wish: Wish) -> dict[str, str]:
    keys = {"id": wish.id, "attach": wish.attach, "action": wish.action}
    if wish.action == "alias" or wish.to:
        keys["to"] = wish.origin
    if wish.action == "placeholder" or wish.message:
        keys["message"] = wish.cure
    return keys | {
        "why": wish.why or f"Say in one sentence who needs {wish.attach}, and since when."
    }


def _quoted(text: str) -> str:
    """Return a TOML string: that of JSON, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def code(wish: Wish) -> str:
    """Return shim.py, or module.py of a ``module`` row."""
    if wish.action == "module":
        return f'"""Stands in for {wish.module} where it is missing."""\n'
    return {"add": _ADD, "replace": _CALL, "wrap": _CALL}[wish.action].format(
        attach=wish.attach,
        name=wish.name,
        verb="the replacement of" if wish.action == "replace" else "a function around",
    )


def test(wish: Wish, registry: str, slug: str) -> str:
    """Return the test; ``slug`` is the id as part of a function's name."""
    is_module = ":" not in wish.attach
    kind = _MODULE if is_module else _NAME
    *path, name = wish.attach.partition(":")[2].split(".")
    steps = [f'    owner = inspect.getattr_static(owner, "{part}")\n' for part in path]
    check = _CHECKS["alias_module" if is_module and wish.action == "alias" else wish.action]
    return kind.format(
        attach=wish.attach,
        module=wish.module,
        steps="".join(steps),
        name=name,
        id=wish.id,
        slug=slug,
        depth=wish.id.count("/") + 2,
        registry=os.path.basename(registry),
        check=check.format(id=wish.id, origin=wish.origin, name=name),
        standard="import pkgutil\n" if wish.action == "alias" and not is_module else "",
        installed="import pytest\n" if wish.action == "placeholder" else "",
    )


_ADD = '''\
"""What {attach} would be: say where its behaviour comes from, with a link."""


def build(original, ctx):
    """Return {attach}; there is no original."""

    def {name}(*args, **kwargs):
        raise NotImplementedError("{attach} is not written yet")

    return {name}
'''

_CALL = '''\
"""What {attach} does differently here: say why, with a link."""


def build(original, ctx):
    """Return {verb} {attach}."""

    def {name}(*args, **kwargs):  # write the exact signature: calls are faster by it
        return original(*args, **kwargs)

    return {name}
'''

_NAME = '''\
"""{attach} with its shim and without; `python -m pytest` runs this."""

import importlib
import inspect
{standard}from pathlib import Path

{installed}import shimhub

REGISTRY = Path(__file__).parents[{depth}] / "{registry}"
ABSENT = object()


def found():
    """Return what stands at {attach}."""
    owner = importlib.import_module("{module}")
{steps}    return inspect.getattr_static(owner, "{name}", ABSENT)


def test_{slug}():
    """The shim is there inside the block, and what was there before is there after it."""
    before = found()
    with shimhub.shimmed(registry=REGISTRY, only="{id}", strict=True):
        verdict = shimhub.status()["{id}"]
{check}    assert found() is before
'''

_MODULE = '''\
"""{attach} with its shim and without; `python -m pytest` runs this."""

import importlib
import importlib.util
import sys
from pathlib import Path

import shimhub

REGISTRY = Path(__file__).parents[{depth}] / "{registry}"


def test_{slug}():
    """The module can be imported inside the block; one that is served is gone after it."""
    is_real = importlib.util.find_spec("{module}") is not None
    with shimhub.shimmed(registry=REGISTRY, only="{id}", strict=True):
        module = importlib.import_module("{module}")
        verdict = shimhub.status()["{id}"]
        if is_real:
            assert verdict.status == "NOT_NEEDED", verdict
        else:
{check}    assert ("{module}" in sys.modules) == is_real
'''

_FILLS = """\
        if before is not ABSENT:  # the real thing wins
            assert verdict.status == "NOT_NEEDED", verdict
            assert found() is before
        else:
            assert verdict.status == "APPLIED", verdict
"""
_CHANGES = """\
        assert verdict.status == "APPLIED", verdict
        assert found() is not before
        # Compare with the original: assert found()(...) == before(...)
"""
_CHECKS = {
    "add": _FILLS + '            assert found().__shimhub__.shim == "{id}"\n',
    "alias": _FILLS + '            assert found() is pkgutil.resolve_name("{origin}")\n',
    "placeholder": _FILLS
    + "            with pytest.raises(NotImplementedError):\n                found()()\n",
    "replace": _CHANGES,
    "wrap": _CHANGES,
    "adapt": _CHANGES,
    "module": """\
            assert verdict.status == "APPLIED", verdict
            assert module.__shimhub__.shim == "{id}"
""",
    "alias_module": """\
            assert verdict.status == "APPLIED", verdict
            assert module is importlib.import_module("{origin}")
""",
}
