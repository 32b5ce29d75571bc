"""Streaming data sets where fast-axolotl puts them."""

from __future__ import annotations

from tests.axolotl import served

CODE = """
import fast_axolotl, sys
import axolotl.utils.data.rust_wrapper as module
print(module.RustStreamingDataset is fast_axolotl.RustStreamingDataset)
fast_axolotl.uninstall()
print("axolotl.utils.data.rust_wrapper" in sys.modules)
"""


def test_it_is_there_while_installed() -> None:
    """The module is there after the import, and not after `uninstall`."""
    assert "True\nFalse\n" == served.run(CODE, hide=served.BOTH).stdout
