"""The reader where fast-axolotl's documentation imports it from."""

from __future__ import annotations

from tests.axolotl import served

CODE = """
import fast_axolotl, sys
import axolotl.utils.data.rust_streaming as module
print(module.RUST_EXTENSION_AVAILABLE, module.get_rust_extension_status())
fast_axolotl.uninstall()
print("axolotl.utils.data.rust_streaming" in sys.modules)
"""


def test_it_is_there_while_installed() -> None:
    """The module is there after the import, and not after `uninstall`."""
    assert "True True\nFalse\n" == served.run(CODE, hide=served.BOTH).stdout
