"""Trust: registries that wait for it, files that are not what was trusted, the store itself."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping

from shimhub import paths, trust, trusting
from shimhub.doctor.finding import Finding, edit, finding, ours
from shimhub.errors import TrustError, nearest
from shimhub.model import tuple_of
from shimhub.registry import Registry


def of_trust(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what waits for trust, and what is trusted and is not as it was."""
    try:
        entries = trusting.entries()
    except TrustError as error:
        yield _unsafe(str(error))
        return
    grant = trust.granted(environ)
    known = {(one.kind, one.name) for one in entries}
    if grant.project and ("project", grant.project) not in known:
        told = "its [tool.shimhub] is not read"
        yield finding("SH501", told, grant.project, ours("trust", grant.project))
    for entry in trusting.offered():
        if ("entry point", entry.name) not in known and entry.file:
            told = f"{entry.dist} offers shims as {entry.name!r}, which are not read"
            yield finding("SH502", told, entry.file, ours("trust", entry.name))
    for one in entries:
        yield from _changed(one)


def _changed(one: trusting.Trusted) -> Iterator[Finding]:
    gone = [file for file in one.files if not os.path.exists(file)]
    if gone:
        told = f"it is trusted as part of {one.name}, and is gone"
        yield finding("SH503", told, gone[0], ours("distrust", one.name))
    elif one.kind == "project":
        lines = trust.block_of(trust.read_store(), one.name)
        if file := trust.changed_file(lines):
            told = f"it is not as it was trusted; {one.name} is not read"
            command = ours("trust", one.name)
            if wrong := trusting.mistake_in(one.name):
                told, command = (
                    f"{told}, and has a mistake: {wrong.message}",
                    edit(wrong.file, wrong.line),
                )
            yield finding("SH503", told, file, command)


def _unsafe(told: str) -> Finding:
    store = paths.trust_store()
    places = [os.path.dirname(store), store]
    is_mine = os.path.isfile(store) and all(os.stat(one).st_uid == os.geteuid() for one in places)
    command = ["chmod", "go-w", *places] if is_mine else ["mv", store, f"{store}.aside"]
    return finding("SH504", told, store, shlex.join(command))


def of_settings(registry: Registry, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding for each word of a trusted project that no registry has."""
    grant = trust.granted(environ)
    for name in ("enable", "disable", "only"):
        for word in tuple_of(grant.settings.get(name)):
            if not registry.matching(word):
                hint = nearest(word, [*registry.by_id, *registry.packs])
                told = f"{name}: {word!r} names no shim, pack or glob{hint}; then trust it anew"
                yield finding("SH505", told, grant.project, edit(grant.project, 0))
