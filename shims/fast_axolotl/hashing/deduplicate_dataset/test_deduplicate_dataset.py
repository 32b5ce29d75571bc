"""``deduplicate_dataset`` where fast-axolotl's documentation imports it from."""

from __future__ import annotations

from pathlib import Path

from tests.axolotl import served

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
    served.write_package(tmp_path, texts)
    assert "[{'a': 1}, {'a': 2}] [[0], [1]] later\n" == served.run(CODE, path=(tmp_path,)).stdout
