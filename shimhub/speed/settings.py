"""What a run is told of speed: a word, a file, or a project's table. Imports no torch."""

from __future__ import annotations

import json
import os

from shimhub.speed.config import SpeedConfig
from shimhub.speed.errors import SpeedConfigError

#: Words that need no settings: try what may help; leave everything alone.
WORDS = ("auto", "off")


def settings_of(told: str) -> SpeedConfig:
    """Return the settings that ``auto``, the path of a file or a table as JSON stand for.

    Raises SpeedConfigError with every mistake, or where there is no such file.
    """
    if told in ("", *WORDS):
        return SpeedConfig.from_dict({})
    if told.startswith("{"):
        return SpeedConfig.from_dict(json.loads(told))
    if not os.path.isfile(told):
        raise SpeedConfigError(f"there is no file {told!r}; give auto, off or a file of settings")
    if told.endswith(".toml"):
        is_project = os.path.basename(told) == "pyproject.toml"
        return SpeedConfig.from_toml(told, "tool.shimhub.speed" if is_project else "")
    return SpeedConfig.from_yaml(told)
