"""FSDP2's gradients on CPU with a custom divide factor."""

from __future__ import annotations

import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]

WORKER = """
import sys
import torch, torch.distributed as dist
from torch.distributed.fsdp import fully_shard
dist.init_process_group("gloo")
model = torch.nn.Linear(4, 2, bias=False)
torch.nn.init.ones_(model.weight)
fully_shard(model)
if sys.argv[1] != "none":
    model.set_gradient_divide_factor(float(sys.argv[1]))
model(torch.full((1, 4), 1.0 + dist.get_rank())).sum().backward()
grad = model.weight.grad.full_tensor()
if dist.get_rank() == 0:
    print("grad", grad.unique().tolist())
dist.destroy_process_group()
"""


def test_only_cpu_is_forced_to_sum() -> None:
    """The switch is set for CPU tensors, kept where it was set, and left alone elsewhere."""
    factors = build(lambda *seen: seen, None)
    group, dtype = object(), object()
    assert (group, None, dtype, "cpu", 2.0, True) == factors(group, None, dtype, "cpu", 2.0)
    assert (group, None, dtype, "cuda", None, False) == factors(group, None, dtype, "cuda")
    assert (group, None, dtype, "", None, True) == factors(
        group, None, dtype, force_sum_reduction_for_comms=True
    )


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
@pytest.mark.parametrize(("factor", "grad"), [("none", 1.5), ("1", 3.0), ("3", 1.0)])
def test_gradients_of_two_ranks(tmp_path: Path, factor: str, grad: float) -> None:
    """Gradients 1 and 2 of two ranks give their mean, or their sum divided by the factor."""
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER, encoding="utf-8")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    hub = ["-m", "shimhub", "run", "--enable", "cpu-device"]
    command = [sys.executable, "-W", "ignore", *hub, *launch, str(worker), factor]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"grad [{grad}]" in told.stdout, told.stderr
