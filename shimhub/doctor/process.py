"""This process: flags of the interpreter, variables, the finder and what became of the shims."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from shimhub import compiled
from shimhub.activation import startup
from shimhub.config import config_of
from shimhub.doctor.finding import Finding, export, finding, ours, program
from shimhub.doctor.patchers import without
from shimhub.engines import registry_of
from shimhub.errors import ShimhubError, nearest
from shimhub.finder import Finder
from shimhub.hub import current
from shimhub.model import Status, tuple_of
from shimhub.paths import SITE_DIR
from shimhub.registry import Registry, Source

#: Every variable that some part of shimhub reads; README.md tells what they mean.
VARIABLES = (
    "SHIMHUB",
    "SHIMHUB_DIGEST",
    "SHIMHUB_DISABLE",
    "SHIMHUB_ENABLE",
    "SHIMHUB_LANES",
    "SHIMHUB_NATIVE",
    "SHIMHUB_ONLY",
    "SHIMHUB_PROJECT",
    "SHIMHUB_REGISTRY",
    "SHIMHUB_RUN_DIR",
    "SHIMHUB_STRICT",
    "SHIMHUB_SPEED",
    "SHIMHUB_VERIFY",
)
_AUTO = "import shimhub.auto, shimhub.cli; shimhub.cli.main(['doctor'])"
_CHOOSING = ("SHIMHUB_ENABLE", "SHIMHUB_DISABLE", "SHIMHUB_ONLY")


def of_flags() -> Iterator[Finding]:
    """Yield a finding for each flag of this interpreter that hinders activation."""
    flags = sys.flags
    told = [
        ("-I", flags.isolated, "ignores PYTHONPATH, by which `shimhub run` reaches children"),
        (
            "-E",
            flags.ignore_environment and not flags.isolated,
            "ignores PYTHONPATH, by which `shimhub run` reaches children",
        ),
        ("-S", flags.no_site, "runs no start-up file at all, neither that of `shimhub activate`"),
    ]
    cures = {"-S": "nor another; put `import shimhub.auto` first in the program"}
    for flag, is_set, does in told:
        if is_set:
            cure = cures.get(flag, "the files of `shimhub activate` work under it")
            yield finding("SH001", f"python {flag} {does}; {cure}", sys.executable, ours("doctor"))


def of_variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield findings about SHIMHUB, unknown SHIMHUB_ variables and PYTHONPATH."""
    if environ.get("SHIMHUB") == "0":
        yield finding("SH002", "no shim is applied", "SHIMHUB", "unset SHIMHUB")
    for name in sorted(environ):
        if name.startswith("SHIMHUB") and name not in VARIABLES:
            hint = nearest(name, VARIABLES)
            yield finding("SH003", f"{name} is read by nothing{hint}", name, f"unset {name}")
    entries = environ.get("PYTHONPATH", "").split(os.pathsep)
    tail = os.path.join("shimhub", "activation", "site")
    others = [one for one in entries if one.endswith(tail) and one != SITE_DIR]
    if others:
        left = [one for one in entries if one not in others]
        command = export("PYTHONPATH", left, os.pathsep)
        told = "children start with another shimhub than this one"
        yield finding("SH006", told, os.pathsep.join(others), command)


def of_choice(registry: Registry, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding for each variable that names what no registry has."""
    for name in _CHOOSING:
        words = tuple_of(environ.get(name))
        wrong = [word for word in words if not registry.matching(word)]
        for word in wrong:
            hint = nearest(word, [*registry.by_id, *registry.packs])
            command = export(name, [one for one in words if one not in wrong], ",")
            yield finding("SH004", f"{word!r} names no shim, pack or glob{hint}", name, command)


def of_digest(sources: tuple[Source, ...], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding where the launcher read other registries than there are here."""
    told, found = environ.get("SHIMHUB_DIGEST"), compiled.digest_of(sources)
    if told not in (None, "", found):
        what = f"registries differ here ({found}) and at the start ({told}); start the run again"
        yield finding("SH005", what, "SHIMHUB_DIGEST", "unset SHIMHUB_DIGEST")


def of_finder(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding where this process should be active and is not, or where a shim failed."""
    if not any(isinstance(one, Finder) for one in sys.meta_path):
        if _should_be_active(environ):
            told = (
                "something took it away, or its start failed, which stderr tells; "
                "`import shimhub.auto` at the top of a program brings it back"
            )
            yield finding("SH105", told, "sys.meta_path", program(_AUTO))
        return
    hub = current()
    if hub.config is None:
        told = f"the hub could not start{_reason(environ)}; mend that first"
        yield finding("SH105", told, "sys.meta_path", ours("list"))
        return
    if not hub.is_active():
        name = _name(_first())
        told = f"{name} answers before our finder, so shims may not be applied"
        yield finding("SH106", told, "sys.meta_path", without(name.partition(".")[0]))
    for verdict in hub.verdicts():
        if verdict.status is Status.FAILED:
            known = tuple_of(environ.get("SHIMHUB_DISABLE"))
            command = export("SHIMHUB_DISABLE", [*known, verdict.id], ",")
            yield finding("SH107", verdict.reason, verdict.id, command)


def state(environ: Mapping[str, str]) -> str:
    """Return in words whether this very process is active."""
    if any(isinstance(one, Finder) for one in sys.meta_path):
        return "active"
    return "not active (SHIMHUB=0)" if environ.get("SHIMHUB") == "0" else "not active"


def _should_be_active(environ: Mapping[str, str]) -> bool:
    if environ.get("SHIMHUB") == "0" or sys.flags.no_site:
        return False
    is_on_path = SITE_DIR in environ.get("PYTHONPATH", "").split(os.pathsep)
    return startup.is_activated() or (is_on_path and not sys.flags.ignore_environment)


def _reason(environ: Mapping[str, str]) -> str:
    """Return what the hub would raise if it started now."""
    try:
        registry_of(config_of(None, None, None, None, False, environ))
    except ShimhubError as error:
        return f": {error}"
    return ""


def _first() -> object:
    return next(one for one in list(sys.meta_path) if not isinstance(one, Finder))


def _name(finder: object) -> str:
    kind = finder if isinstance(finder, type) else type(finder)
    return f"{kind.__module__}.{kind.__qualname__}"
