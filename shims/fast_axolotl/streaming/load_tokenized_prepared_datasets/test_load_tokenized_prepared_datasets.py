"""``load_tokenized_prepared_datasets`` by the private function of axolotl 0.10 and later."""

from __future__ import annotations

from pathlib import Path

from tests.axolotl import served

CODE = """
import fast_axolotl, types
from axolotl.utils.data import load_tokenized_prepared_datasets as load
cfg = types.SimpleNamespace(dataset_prepared_path=None)
print(load("tokenizer", cfg, "default", "test"), cfg.dataset_prepared_path)
"""


def test_the_old_signature_reaches_the_later_function(tmp_path: Path) -> None:
    """The path that was the third argument is the configuration's for the call."""
    texts = {
        "axolotl-0.19.0.dist-info/METADATA": "Name: axolotl\nVersion: 0.19.0\n",
        "axolotl/__init__.py": "__version__ = '0.19.0'\n",
        "axolotl/utils/__init__.py": "",
        "axolotl/utils/data/__init__.py": "",
        "axolotl/utils/data/sft.py": (
            "def _load_tokenized_prepared_datasets(tokenizer, cfg, split, processor, streaming):\n"
            "    return cfg.dataset_prepared_path, split, processor, streaming\n"
        ),
    }
    served.write_package(tmp_path, texts)
    assert "('default', 'test', None, False) None\n" == served.run(CODE, path=(tmp_path,)).stdout
