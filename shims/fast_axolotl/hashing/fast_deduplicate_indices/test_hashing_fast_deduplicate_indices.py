"""``fast_deduplicate_indices`` in ``axolotl.utils.data``."""

from __future__ import annotations

from tests.axolotl import served

CODE = """
import fast_axolotl
import axolotl.utils.data as module
print(module.fast_deduplicate_indices is fast_axolotl.deduplicate_indices)
fast_axolotl.uninstall()
print("fast_deduplicate_indices" in vars(module))
"""


def test_it_is_there_while_installed() -> None:
    """The name is there after the import, and not after `uninstall`."""
    assert "True\nFalse\n" == served.run(CODE, hide=served.BOTH).stdout
