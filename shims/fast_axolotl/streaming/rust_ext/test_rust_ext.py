"""The package of fast-axolotl's extension module."""

from __future__ import annotations

from tests.axolotl import served

CODE = """
import fast_axolotl, sys
import axolotl.rust_ext as module
print(module.__fast_axolotl_shimmed__)
fast_axolotl.uninstall()
print("axolotl.rust_ext" in sys.modules)
"""


def test_it_is_there_while_installed() -> None:
    """The module is there after the import, and not after `uninstall`."""
    assert "True\nFalse\n" == served.run(CODE, hide=served.BOTH).stdout
