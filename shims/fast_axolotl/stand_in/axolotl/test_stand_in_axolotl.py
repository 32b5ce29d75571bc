"""The stand-in for ``axolotl``: marked, and gone with ``uninstall``."""

from __future__ import annotations

from tests.axolotl import served

CODE = """
import fast_axolotl, sys
import axolotl as module
print(module.__stub__, module.__fast_axolotl_shimmed__, hasattr(module, "train"))
fast_axolotl.uninstall()
print("axolotl" in sys.modules)
"""


def test_it_says_what_it_is() -> None:
    """Where axolotl is not installed: a stand-in that says so."""
    assert "True True False\nFalse\n" == served.run(CODE, hide=served.BOTH).stdout
