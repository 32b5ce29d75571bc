"""Stand-in for a module of axolotl, which is not installed: it has what fast_axolotl adds to it.

Origin: https://github.com/neul-labs/fast-axolotl, which plants modules of these names. This says
what it is, and goes with ``fast_axolotl.uninstall()``; a real axolotl is never hidden by it.
"""

from __future__ import annotations

from typing import NoReturn

#: Tells this module from the real one.
__stub__ = True
__fast_axolotl_shimmed__ = True


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(
        f"{__name__} has no {name!r}: axolotl is not installed, and this stand-in of fast_axolotl "
        f"has only what that adds; `pip install axolotl`",
        name=name,
    )
