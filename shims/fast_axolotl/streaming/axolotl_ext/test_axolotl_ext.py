"""The reader under the name of fast-axolotl's extension module."""

from __future__ import annotations

from tests.axolotl import served

CODE = """
import fast_axolotl, sys
import axolotl.rust_ext.axolotl_ext as module
print(module.streaming_dataset_reader is fast_axolotl.streaming_dataset_reader)
fast_axolotl.uninstall()
print("axolotl.rust_ext.axolotl_ext" in sys.modules)
"""


def test_it_is_there_while_installed() -> None:
    """The module is there after the import, and not after `uninstall`."""
    assert "True\nFalse\n" == served.run(CODE, hide=served.BOTH).stdout
