"""Consolidation of sharded safetensors files, against the tensors and against native torch."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ID = "torch/distributed/checkpoint/consolidate_hf_safetensors"
NAME = "torch.distributed.checkpoint._consolidate_hf_safetensors"
PATH = str(Path(__file__).with_name("module.py"))
TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = [
    pytest.mark.skipif(not TORCH, reason="needs torch"),
    pytest.mark.skipif(find_spec("safetensors") is None, reason="needs safetensors"),
]
on_2_8 = pytest.mark.skipif(not IS_2_8, reason="needs torch 2.8, which lacks the module")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the module")

Cuts = list[list[int]]
RANKS = """
import runpy, sys
import torch.distributed as dist
path, store, rank, folder, *index = sys.argv[1:]
dist.init_process_group("gloo", rank=int(rank), world_size=2, store=dist.FileStore(store, 2))
consolidate = runpy.run_path(path, run_name="ours")["consolidate_safetensors_files_on_every_rank"]
mapping = dict(zip(index[::2], map(int, index[1::2])))
try:
    consolidate(folder, folder + "/out", mapping, 2)
    print("done")
except RuntimeError as error:
    print(error)
dist.destroy_process_group()
"""
EXPORT = """
import pathlib, pickle, sys
import torch.distributed.checkpoint._consolidate_hf_safetensors as module
from torch.distributed.checkpoint._consolidate_hf_safetensors import *
print(module.__name__, pathlib.Path(module.__file__).name)
print(module.consolidate_safetensor_files is module.consolidate_safetensors_files)
print(pickle.loads(pickle.dumps(consolidate_safetensors_files)) is consolidate_safetensors_files)
consolidate_safetensors_files(sys.argv[1], sys.argv[2], {"a": 1, "b": 2}, num_threads=2)
"""


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    """The module's names."""
    return runpy.run_path(PATH, run_name="ours")


def _pieces(tensor: Any, cuts: Cuts) -> Iterator[tuple[list[int], Any]]:
    """Yield offsets and parts of a tensor that is cut at the given places of each axis."""
    edges = [sorted({0, size, *cut}) for size, cut in zip(tensor.shape, cuts, strict=True)]
    for spans in product(*(pairwise(edge) for edge in edges)):
        piece = tensor[tuple(slice(*span) for span in spans)].contiguous()
        yield [first for first, _ in spans], piece


def _save(folder: Path, tensors: dict[str, tuple[Any, Cuts]]) -> None:
    """Write each tensor's pieces, one to a file, as ranks of a distributed checkpoint do."""
    files: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
    for name, (tensor, cuts) in tensors.items():
        for rank, (offsets, piece) in enumerate(_pieces(tensor, cuts), start=1):
            pieces, places = files.setdefault(rank, ({}, {}))
            pieces[name], places[name] = piece, {"saved_offsets": offsets}
    for rank, (pieces, places) in files.items():
        _save_file(folder / f"shard-{rank:05}-model-00001-of-00001.safetensors", pieces, places)


