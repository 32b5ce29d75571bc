"""``streaming_dataset_reader`` in ``axolotl.utils.data``."""

from __future__ import annotations

from tests.axolotl import served

CODE = """
import fast_axolotl
import axolotl.utils.data as module
print(module.streaming_dataset_reader is fast_axolotl.streaming_dataset_reader)
fast_axolotl.uninstall()
print("streaming_dataset_reader" in vars(module))
"""


def test_it_is_there_while_installed() -> None:
    """The name is there after the import, and not after `uninstall`."""
    assert "True\nFalse\n" == served.run(CODE, hide=served.BOTH).stdout
