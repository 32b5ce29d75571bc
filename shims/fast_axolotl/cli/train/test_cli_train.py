"""``axolotl.cli.train``, a module, can be called to train; and is a plain module again."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("fast_axolotl") is not None, reason="a real fast_axolotl is installed, and wins"
)

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
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    inherited = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [str(tmp_path), inherited]))
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    env = {**os.environ, "PYTHONPATH": path}
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "my.yaml {'epochs': 1}\nFalse True\n" == told.stdout, told.stderr
