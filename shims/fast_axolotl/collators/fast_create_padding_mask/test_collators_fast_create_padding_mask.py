"""``fast_create_padding_mask`` in ``axolotl.utils.collators``."""

from __future__ import annotations

from tests.axolotl import served

CODE = """
import fast_axolotl
import axolotl.utils.collators as module
print(module.fast_create_padding_mask is fast_axolotl.create_padding_mask)
fast_axolotl.uninstall()
print("fast_create_padding_mask" in vars(module))
"""


def test_it_is_there_while_installed() -> None:
    """The name is there after the import, and not after `uninstall`."""
    assert "True\nFalse\n" == served.run(CODE, hide=served.BOTH).stdout
