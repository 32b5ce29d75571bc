"""The public functions: thin questions and orders to this process's hub."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

from shimhub import paths, trust
from shimhub.config import Config, Files, Patterns, config_of, variables_of
from shimhub.engines import registry_of
from shimhub.environment import Environment
from shimhub.errors import UnknownShimError, nearest
from shimhub.hub import Hub, current
from shimhub.model import Pack, Selection, Shim, ShimStats, Status, Verdict, Verdicts, tuple_of
from shimhub.patching import Patch
from shimhub.planning import make_plan
from shimhub.rebind import holders
from shimhub.registry import Registry


@contextlib.contextmanager
def shimmed(
    registry: Files | None = None,
    only: Patterns | None = None,
    enable: Patterns | None = None,
    disable: Patterns | None = None,
    strict: bool = False,
) -> Iterator[Verdicts]:
    """Install for the length of a block; then what was installed before is there again."""
    hub = current()
    before = hub.config
    try:
        yield install(registry, only, enable, disable, strict)
    finally:
        if before is None:
            hub.remove()
        else:
            hub.configure(before)


def install(
    registry: Files | None = None,
    only: Patterns | None = None,
    enable: Patterns | None = None,
    disable: Patterns | None = None,
    strict: bool = False,
) -> Verdicts:
    """Install the hub, or change what is installed, and return the verdicts.

    ``registry`` is a path or paths of further registries; ``only``, ``enable`` and ``disable``
    take ids, packs and globs (a comma-separated string or an iterable). SHIMHUB_* variables add
    to the arguments; with ``SHIMHUB=0`` nothing happens. Shims of modules that are imported
    already are applied now, all others when their module is. Installing twice is the same as
    once; another call replaces the earlier one's choice.

    Raises RegistryError (all errors at once), SelectionError (with a suggestion), and with
    ``strict`` ShimError when a shim of an imported module fails; then nothing is installed.
    """
    hub = current()
    config = config_of(registry, only, enable, disable, strict, os.environ)
    if os.environ.get("SHIMHUB") == "0":
        return _switched_off(config)
    hub.configure(config)
    return hub.verdicts()


def enable(*patterns: str) -> Verdicts:
    """Turn ids, packs and globs on besides what is installed, and return the verdicts.

    Undoes ``disable`` of the same patterns; what SHIMHUB_DISABLE names stays off. Installs the
    hub where it is not. Raises as ``install`` does.
    """
    hub = current()
    if hub.config is None:
        return install(enable=patterns)
    chosen, words = hub.config.selection, tuple_of(patterns)
    off = tuple_of(os.environ.get("SHIMHUB_DISABLE"))
    kept = tuple(one for one in chosen.disable if one in off or one not in words)
    return _choose(hub, replace(chosen, enable=_joined(chosen.enable, words), disable=kept))


def disable(*patterns: str) -> Verdicts:
    """Turn ids, packs and globs off, revert what is applied of them, and return the verdicts.

    Undoes ``enable`` of the same patterns. Where the hub is not installed nothing is on. Raises
    SelectionError for a pattern that names nothing.
    """
    hub = current()
    if hub.config is None:
        return hub.verdicts()
    chosen, words = hub.config.selection, tuple_of(patterns)
    kept = tuple(one for one in chosen.enable if one not in words)
    return _choose(hub, replace(chosen, enable=kept, disable=_joined(chosen.disable, words)))


def _joined(words: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return (*words, *(one for one in more if one not in words))


def _choose(hub: Hub, selection: Selection) -> Verdicts:
    assert hub.config is not None  # the callers looked
    hub.configure(replace(hub.config, selection=selection))
    return hub.verdicts()


def uninstall() -> Verdicts:
    """Undo everything: every slot holds what it held before, by identity.

    Returns the verdicts of shims that could not be reverted, because a foreign wrapper stands on
    top of ours; they stay in place, and another ``uninstall()`` tries again. Empty when all is
    as it was.
    """
    hub = current()
    hub.remove()
    return hub.verdicts()


def status() -> Verdicts:
    """Return what became of each shim so far; empty when the hub is not installed."""
    return current().verdicts()


def stats() -> dict[str, ShimStats]:
    """Return by shim id what became of the calls of guarded replacements in this process.

    Totals outlive ``uninstall()`` and begin anew in a forked child.
    """
    return current().guards.stats()


def plan(
    registry: Files | None = None,
    only: Patterns | None = None,
    enable: Patterns | None = None,
    disable: Patterns | None = None,
) -> Verdicts:
    """Return what ``install`` with these arguments would decide, without doing any of it."""
    config = config_of(registry, only, enable, disable, False, os.environ)
    if os.environ.get("SHIMHUB") == "0":
        return _switched_off(config)
    loaded = registry_of(config)
    facts = Environment(loaded.targets)
    return Verdicts(make_plan(loaded, config.selection, facts), digest=loaded.digest)


def explain(what: str) -> Verdicts:
    """Return the verdicts about a shim's id, an attach point, a module or a pack, with evidence.

    Answers from the installed hub, else from the plan. Raises UnknownShimError (a LookupError)
    with the nearest id, attach point or pack.
    """
    hub = current()
    if hub.config is None:
        return explain_plan(what)
    return _explain(what, hub.engine.registry, hub.verdicts())


def explain_plan(
    what: str,
    registry: Files | None = None,
    only: Patterns | None = None,
    enable: Patterns | None = None,
    disable: Patterns | None = None,
) -> Verdicts:
    """Return the same as ``explain`` of what ``install`` with these arguments would decide."""
    config = config_of(registry, only, enable, disable, False, os.environ)
    return _explain(what, registry_of(config), plan(registry, only, enable, disable))


def pack_of(what: str, registry: Files | None = None) -> Pack | None:
    """Return the pack of this name that ``explain_plan`` would know; None where there is none."""
    config = config_of(registry, None, None, None, False, os.environ)
    return registry_of(config).packs.get(what)


def child_environ(
    registry: Files | None = None,
    only: Patterns | None = None,
    enable: Patterns | None = None,
    disable: Patterns | None = None,
    strict: bool = False,
) -> dict[str, str]:
    """Return the variables that make a Python process start as active as this one is.

    They are SHIMHUB_* and PYTHONPATH, for launchers that give their workers an environment of
    their own, such as Ray's ``runtime_env``. Paths are absolute and of this machine. With
    arguments, or where nothing is installed, they say what ``install`` with these would. The
    environment of this process stays as it is. Raises ActivationError for a registry whose path
    cannot stand in a variable.
    """
    asked = (registry, only, enable, disable, strict)
    installed = current().config if not any(asked) else None
    config = installed or config_of(registry, only, enable, disable, strict, os.environ)
    told = {name: value for name, value in os.environ.items() if name.startswith("SHIMHUB")}
    told["SHIMHUB"] = told.get("SHIMHUB", "1")
    told["SHIMHUB_PROJECT"] = trust.granted(os.environ).project
    told["PYTHONPATH"] = paths.with_site_dir(os.environ.get("PYTHONPATH", ""))
    return told | variables_of(config)


def _explain(what: str, registry: Registry, found: Verdicts) -> Verdicts:
    rows = [
        shim for shim in registry.shims if what in (shim.id, shim.attach, shim.module, *shim.packs)
    ]
    if not rows:
        known = [word for shim in registry.shims for word in (shim.id, shim.attach, shim.module)]
        known += registry.packs
        told = f"no shim is called or attached to {what!r}, or in a pack of that name"
        raise UnknownShimError(told + nearest(what, known))
    items = tuple(_explained(shim, found[shim.id], current()) for shim in rows)
    return Verdicts(items, found.active, found.digest)


def _explained(shim: Shim, verdict: Verdict, hub: Hub) -> Verdict:
    told = {
        key: getattr(shim, key)
        for key in ("attach", "action", "why", "upstream", "packs", "retire", "file", "origin")
        if getattr(shim, key)
    }
    if shim.overrides:
        told["overrides"] = shim.overrides
    held = [
        holder
        for entry in (hub.engine.journal.of(shim.id) if shim.rebind else [])
        if isinstance(entry, Patch) and isinstance(entry.slot.owner, ModuleType)
        for holder in holders(entry.original)
    ]
    told |= {"still held by": sorted(set(held))} if held else {}
    return replace(verdict, evidence={**told, **verdict.evidence})


def _switched_off(config: Config) -> Verdicts:
    loaded = registry_of(config)
    items = tuple(
        Verdict(shim.id, Status.DISABLED, "SHIMHUB=0 switches everything off")
        for shim in loaded.shims
    )
    return Verdicts(items, digest=loaded.digest)