def _save_file(path: Path, pieces: dict[str, Any], places: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    save_file(pieces, path, metadata={"DCP_SHARDING_INFO": json.dumps(places), "format": "pt"})


def _load(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(path))


def _equal(one: Any, other: Any) -> bool:
    import torch

    return one.dtype == other.dtype and torch.equal(one, other)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """A folder with two tensors, of which one is cut into four."""
    import torch

    a, b = torch.arange(30.0).reshape(5, 6), torch.arange(4.0, dtype=torch.bfloat16)
    _save(tmp_path, {"a": (a, [[2], [4]]), "b": (b, [[]])})
    return tmp_path


@st.composite
def _cut_tensors(draw: st.DrawFn) -> tuple[Any, Cuts]:
    import torch

    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    kinds = [torch.float32, torch.bfloat16, torch.float64, torch.float16]
    tensor = torch.rand(shape).to(draw(st.sampled_from(kinds)))
    cuts = [draw(st.lists(st.integers(1, size), max_size=2)) for size in shape]
    return tensor, cuts


@given(st.lists(_cut_tensors(), min_size=1, max_size=3), st.integers(1, 3))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whole_tensors_come_back(found: list[tuple[Any, Cuts]], files: int) -> None:
    """However tensors are cut along their axes, the files hold them whole, and where torch has the
    function its files are the same bytes."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        folder = Path(name)
        _save(folder, {f"t{place}": one for place, one in enumerate(found)})
        mapping = {f"t{place}": place % files + 1 for place in range(len(found))}
        consolidate = runpy.run_path(PATH, run_name="ours")["consolidate_safetensors_files"]
        consolidate(name, str(folder / "out"), mapping, 2)
        index = json.loads((folder / "out/model.safetensors.index.json").read_text())
        for place, (tensor, _) in enumerate(found):
            file = folder / "out" / index["weight_map"][f"t{place}"]
            assert _equal(tensor, _load(file)[f"t{place}"])
        if not IS_2_8:
            _compare_with_native(folder, mapping)


def _compare_with_native(folder: Path, mapping: dict[str, int]) -> None:
    from torch.distributed.checkpoint import _consolidate_hf_safetensors as native

    (folder / "native").mkdir()
    native.consolidate_safetensors_files(str(folder), str(folder / "native"), mapping, 1)
    expected = {path.name: path.read_bytes() for path in (folder / "native").iterdir()}
    assert expected == {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def test_integers_scalars_and_empty_tensors(ours: dict[str, Any], tmp_path: Path) -> None:
    """What torch's own function cannot do comes out right too."""
    import torch

    tensors = {
        "count": (torch.arange(6), [[4]]),
        "step": (torch.tensor(7.5), []),
        "flag": (torch.tensor([True, False]), [[1]]),
        "none": (torch.zeros(0, 3), [[], []]),
    }
    pieces = {name: tensor for name, (tensor, _) in tensors.items() if tensor.dim() != 1}
    places = {name: {"saved_offsets": [0] * piece.dim()} for name, piece in pieces.items()}
    _save_file(tmp_path / "shard-0.safetensors", pieces, places)
    _save(tmp_path, {name: one for name, one in tensors.items() if name not in pieces})
    ours["consolidate_safetensors_files"](
        str(tmp_path), str(tmp_path / "out"), dict.fromkeys(tensors, 1)
    )
    found = _load(tmp_path / "out/model-00001-of-00001.safetensors")
    assert all(_equal(tensor, found[name]) for name, (tensor, _) in tensors.items())


def test_ranks_without_a_part_and_replicas(ours: dict[str, Any], tmp_path: Path) -> None:
    """An empty shard, of a rank that had nothing left, and equal copies of a tensor do no harm."""
    import torch

    whole = torch.arange(8.0).reshape(4, 2)
    for rank, rows in enumerate([(0, 2), (2, 4), (4, 4)]):
        pieces = {"w": whole[slice(*rows)].clone(), "same": whole.clone()}
        places = {"w": {"saved_offsets": [rows[0], 0]}, "same": {"saved_offsets": [0, 0]}}
        _save_file(tmp_path / f"shard-{rank}.safetensors", pieces, places)
    ours["consolidate_safetensors_files"](str(tmp_path), str(tmp_path / "out"), {"w": 1, "same": 1})
    found = _load(tmp_path / "out/model-00001-of-00001.safetensors")
    assert _equal(whole, found["w"])
    assert _equal(whole, found["same"])


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5])


def _write(text: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(len(text).to_bytes(8, "little") + text) and None


def _remove(path: Path) -> None:
    path.unlink()


def _without_places(path: Path) -> None:
    _save_file(path, _load(path), {})


def _other_places(places: list[int]) -> Callable[[Path], None]:
    return lambda path: _save_file(path, _load(path), {"a": {"saved_offsets": places}})


def _other_kind(path: Path) -> None:
    _save_file(path, {"a": _load(path)["a"].double()}, {"a": {"saved_offsets": [0, 4]}})


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_cut_off, r"shard-00002.*: a lies outside of the file, which is cut off"),
        (_shorten, r"shard-00002.* it is cut off, or no safetensors file"),
        (_write(b"[]"), r"shard-00002.* its header is no JSON object"),
        (_write(b"{'a"), r"shard-00002.* cannot be consolidated: Expecting"),
        (_write(b'{"__metadata__": {}}'), "No DCP custom metadata found in safetensors file"),
        (_without_places, "No DCP custom metadata|has no 'a'"),
        (_other_places([0]), r"a has shape \(2, 2\) at offsets \(0,\)"),
        (_other_places([0, -4]), r"a has shape \(2, 2\) at offsets \(0, -4\)"),
        (_other_kind, r"shards of a are of different kinds: F32 .*, F64 "),
        (_remove, r"shards of a are missing: those found do not fill its shape \[5, 6\]"),
    ],
)
def test_damaged_shards_are_named(
    ours: dict[str, Any], shards: Path, damage: Callable[[Path], None], told: str
) -> None:
    """What cannot be consolidated raises with file or tensor and reason, and writes nothing."""
    damage(shards / "shard-00002-model-00001-of-00001.safetensors")
    with pytest.raises(ValueError, match=told):
        ours["consolidate_safetensors_files"](str(shards), str(shards / "out"), {"a": 1, "b": 1})
    assert not (shards / "out").exists()


