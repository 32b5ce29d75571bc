"""The mark of ``axolotl.utils.data``, by which scripts ask whether it is shimmed."""

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
import fast_axolotl, axolotl.utils.data as module
mark = "__fast_axolotl_shimmed__"
fast_axolotl.uninstall()
print(hasattr(module, mark), fast_axolotl.install_streaming_shim(), getattr(module, mark))
"""


def test_the_mark_comes_with_its_part(tmp_path: Path) -> None:
    """A module of axolotl is marked while the part is on."""
    texts = {
        "axolotl/__init__.py": "__version__ = '0.19.0'\n",
        "axolotl/utils/__init__.py": "",
        "axolotl/utils/data/__init__.py": "",
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
    assert "False True True\n" == told.stdout, told.stderr
