"""``load_tokenized_prepared_datasets`` by the private function of axolotl 0.10 and later."""

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
import fast_axolotl, types
from axolotl.utils.data import load_tokenized_prepared_datasets as load
cfg = types.SimpleNamespace(dataset_prepared_path=None)
print(load("tokenizer", cfg, "default", "test"), cfg.dataset_prepared_path)
"""


def test_the_old_signature_reaches_the_later_function(tmp_path: Path) -> None:
    """The path that was the third argument is the configuration's for the call."""
    texts = {
        "axolotl/__init__.py": "__version__ = '0.19.0'\n",
        "axolotl/utils/__init__.py": "",
        "axolotl/utils/data/__init__.py": "",
        "axolotl/utils/data/sft.py": (
            "def _load_tokenized_prepared_datasets(tokenizer, cfg, split, processor, streaming):\n"
            "    return cfg.dataset_prepared_path, split, processor, streaming\n"
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
    assert "('default', 'test', None, False) None\n" == told.stdout, told.stderr
