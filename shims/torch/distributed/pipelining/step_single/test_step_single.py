"""`PipelineScheduleSingle.step(return_outputs=)` in a pipeline of one rank."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

import pytest

SCHEDULE = "PipelineScheduleSingle"

UNTOUCHED = """
import shimhub
from torch.distributed.pipelining import schedules
shimhub.uninstall()
native = vars(schedules.PipelineScheduleSingle)["step"]
shimhub.install()
assert vars(schedules.PipelineScheduleSingle)["step"] is native
print(shimhub.explain("torch/distributed/pipelining/step_single")["torch/distributed/pipelining/step_single"].status.value)
"""

CODE = """
import torch, torch.distributed as dist
from torch.distributed.pipelining import PipelineStage, schedules
dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
class Model(torch.nn.Linear):
    def forward(self, x, *, shift=0):
        return super().forward(x) + shift
model = Model(3, 2)
stage = PipelineStage(model, 0, 1, torch.device("cpu"))
stages = [stage] if "Multi" in "SCHEDULE" else stage
kind = schedules.ScheduleInterleaved1F1B if "Multi" in "SCHEDULE" else schedules.ScheduleGPipe
schedule = kind(stages, n_microbatches=2, loss_fn=torch.nn.functional.mse_loss)
x, y = torch.randn(4, 3), torch.randn(4, 2)
def step(**words):
    losses = []
    model.zero_grad()
    out = schedule.step(x, shift=1, target=y, losses=losses, **words)
    return out, torch.stack(losses), model.weight.grad.clone()
(plain, *known), (none, *found) = step(), step(return_outputs=False)
torch.testing.assert_close(plain, model(x, shift=1))
assert all(torch.equal(*pair) for pair in zip(known, found, strict=True))
print(none, torch.equal(step(return_outputs=True)[0], plain))
try:
    step(return_output=False)
except Exception as error:
    print("return_output" in str(error) or "return_output" in str(error.__cause__))
dist.destroy_process_group()
""".replace("SCHEDULE", SCHEDULE)


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
    """Where torch has the keyword it is the same function after an install."""
    assert ["GATED"] == _run(UNTOUCHED)


def test_outputs_are_returned_or_not() -> None:
    """On every torch: None on request, else the outputs; losses and gradients are the same, and
    the model's own words reach it, wrong ones too."""
    told = [line for line in _run(CODE) if not line.startswith("[Gloo]")]
    assert ["None True", "True"] == told
