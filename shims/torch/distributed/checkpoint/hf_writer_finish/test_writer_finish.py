"""The last step of `HuggingFaceStorageWriter`: consolidation, or what the original does."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

ID = "torch/distributed/checkpoint/hf_writer_finish"
CODE = """
import sys
import torch, torch.distributed.checkpoint as dcp
folder, *kind = sys.argv[1:]
options = dict.fromkeys(kind, True)
state = {"a": torch.arange(6.0), "b": torch.ones(2, 2)}
dcp.save(state, storage_writer=dcp.HuggingFaceStorageWriter(folder, **options), no_dist=True)
"""
OLD = """
import torch, shimhub
import torch.distributed.checkpoint as dcp
writer = dcp.HuggingFaceStorageWriter("HERE")
with shimhub.shimmed(only="torch/distributed/checkpoint/*"):
    dcp.save({"a": torch.ones(2)}, storage_writer=writer, no_dist=True)
"""
TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = [
    pytest.mark.skipif(not TORCH, reason="needs torch"),
    pytest.mark.skipif(find_spec("safetensors") is None, reason="needs safetensors"),
]
on_2_8 = pytest.mark.skipif(not IS_2_8, reason="needs torch 2.8, which cannot consolidate")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which consolidates")


def _save(folder: Path, *kind: str) -> set[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE, str(folder)]
    told = subprocess.run([*command, *kind], capture_output=True, text=True, check=False)
    assert 0 == told.returncode, told.stderr
    return {str(path.relative_to(folder)) for path in folder.rglob("*.*")}


def test_consolidates_what_was_saved_distributed(tmp_path: Path) -> None:
    """Shards, whole file and index are in their places."""
    found = _save(tmp_path / "hf", "save_distributed", "enable_consolidation")
    expected = {
        "sharded/shard-00001-model-00001-of-00001.safetensors",
        "model-00001-of-00001.safetensors",
        "model.safetensors.index.json",
    }
    assert expected == found
    index = json.loads((tmp_path / "hf/model.safetensors.index.json").read_text())
    assert {"total_size": 40} == index["metadata"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ([], {"model-00001-of-00001.safetensors", "model.safetensors.index.json"}),
        (["save_distributed"], {"shard-00001-model-00001-of-00001.safetensors"}),
        (
            ["enable_consolidation"],
            {"sharded/model-00001-of-00001.safetensors", "sharded/model.safetensors.index.json"},
        ),
    ],
)
def test_the_rest_is_the_original_s(tmp_path: Path, kind: list[str], expected: set[str]) -> None:
    """Without both options the same files are written as by torch 2.9."""
    assert expected == _save(tmp_path / "hf", *kind)


@on_2_8
def test_writers_from_before_end_as_they_began(tmp_path: Path) -> None:
    """A writer that was made before the shim came saves as the original does."""
    code = OLD.replace("HERE", str(tmp_path / "hf"))
    command = [sys.executable, "-W", "ignore", "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == told.returncode, told.stderr
    assert (tmp_path / "hf/model.safetensors.index.json").exists()


@on_later
def test_native_stays() -> None:
    """Where torch consolidates, the row is gated and the function is torch's own."""
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter as Writer

    import shimhub

    native = vars(Writer)["finish"]
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert vars(Writer)["finish"] is native
