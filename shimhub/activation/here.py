"""Activate this process from within, and the children that it starts from here on.

On the start-up path of ``shimhub.auto``: builtins only.
"""

import os

from shimhub.activation import runs
from shimhub.activation.boot import boot
from shimhub.paths import with_site_dir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def activate_here() -> "Mapping[str, str | None]":
    """Insert the finder and set the variables that children start by; returns their old values.

    Does nothing with SHIMHUB=0. Raises RegistryError when a registry has errors.
    """
    if os.environ.get("SHIMHUB") == "0":
        return {}
    wanted = {
        "SHIMHUB_RUN_DIR": runs.folder_for(os.environ),
        "SHIMHUB": os.environ.get("SHIMHUB", "1"),
        "PYTHONPATH": with_site_dir(os.environ.get("PYTHONPATH", "")),
    }
    before = {name: os.environ.get(name) for name in (*wanted, "SHIMHUB_PROJECT")}
    os.environ.update(wanted)
    try:
        boot(os.environ)
    except BaseException:  # whatever ends it, Ctrl-C too; raised again
        restore(before)
        raise
    return before


def restore(before: "Mapping[str, str | None]") -> None:
    """Give variables the values that ``activate_here`` returned."""
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
