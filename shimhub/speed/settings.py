"""What a run is told of speed: a word, a file, or a project's table. Imports no torch."""

from __future__ import annotations

import json
import os

from shimhub.speed._files import read_toml
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
    return settings_in(told)


def settings_in(path: str) -> SpeedConfig:
    """Return the settings of a file: YAML, or TOML that has a project's table or nothing else."""
    if not path.endswith(".toml"):
        return SpeedConfig.from_yaml(path)
    data, _ = read_toml(path, "")
    is_project = "tool" in data or os.path.basename(path) == "pyproject.toml"
    return SpeedConfig.from_toml(path, "tool.shimhub.speed" if is_project else "")
