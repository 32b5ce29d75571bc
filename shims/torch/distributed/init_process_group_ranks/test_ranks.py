"""`init_process_group(_ranks=)`: nothing where it is empty, an error where it is not."""

from __future__ import annotations

import inspect
import runpy
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

SHIM = Path(__file__).with_name("shim.py")

UNTOUCHED = """
import shimhub
import torch.distributed as dist
shimhub.uninstall()
native = dist.distributed_c10d.init_process_group
shimhub.install()
assert dist.distributed_c10d.init_process_group is native
print(shimhub.explain("torch/distributed/init_process_group_ranks")["torch/distributed/init_process_group_ranks"].status.value)
"""

CODE = """
import inspect
import torch, torch.distributed as dist
print(dist.init_process_group is dist.distributed_c10d.init_process_group)
print(list(inspect.signature(dist.init_process_group).parameters))
for ranks in ([], None, [0]):
    try:
        store = dist.HashStore()
        dist.init_process_group("gloo", rank=0, world_size=1, store=store, _ranks=ranks)
    except NotImplementedError as error:
        print(error)
    else:
        print("rank", dist.get_rank(), "of", dist.get_world_size(), dist.get_backend())
        dist.destroy_process_group()
"""
PARAMETERS = [
    *("backend", "init_method", "timeout", "world_size", "rank", "store", "group_name"),
    *("pg_options", "device_id", "_ranks"),
]


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
def test_native_stays() -> None:
    """Where torch has the keyword it is the same function after an install, with ours' words."""
    assert ["GATED"] == _run(UNTOUCHED)
    assert ["True", str(PARAMETERS)] == [line for line in _run(CODE) if "Gloo" not in line][:2]


@on_old
def test_only_an_empty_list_is_nothing() -> None:
    """No ranks and None give the usual group; ranks raise with the torch that names a group so."""
    told = [line for line in _run(CODE) if not line.startswith("[Gloo]")]
    assert ["True", str(PARAMETERS), *["rank 0 of 1 gloo"] * 2] == told[:4]
    assert "needs torch >= 2.10 (this is torch 2." in told[4]


def test_all_else_is_handed_on() -> None:
    """Every other word reaches the original in its place, with the original's defaults."""
    ours = runpy.run_path(str(SHIM))["build"](lambda *told: seen.append(told), SimpleNamespace())
    seen: list[tuple[object, ...]] = []
    words = list(inspect.signature(ours).parameters)[:-1]
    ours(**{word: word for word in words}, _ranks=None)
    ours()
    assert [tuple(words), (None, None, None, -1, -1, None, "", None, None)] == seen
