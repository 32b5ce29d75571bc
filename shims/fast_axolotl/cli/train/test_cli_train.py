"""``axolotl.cli.train``, a module, can be called to train; and is a plain module again."""

from __future__ import annotations

from pathlib import Path

from tests.axolotl import served

CODE = """
import fast_axolotl, sys
from axolotl.cli import train
train("my.yaml", epochs=1)
fast_axolotl.uninstall()
print(callable(train), type(train) is type(sys))
"""


def test_the_module_is_called(tmp_path: Path) -> None:
    """Arguments go to its `do_cli`."""
    texts = {
        "axolotl/__init__.py": "__version__ = '0.19.0'\n",
        "axolotl/cli/__init__.py": "",
        "axolotl/cli/train.py": (
            "def do_cli(config='examples/', **options):\n    print(config, options)\n"
        ),
    }
    served.write_package(tmp_path, texts)
    assert "my.yaml {'epochs': 1}\nFalse True\n" == served.run(CODE, path=(tmp_path,)).stdout
