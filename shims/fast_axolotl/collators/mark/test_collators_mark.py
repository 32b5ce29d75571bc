"""The mark of ``axolotl.utils.collators``, by which scripts ask whether it is shimmed."""

from __future__ import annotations

from pathlib import Path

from tests.axolotl import served

CODE = """
import fast_axolotl, axolotl.utils.collators as module
mark = "__fast_axolotl_shimmed__"
fast_axolotl.uninstall()
print(hasattr(module, mark), fast_axolotl.install_collator_shim(), getattr(module, mark))
"""


def test_the_mark_comes_with_its_part(tmp_path: Path) -> None:
    """A module of axolotl is marked while the part is on."""
    texts = {
        "axolotl/__init__.py": "__version__ = '0.19.0'\n",
        "axolotl/utils/__init__.py": "",
        "axolotl/utils/collators/__init__.py": "",
    }
    served.write_package(tmp_path, texts)
    assert "False True True\n" == served.run(CODE, path=(tmp_path,)).stdout
