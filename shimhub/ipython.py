"""``%load_ext shimhub.ipython``: shims in a notebook, and ``%shimhub`` to ask about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shimhub
from shimhub.activation.here import activate_here, restore

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_before: dict[str, str | None] = {}


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Activate this kernel and the processes that it starts, and add ``%shimhub``.

    Raises IPython's UsageError, which shows as one line, when a registry has errors.
    """
    from IPython.core.error import UsageError

    try:
        _before.update(activate_here())
    except shimhub.RegistryError as error:
        raise UsageError(f"shimhub: {error}") from error
    shell.magics_manager.register_function(_magic, "line", "shimhub")


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Undo everything: patches, variables and the magic."""
    left = shimhub.uninstall()
    restore(_before)
    _before.clear()
    shell.magics_manager.magics["line"].pop("shimhub", None)
    if left:
        print(left)


def _magic(line: str) -> None:
    """Tell about shims: ``%shimhub`` what was done here, ``%shimhub ID`` all about one.

    An id, an attach point or a module may be named.
    """
    from IPython.core.error import UsageError

    try:
        found = shimhub.explain(line.strip()) if line.strip() else shimhub.status()
    except LookupError as error:
        raise UsageError(str(error)) from error
    print("shimhub is active" if found.active else "shimhub is off")
    for verdict in found:
        if line.strip() or verdict.status in ("APPLIED", "FAILED", "CONFLICT"):
            print(verdict)
            print(*(f"  {name}: {told}" for name, told in verdict.evidence.items()), sep="\n")
