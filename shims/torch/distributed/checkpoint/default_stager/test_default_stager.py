"""`DefaultStager`: what it copies, what it cannot do on torch 2.8, and what it says then."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import pytest

ID = "torch/distributed/checkpoint/default_stager"
LIBRARY = """
import inspect, pickle, warnings
import torch
from torch.distributed.checkpoint import staging
from torch.distributed.checkpoint.staging import *
warnings.simplefilter("ignore")

def stager(pinned=False, shared=False, in_background=False, non_blocking=False):
    return DefaultStager(StagingOptions(pinned, shared, in_background, non_blocking))
"""
STAGE = """
for shared in (False, True):
    state = {"a": torch.arange(4.0), "nested": {"b": [torch.ones(2, 3).t(), 7, "text"]}, "step": 3}
    one = stager(shared=shared)
    staged = one.stage(state)
    one.synchronize_staging()
    state["a"].zero_()
    state["nested"]["b"][0].zero_()
    again = one.stage(state)
    print(staged["a"].tolist(), staged["nested"]["b"][0].sum().item(), staged["nested"]["b"][1:])
    print(staged["step"], staged["a"].is_shared(), again["a"].sum().item())
    one.close()
print(isinstance(one, AsyncStager), AsyncStager in DefaultStager.__mro__)
print(one.should_synchronize_after_execute, list(inspect.signature(DefaultStager).parameters))
print(pickle.loads(pickle.dumps(DefaultStager)) is DefaultStager)
"""
STAGED = """\
[0.0, 1.0, 2.0, 3.0] 6.0 [7, 'text']
3 False 0.0
[0.0, 1.0, 2.0, 3.0] 6.0 [7, 'text']
3 True 0.0
True True
True ['config']
True
"""
PINNED = """
import os
os.environ["CUDA_VISIBLE_DEVICES"] = ""
warnings.simplefilter("always")
print(stager(pinned=True).stage({"a": torch.ones(2)})["a"].is_pinned())
"""
NON_BLOCKING = """
import os
os.environ["CUDA_VISIBLE_DEVICES"] = ""
stager(non_blocking=True)
"""
ON_GPU = """
one = stager(pinned=True, non_blocking=True)
state = {"a": torch.ones(1000, device="cuda")}
staged = one.stage(state)
print(staged["a"].is_pinned(), staged["a"].device, staged["a"].sum().item())
state["a"] += 1
print(one.stage(state)["a"].data_ptr() == staged["a"].data_ptr(), staged["a"].sum().item())
"""
TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
on_2_8 = pytest.mark.skipif(not IS_2_8, reason="needs torch 2.8, which lacks the class")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the class")


def _run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    hub = ["-m", "shimhub", "run", *options, "-c", LIBRARY + code]
    command = [sys.executable, "-W", "ignore", *hub]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@on_2_8
def test_copies_are_safe_from_training() -> None:
    """A staged state dict keeps what it had, nested and non-contiguous tensors and plain values
    too, also when the same stager stages again; shared memory is shared."""
    told = _run(STAGE)
    assert STAGED == told.stdout, told.stderr


@on_2_8
@pytest.mark.parametrize("options", ["", "StagingOptions(True, True, True, True)"])
def test_background_staging_is_refused_with_the_cure(options: str) -> None:
    """The default, and what TorchTitan asks for with pinned memory, raises at once and names the
    torch that has it, the option, and TorchTitan's."""
    told = _run(f"DefaultStager({options})").stderr
    wanted = f"needs torch 2.9 or later, and this is torch {TORCH}"
    assert f"NotImplementedError: DefaultStager with use_async_staging=True {wanted}" in told
    assert 'checkpoint.async_mode = "async"' in told
    assert "StagingOptions(use_async_staging=False)" in told


def test_pinned_memory_without_cuda_is_told() -> None:
    """As in torch 2.9, the wish is dropped with a warning."""
    told = _run(PINNED)
    assert "False\n" == told.stdout, told.stderr
    assert "UserWarning: Ignoring" in told.stderr


def test_non_blocking_copies_without_an_accelerator_are_refused() -> None:
    """The error is torch 2.9's own."""
    told = _run(NON_BLOCKING).stderr
    wanted = "Non-blocking copy requires that the current accelerator is available."
    assert f"AssertionError: {wanted}" in told


@on_2_8
@pytest.mark.gpu
def test_pinned_memory_is_kept() -> None:
    """With CUDA the copy is pinned, complete when `stage` returns, and filled again next time."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device, and torch sees none")
    told = _run(ON_GPU)
    assert "True cpu 1000.0\nTrue 2000.0\n" == told.stdout, told.stderr


@on_2_8
def test_native_lacks_it() -> None:
    """Without the shim the import dies: the row is still needed."""
    told = _run("staging.DefaultStager", "--disable", ID).stderr
    assert "has no attribute 'DefaultStager'" in told


@on_later
def test_native_stays() -> None:
    """Where torch has the name, the row is gated and the class is torch's own."""
    from torch.distributed.checkpoint import staging

    import shimhub

    native = staging.DefaultStager
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert staging.DefaultStager is native
