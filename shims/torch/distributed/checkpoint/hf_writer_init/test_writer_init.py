"""`HuggingFaceStorageWriter` with torch 2.9's keywords: two ranks save what Hugging Face reads."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

ID = "torch/distributed/checkpoint/hf_writer_init"
TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = [
    pytest.mark.skipif(not TORCH, reason="needs torch"),
    pytest.mark.skipif(find_spec("safetensors") is None, reason="needs safetensors"),
]
on_2_8 = pytest.mark.skipif(not IS_2_8, reason="needs torch 2.8, which lacks the keywords")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the keywords")

SAVE = """
import json, sys
import torch, torch.distributed as dist, torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
store, rank, folder, options = sys.argv[1:]
dist.init_process_group("gloo", rank=int(rank), world_size=2, store=dist.FileStore(store, 2))
mesh = init_device_mesh("cpu", (2,))
whole = {
    "rows": torch.arange(35.0).reshape(7, 5),
    "columns": torch.arange(24.0).reshape(4, 6).bfloat16(),
}
state = {
    name: distribute_tensor(tensor, mesh, [Shard(axis)])
    for axis, (name, tensor) in enumerate(whole.items())
}
dcp.save(state, storage_writer=HuggingFaceStorageWriter(folder, **json.loads(options)))
dist.barrier()
for name in state:
    state[name] = torch.zeros_like(state[name])
dcp.load(state, storage_reader=HuggingFaceStorageReader(folder))
loaded = {name: tensor.full_tensor() for name, tensor in state.items()}
print(all(torch.equal(loaded[name], whole[name]) for name in whole))
dist.destroy_process_group()
"""
DEFINE = """
import torch.distributed.checkpoint as dcp
def attempt(*arguments, **options):
    try:
        writer = dcp.HuggingFaceStorageWriter(*arguments, **options)
        print(writer.path, writer.thread_count, writer.save_distributed)
    except (TypeError, ValueError) as error:
        print(type(error).__name__, error)
"""
WRITER = """
attempt("one")
attempt("one", {"a": 1}, thread_count=3, save_distributed=True)
attempt("one", enable_consolidation=True, save_distributed=True)
"""
REFUSED = """
attempt("one", None, 3)
attempt("memory://one", enable_consolidation=True)
attempt("memory://one", save_sharded=True)
"""


def _save_on_two_ranks(folder: Path, **options: object) -> list[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", SAVE]
    ranks = [
        subprocess.Popen(
            [*command, str(folder.parent / "store"), rank, str(folder), json.dumps(options)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    return [rank.communicate(timeout=300)[0].splitlines()[-1] for rank in ranks]


@pytest.mark.slow
def test_consolidated_into_one_file(tmp_path: Path) -> None:
    """Shards of two ranks end up as one file with an index, whole, beside the shards' folder."""
    from safetensors.torch import load_file

    folder = tmp_path / "hf"
    told = _save_on_two_ranks(folder, save_distributed=True, enable_consolidation=True)
    assert ["True", "True"] == told
    found = load_file(folder / "model-00001-of-00001.safetensors")
    assert list(range(35)) == found["rows"].flatten().tolist()
    assert list(range(24)) == found["columns"].flatten().tolist()
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert {"rows", "columns"} == set(index["weight_map"])
    assert 2 == len(list((folder / "sharded").glob("shard-0000?-*.safetensors")))


@pytest.mark.slow
def test_consolidated_by_the_mapping(tmp_path: Path) -> None:
    """Each tensor is in the file that the mapping gives it."""
    from safetensors.torch import load_file

    folder = tmp_path / "hf"
    options = {"save_distributed": True, "enable_consolidation": True}
    mapping = {"rows": 2, "columns": 1}
    told = _save_on_two_ranks(
        folder, **options, fqn_to_index_mapping=mapping, thread_count_consolidation=2
    )
    assert ["True", "True"] == told
    for name, index in mapping.items():
        assert [name] == list(load_file(folder / f"model-0000{index}-of-00002.safetensors"))


@pytest.mark.slow
def test_sharded_alone(tmp_path: Path) -> None:
    """`save_distributed` without consolidation leaves the shards, in the folder itself."""
    folder = tmp_path / "hf"
    assert ["True", "True"] == _save_on_two_ranks(folder, save_distributed=True)
    names = sorted(path.name for path in folder.iterdir())
    assert [f"shard-0000{one}-model-00001-of-00001.safetensors" for one in (1, 2)] == names


def _run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", *options, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_attributes_are_those_of_torch_2_9() -> None:
    """Path, threads and kind of save are told as in 2.9."""
    told = _run(DEFINE + WRITER)
    assert "one 1 False\none 3 True\none/sharded 1 True\n" == told.stdout, told.stderr


@on_2_8
def test_what_cannot_be_meant_is_refused() -> None:
    """2.9's order of arguments and consolidation at a URL raise; what torch 2.8 can do stays."""
    told = _run(DEFINE + WRITER + REFUSED).stdout.splitlines()[3:]
    assert told[0].startswith("TypeError the third argument of HuggingFaceStorageWriter is `token`")
    assert told[1].startswith("ValueError enable_consolidation=True needs a local folder")
    assert "memory://one 1 True" == told[2]


@on_2_8
def test_native_lacks_them() -> None:
    """Without the shim the keywords are refused: the row is still needed."""
    code = f"{DEFINE}attempt('one', save_distributed=True)"
    assert "unexpected keyword argument" in _run(code, "--disable", ID).stdout


@on_later
def test_native_stays() -> None:
    """Where torch has the keywords, the row is gated and the function is torch's own."""
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter as Writer

    import shimhub

    native = vars(Writer)["__init__"]
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert vars(Writer)["__init__"] is native
