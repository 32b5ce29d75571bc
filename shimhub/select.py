"""The user's word about shims: which are asked for, which are off, which follow the defaults."""

from __future__ import annotations

from collections.abc import Iterable

from shimhub.errors import SelectionError, nearest
from shimhub.model import Selection, Shim
from shimhub.registry import Registry

#: How specific a pattern is: an id beats a pack or a glob; off beats on at the same rank.
_ID, _MANY = 2, 1


def check_selection(registry: Registry, selection: Selection) -> None:
    """Raise SelectionError, naming every pattern that matches nothing and the nearest word."""
    known = [*registry.by_id, *registry.packs]
    patterns = (*(selection.only or ()), *selection.enable, *selection.disable)
    unknown = [word for word in patterns if not registry.matching(word)]
    if unknown:
        told = "; ".join(f"{word!r}{nearest(word, known)}" for word in unknown)
        raise SelectionError(f"no shim, pack or glob is called {told}; see `shimhub list`")


def disabled_reason(registry: Registry, selection: Selection, shim: Shim) -> str:
    """Return why ``shim`` is off, or an empty string where nothing keeps it from being applied."""
    on, off = _ranks(registry, selection, shim)
    if off and off[0] >= (on[0] if on else 0):
        return f"disabled by {off[1]!r}"
    if on:
        return ""
    if selection.only is not None:
        return "not in the `only` list"
    if asked_for(registry, selection, shim):
        return ""
    return _default_reason(registry, shim)


def asked_for(registry: Registry, selection: Selection, shim: Shim) -> bool:
    """Whether the user named the shim, one of its packs, a glob over it, or its registry."""
    on, _ = _ranks(registry, selection, shim)
    return bool(on) or shim.named_by_user


def asked_by_id(selection: Selection, shim: Shim) -> bool:
    """Whether the user named this very id, which outweighs a missing fingerprint."""
    return shim.id in (*(selection.only or ()), *selection.enable)


def _ranks(
    registry: Registry, selection: Selection, shim: Shim
) -> tuple[tuple[int, str] | None, tuple[int, str] | None]:
    on = _best(registry, (*(selection.only or ()), *selection.enable), shim)
    return on, _best(registry, selection.disable, shim)


def _best(registry: Registry, patterns: Iterable[str], shim: Shim) -> tuple[int, str] | None:
    ranked = [
        (_ID if pattern == shim.id else _MANY, pattern)
        for pattern in patterns
        if shim.id in registry.matching(pattern)
    ]
    return max(ranked, default=None)


def _default_reason(registry: Registry, shim: Shim) -> str:
    packs = [registry.packs[name] for name in shim.packs]
    if packs and all(pack.opt_in for pack in packs):
        return f"opt-in; turn on with --enable {packs[0].name}"
    if shim.fidelity == "lossy":
        return f"lossy; turn on with --enable {shim.id}"
    if shim.replaces and not (shim.fidelity == "exact" and shim.fingerprints):
        return f"replaces working code and has no proof; turn on with --enable {shim.id}"
    return ""
