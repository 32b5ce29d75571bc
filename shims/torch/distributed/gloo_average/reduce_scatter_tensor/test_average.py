"""Reductions over two real gloo ranks, and the proof that comes before any change."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

SHIM = Path(__file__).with_name("shim.py")
#: One of two ranks: every reduction that matters here, printed as name and result.
RANK = """
import os, torch, torch.distributed as dist
rank = int(os.environ["OWN_RANK"])
dist.init_process_group("gloo", store=dist.FileStore("store", 2), rank=rank, world_size=2)
def tell(name, reduce, *, op=dist.ReduceOp.AVG, kind=torch.float32, **words):
    whole, part = torch.tensor([1 + rank, 4 + rank]).to(kind), torch.zeros(1, dtype=kind)
    given = whole if reduce is dist.reduce_scatter_tensor else list(whole.clone().split(1))
    try:
        work = reduce(part, given, op, **words)
        if work is not None:
            work.wait()
    except RuntimeError as error:
        print(name, "RuntimeError")
        return
    assert whole.tolist() == [1 + rank, 4 + rank]
    print(name, part.tolist())
for reduce in (dist.reduce_scatter_tensor, dist.reduce_scatter):
    tell("plain", reduce)
    tell("half", reduce, kind=torch.bfloat16)
    tell("later", reduce, async_op=True)
    tell("group", reduce, group=dist.group.WORLD)
    tell("whole numbers", reduce, kind=torch.int64)
    tell("sum", reduce, op=dist.ReduceOp.SUM)
    tell("largest", reduce, op=dist.ReduceOp.MAX)
    tell("product", reduce, op=dist.ReduceOp.PRODUCT, kind=torch.int64)
"""
END = "dist.destroy_process_group()"
AVERAGE = ["plain [1.5]", "half [1.5]", "later [1.5]", "group [1.5]", "whole numbers RuntimeError"]
RIGHT = [*AVERAGE, "sum [3.0]", "largest [2.0]", "product [2]"] * 2
VERDICT = """
import shimhub, torch.distributed
shimhub.uninstall()
shimhub.install()
for name in ("reduce_scatter_tensor", "reduce_scatter"):
    verdict = shimhub.status()["torch/distributed/gloo_average/" + name]
    print(verdict.status.value, verdict.evidence.get("check"))
"""
#: Our code around the native function, as if the row were for this torch.
BY_HAND = f"""
import runpy, types
shim = runpy.run_path({str(SHIM)!r})
for name in ("reduce_scatter_tensor", "reduce_scatter"):
    ctx = types.SimpleNamespace(module=dist.distributed_c10d, name=name)
    print(shim["probe"](ctx))
    setattr(dist, name, shim["build"](getattr(dist, name), ctx))
"""


def _torch() -> str:
    return ".".join(metadata.version("torch").split(".")[:2]) if find_spec("torch") else ""


pytestmark = pytest.mark.skipif(not find_spec("torch"), reason="needs torch")
on_old = pytest.mark.skipif(_torch() != "2.8", reason=f"gloo of torch {_torch()} averages")
on_new = pytest.mark.skipif(_torch() == "2.8", reason="gloo of torch 2.8 gives the sum")


def _two_ranks(folder: Path, code: str, *options: str) -> list[str]:
    """Run both ranks and return what the first one printed."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", *options, "-c", code]
    ranks = [
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "OWN_RANK": str(rank), "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    (told, error), _ = [one.communicate(timeout=300) for one in ranks]
    assert [0, 0] == [one.returncode for one in ranks], error
    return [line for line in told.splitlines() if line and not line.startswith("[Gloo]")]


@on_old
@pytest.mark.slow
def test_averages_and_proof_on_torch_2_8(tmp_path: Path) -> None:
    """Both functions average, at once and later, in any group, and reduce otherwise if asked to.
    With a process group there, the verdict quotes what gloo gave; without, the proof is to come."""
    told = _two_ranks(tmp_path, VERDICT + RANK + VERDICT + END)
    later = "APPLIED gloo's AVG is tried at its first use, before anything is changed"
    assert [later] * 2 == told[:2]
    assert RIGHT == told[2:18]
    assert ["APPLIED gloo's AVG of 1 and 2 is 3.0"] * 2 == told[18:]


@on_old
@pytest.mark.slow
def test_native_gives_the_sum_on_torch_2_8(tmp_path: Path) -> None:
    """Without the shim the same program prints sums: the row is still needed."""
    told = _two_ranks(tmp_path, RANK + END, "--disable", "torch/distributed/gloo_average/*")
    assert {"plain [3.0]", "half [3.0]", "sum [3.0]", "largest [3.0]"} < set(told)


@on_new
@pytest.mark.slow
def test_steps_aside_where_gloo_averages(tmp_path: Path) -> None:
    """On a newer torch the proof says no, and our code around the native function is idle."""
    reduced = RANK.partition("for reduce in")
    code = reduced[0] + BY_HAND + "".join(reduced[1:])
    told = _two_ranks(tmp_path, code + VERDICT + END)
    assert ['(False, "gloo\'s AVG of 1 and 2 is 1.5")'] * 2 == told[:2]
    assert RIGHT == told[2:18]
    assert ["GATED None"] * 2 == told[18:]


def test_gloo_that_does_not_start_proves_nothing() -> None:
    """Without a network device there is no proof, so nothing is changed, as the verdict says."""
    import torch

    def no_device(*_: object) -> None:
        raise RuntimeError("no network device")

    c10d = ModuleType("c10d")
    vars(c10d).update(
        torch=torch,
        ProcessGroupGloo=no_device,
        ReduceOp=torch.distributed.ReduceOp,
        ReduceScatterOptions=SimpleNamespace,
        is_initialized=lambda: True,
    )
    shim = runpy.run_path(str(SHIM))
    assert (None, "gloo's AVG of 1 and 2 is None") == shim["probe"](SimpleNamespace(module=c10d))
    del c10d.ProcessGroupGloo
    assert (False, "this torch has no gloo") == shim["probe"](SimpleNamespace(module=c10d))
