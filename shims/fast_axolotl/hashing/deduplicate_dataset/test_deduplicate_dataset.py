"""``deduplicate_dataset`` where fast-axolotl's documentation imports it from."""

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
import fast_axolotl
from axolotl.utils.data import deduplicate_dataset
class Rows(list):
    def select(self, indices):
        return Rows(self[index] for index in indices)
seen = {}
rows = Rows([{"a": 1}, {"a": 2}, {"a": 1}])
print(deduplicate_dataset(rows, seen), sorted(seen.values()), deduplicate_dataset(rows, set()))
"""


def test_rows_are_kept_once(tmp_path: Path) -> None:
    """With a dict of hashes as in 0.6 to 0.9, with a set by the later function."""
    texts = {
        "axolotl/__init__.py": "__version__ = '0.19.0'\n",
        "axolotl/utils/__init__.py": "",
        "axolotl/utils/data/__init__.py": "",
        "axolotl/utils/data/utils.py": (
            "def _deduplicate_dataset(dataset, seen_hashes=None):\n"
            "    return 'later', seen_hashes\n"
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
    assert "[{'a': 1}, {'a': 2}] [[0], [1]] later\n" == told.stdout, told.stderr
