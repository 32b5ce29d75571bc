"""What an install asks for: arguments and SHIMHUB_* variables as one value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shimhub import trust
from shimhub.compiled import digest_of, sources_of
from shimhub.errors import ActivationError
from shimhub.model import Selection, tuple_of
from shimhub.registry import Source

Files = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
Patterns = str | Iterable[str]
#: The pack that ``speed`` settings turn on.
SPEED = "speed"


@dataclass(frozen=True)
class Config:
    """What an install asks for: registries in order, the user's word, and strictness.

    ``speed`` is ``auto``, ``off``, a file of settings, or a table of them as JSON.
    """

    sources: tuple[Source, ...]
    selection: Selection
    strict: bool = False
    speed: str = ""


def config_of(
    registry: Files | None,
    only: Patterns | None,
    enable: Patterns | None,
    disable: Patterns | None,
    strict: bool,
    environ: Mapping[str, str],
) -> Config:
    """Merge what is trusted, SHIMHUB_* variables and arguments.

    Lists add up, ``only`` and ``strict`` override; a pattern that the project's settings turn one
    way and a variable or an argument the other way is what the latter says.
    """
    grant = trust.granted(environ)
    told = grant.settings
    told_only = only if only is not None else environ.get("SHIMHUB_ONLY") or told.get("only")
    on = tuple_of(environ.get("SHIMHUB_ENABLE")) + tuple_of(enable)
    off = tuple_of(environ.get("SHIMHUB_DISABLE")) + tuple_of(disable)
    speed = environ.get("SHIMHUB_SPEED") or told.get("speed", "")
    on += (SPEED,) if speed not in ("", "off") else ()
    off += (SPEED,) if speed == "off" else ()
    selection = Selection(
        only=None if told_only is None else tuple_of(told_only),
        enable=tuple(one for one in tuple_of(told.get("enable")) if one not in off) + on,
        disable=tuple(one for one in tuple_of(told.get("disable")) if one not in on) + off,
    )
    is_strict = strict or environ.get("SHIMHUB_STRICT", told.get("strict", "0")) not in ("", "0")
    files = [registry] if isinstance(registry, (str, os.PathLike)) else list(registry or ())
    named = [os.fspath(file) for file in files]
    return Config(sources_of(environ, named, grant.sources), selection, is_strict, speed)


def variables_of(config: Config) -> dict[str, str]:
    """Return the SHIMHUB_* variables that tell a child what ``config`` says.

    Raises ActivationError for a registry whose path cannot stand in a variable.
    """
    named = ("SHIMHUB_REGISTRY", "named by the user")
    files = [os.path.abspath(path) for path, origin in config.sources if origin in named]
    if broken := next((file for file in files if os.pathsep in file), None):
        raise ActivationError(f"a registry's path cannot have {os.pathsep!r} in it: {broken}")
    chosen = config.selection
    lists = {"ONLY": chosen.only, "ENABLE": chosen.enable, "DISABLE": chosen.disable}
    told = {f"SHIMHUB_{name}": ",".join(words) for name, words in lists.items() if words}
    told |= {"SHIMHUB_STRICT": "1"} if config.strict else {}
    told |= {"SHIMHUB_SPEED": config.speed} if config.speed else {}
    digest = digest_of(config.sources)
    return told | {"SHIMHUB_REGISTRY": os.pathsep.join(files), "SHIMHUB_DIGEST": digest}
