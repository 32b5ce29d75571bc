"""What the tests against a real axolotl share does what it says."""

from __future__ import annotations

import sys

import pytest

import shimhub
from tests.axolotl import support

support.require()

ATTACH = "axolotl.utils.samplers.utils:get_dataset_lengths"


@pytest.fixture
def doubling(tmp_path, monkeypatch):
    """A registry beside the packaged one, whose row has lengths doubled."""
    (tmp_path / "shim.py").write_text(
        "def build(original):\n"
        "    def get_dataset_lengths(dataset):\n"
        "        return 2 * original(dataset)\n"
        "    return get_dataset_lengths\n"
    )
    (tmp_path / "registry.toml").write_text(
        'schema = 1\n[[shim]]\nid = "doubled"\npacks = ["axolotl"]\naction = "replace"\nwhy = "w"\n'
        f'attach = "{ATTACH}"\nsource = "shim.py:build"\n'
    )
    monkeypatch.setenv("SHIMHUB_REGISTRY", str(tmp_path / "registry.toml"))
    yield
    support.pair.cache_clear()


@pytest.mark.usefixtures("doubling")
def test_a_pair_is_the_original_and_the_replacement(monkeypatch):
    """Both are callable side by side, and nothing of shimhub stays."""
    monkeypatch.setenv("SHIMHUB_DISABLE", "axolotl/*") if _has_row() else None
    support.pair.cache_clear()
    original, replacement = support.pair(ATTACH)
    data = support.load("datasets").Dataset.from_dict({"length": [1, 2]})
    assert [1, 2] == list(original(data))
    assert [2, 4] == list(replacement(data))
    assert original is support.get(ATTACH)
    assert not shimhub.status().active


def _has_row() -> bool:
    return any(one.id.startswith("axolotl/") for one in shimhub.plan())


def test_without_such_a_function_there_is_no_pair():
    """An attach point that this axolotl has not is skipped."""
    with pytest.raises(pytest.skip.Exception, match="has no axolotl"):
        support.pair("axolotl.utils.no_such:f")
    assert "axolotl.utils.no_such" not in sys.modules