def test_bytes_that_do_not_fit_the_shape(ours: dict[str, Any], tmp_path: Path) -> None:
    """A size that is no multiple of the number of elements, as of packed types, is refused."""
    header = {
        "__metadata__": {"DCP_SHARDING_INFO": json.dumps({"a": {"saved_offsets": [0]}})},
        "a": {"dtype": "F4", "shape": [4], "data_offsets": [0, 2]},
    }
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + b"ab"
    (tmp_path / "shard.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match=r"a has 2 bytes for shape \(4,\)"):
        ours["consolidate_safetensors_files"](str(tmp_path), str(tmp_path / "out"), {"a": 1})


def test_wrong_requests_are_named(ours: dict[str, Any], shards: Path, tmp_path: Path) -> None:
    """An empty mapping, names that no shard has, and a folder without shards are refused."""
    consolidate = ours["consolidate_safetensors_files"]
    with pytest.raises(ValueError, match="fqn_to_index_mapping is empty"):
        consolidate(str(shards), str(shards / "out"), {})
    with pytest.raises(ValueError, match=r"no shard in .* has c, d"):
        consolidate(str(shards), str(shards / "out"), {"d": 1, "a": 1, "c": 2})
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no \*\.safetensors file in .*empty"):
        consolidate(str(tmp_path / "empty"), str(shards / "out"), {"a": 1})


def _on_two_ranks(folder: Path, *index: str) -> list[str]:
    command = [sys.executable, "-W", "ignore", "-c", RANKS, PATH, str(folder / "store")]
    ranks = [
        subprocess.Popen([*command, str(rank), str(folder), *index], stdout=subprocess.PIPE)
        for rank in (0, 1)
    ]
    told = [rank.communicate(timeout=120)[0].decode() for rank in ranks]
    return [text.splitlines()[-1] for text in told]  # torch 2.8's gloo says that it is connected


def test_every_rank_writes_its_files(ours: dict[str, Any], shards: Path) -> None:
    """Two ranks write what one process writes, index included."""
    ours["consolidate_safetensors_files"](str(shards), str(shards / "one"), {"a": 1, "b": 2})
    assert ["done", "done"] == _on_two_ranks(shards, "a", "1", "b", "2")
    expected = {path.name: path.read_bytes() for path in (shards / "one").iterdir()}
    assert expected == {path.name: path.read_bytes() for path in (shards / "out").iterdir()}


@pytest.mark.slow
def test_a_failing_rank_stops_all(shards: Path) -> None:
    """When one rank cannot write, all raise with its number and error, and no index is made."""
    (shards / "out/model-00002-of-00002.safetensors.partial").mkdir(parents=True)
    told = _on_two_ranks(shards, "a", "1", "b", "2")
    assert told[0] == told[1]
    assert "rank 0: IsADirectoryError" in told[0]
    assert "rank 1" not in told[0]
    files = {path.name for path in (shards / "out").iterdir() if path.is_file()}
    assert {"model-00001-of-00002.safetensors"} == files


def test_every_rank_of_one(
    ours: dict[str, Any], shards: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a process group it says so and does all the work, index included."""
    consolidate = ours["consolidate_safetensors_files_on_every_rank"]
    consolidate(str(shards), str(shards / "out"), {"a": 1, "b": 2})
    assert "not initialized" in caplog.text
    written = {path.name for path in (shards / "out").iterdir()}
    models = {f"model-0000{one}-of-00002.safetensors" for one in (1, 2)}
    assert {"model.safetensors.index.json", *models} == written


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@on_2_8
def test_served_under_its_name(shards: Path) -> None:
    """On torch 2.8 the module can be imported, its functions pickle, and it does its work."""
    told = _run("-c", EXPORT, str(shards), str(shards / "out"))
    assert [f"{NAME} module.py", "True", "True"] == told.stdout.splitlines(), told.stderr
    assert ["b"] == list(_load(shards / "out/model-00002-of-00002.safetensors"))


@on_2_8
def test_native_lacks_it() -> None:
    """Without the shim the import dies: the row is still needed."""
    assert f"No module named '{NAME}'" in _run("--disable", ID, "-c", EXPORT).stderr


@on_later
def test_native_stays() -> None:
    """Where torch has the module, the row is gated and the functions are torch's own."""
    from torch.distributed.checkpoint import _consolidate_hf_safetensors as native

    import shimhub

    function = native.consolidate_safetensors_files
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert sys.modules[NAME].consolidate_safetensors_files is function
