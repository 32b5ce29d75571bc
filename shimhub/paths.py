"""Where shimhub's own files are, found from the package and never from the working directory."""

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_CODE_ACTIONS = ("add", "replace", "wrap")
PACKAGE_DIR = os.path.dirname(os.path.abspath(__file__))
SITE_DIR = os.path.join(PACKAGE_DIR, "activation", "site")


def packaged_registry() -> str:
    """Path of the packaged registry.toml: inside a wheel's package, else the checkout's own."""
    inside = os.path.join(PACKAGE_DIR, "registry.toml")
    return inside if os.path.exists(inside) else _checkout("registry.toml")


def shims_dir(registry_file: str) -> str:
    """Folder that holds the code of a registry's shims: ``shims/`` beside the file."""
    return os.path.join(os.path.dirname(os.path.abspath(registry_file)), "shims")


def cache_dir() -> str:
    """Folder of compiled tables, by the XDG base directory specification."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "shimhub")


def trust_store() -> str:
    """File that says which registries the user trusts, by the XDG base directory specification."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(base, "shimhub", "trust")


def runs_dir() -> str:
    """Folder of the records of runs, by the XDG base directory specification."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "shimhub", "runs")


def with_site_dir(python_path: str) -> str:
    """Return PYTHONPATH with the folder of our sitecustomize in front, once.

    An empty entry in a PYTHONPATH that is not empty is the working directory, and stays.
    """
    entries = python_path.split(os.pathsep) if python_path else []
    return os.pathsep.join([SITE_DIR, *(entry for entry in entries if entry != SITE_DIR)])


def is_ours(status: os.stat_result) -> bool:
    """Whether a file belongs to this user, and nobody else may write it."""
    if not hasattr(os, "geteuid"):
        return False
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_MAY_WRITE


def is_open_to_all(status: os.stat_result) -> bool:
    """Whether everybody on this machine may write a file; Windows does not tell by its mode."""
    return os.name == "posix" and bool(status.st_mode & stat.S_IWOTH)


def may_replace(path: str) -> bool:
    """Whether a new file may take the place of ``path``: of none, or of a regular one.

    A device or a pipe is to be written into: replacing ``/dev/null`` takes it from everybody.
    """
    return os.path.isfile(path) or not os.path.exists(path)


def code_file(row: "Mapping[str, Any]", file: str) -> tuple[str, str]:
    """Return ``(key that says so, path)`` of a row's code; the path is empty without code."""
    if "source" in row:
        name = row["source"].partition(":")[0]
        return "source", os.path.join(os.path.dirname(os.path.abspath(file)), name)
    if row["action"] == "module" and "names" not in row:
        return "id", os.path.join(shims_dir(file), row["id"], "module.py")
    if row["action"] in _CODE_ACTIONS or row.get("check") is True:
        return "id", os.path.join(shims_dir(file), row["id"], "shim.py")
    return "", ""


def _checkout(name: str) -> str:
    return os.path.join(os.path.dirname(PACKAGE_DIR), name)
