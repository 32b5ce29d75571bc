"""`DeviceMesh._unflatten` on a mesh of eight ranks, against torch 2.13's own."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

SHIM = Path(__file__).with_name("shim.py")

UNTOUCHED = """
import shimhub
from torch.distributed.device_mesh import DeviceMesh
shimhub.uninstall()
native = vars(DeviceMesh)["_unflatten"]
shimhub.install()
assert vars(DeviceMesh)["_unflatten"] is native
print(shimhub.explain("torch/distributed/device_mesh_unflatten")["torch/distributed/device_mesh_unflatten"].status.value)
"""

OURS = f"""
import runpy, types
from torch.distributed import device_mesh
ctx = types.SimpleNamespace(module=device_mesh, version=lambda name: "2.8.0")
unflatten = runpy.run_path({str(SHIM)!r})["build"](None, ctx)
"""
BY_NAME = """
from torch.distributed import device_mesh
unflatten = device_mesh.DeviceMesh._unflatten
"""
CODE = """
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore
dist.init_process_group("fake", rank=5, world_size=8, store=FakeStore())
mesh = device_mesh.init_device_mesh("cpu", (8,), mesh_dim_names=("world",))
names = ("pp", "dp", "tp")
for dim in (0, "world"):
    new = unflatten(mesh, dim, (2, 1, 4), names, backend_override={"dp": "fake"})
    print(new.mesh.tolist(), new.mesh_dim_names, new.get_coordinate(), new.device_type)
    print([(new[one].size(), new.get_group(one).size(), new.get_local_rank(one)) for one in names])
    print(dist.get_process_group_ranks(new.get_group("tp")), new["pp", "dp"].mesh.tolist())
print(new["dp", "tp"]._flatten("flat").mesh.tolist())
for wrong in ((1, (8,), ("a",)), ("x", (8,), ("a",)), (0, (2, 4), ("a",)), (0, (2, 3), ("a", "b"))):
    try:
        unflatten(mesh, *wrong)
    except (ValueError, RuntimeError) as error:
        print(type(error).__name__, error)
"""
ONLY_OURS = """
for part, override in ((new, None), (new["tp"], None), (mesh, {"a": "gloo"})):
    try:
        unflatten(part, 0, (part.size(0), 1), ("a", "b"), override)
    except NotImplementedError as error:
        print(error)
"""


def _torch() -> str:
    return ".".join(metadata.version("torch").split(".")[:2]) if find_spec("torch") else ""


pytestmark = pytest.mark.skipif(not find_spec("torch"), reason="needs torch")
on_old = pytest.mark.skipif(_torch() not in ("2.8", "2.9"), reason=f"torch {_torch()} has its own")
on_new = pytest.mark.skipif(_torch() in ("2.8", "2.9"), reason=f"torch {_torch()} has none")


def _run(code: str) -> list[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@on_new
def test_native_stays_and_ours_does_the_same() -> None:
    """Ranks, names, coordinates, groups, slices and errors of ours are those of torch 2.13."""
    assert ["GATED"] == _run(UNTOUCHED)
    native = _run(BY_NAME + CODE)
    assert 11 == len(native)
    assert native == _run(OURS + CODE)


@on_old
def test_it_does_what_torch_2_13_does() -> None:
    """Ranks, groups and errors as torch 2.13 gives them; what it cannot do tells the version."""
    told = _run(BY_NAME + CODE + ONLY_OURS)
    assert "[[[0, 1, 2, 3]], [[4, 5, 6, 7]]] ('pp', 'dp', 'tp') [1, 0, 1] cpu" == told[0] == told[3]
    assert "[(2, 2, 1), (1, 1, 0), (4, 4, 1)]" == told[1]
    assert "[4, 5, 6, 7] [[1], [5]]" == told[2]
    assert "[4, 5, 6, 7]" == told[6]
    assert ["ValueError", "ValueError", "RuntimeError", "ValueError"] == [
        line.split()[0] for line in told[7:11]
    ]
    assert 14 == len(told)
    assert all("before torch 2.10 (this is torch 2." in line for line in told[11:])
