"""`async_save(async_stager=)`: what is saved, with which stager, and which cannot be used."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

ID = "torch/distributed/checkpoint/async_save"
LIBRARY = """
import sys, warnings
from concurrent.futures import Future
import torch, torch.distributed as dist, torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.staging import BlockingAsyncStager, DefaultStager, StagingOptions
from torch.distributed.checkpoint.state_dict_saver import AsyncCheckpointerType
warnings.simplefilter("ignore")
folder = sys.argv[1]

class Spy(DefaultStager):
    def __init__(self):
        super().__init__(StagingOptions(False, False, False, False))
        self.seen = []
    def stage(self, state_dict):
        self.seen.append("stage")
        return super().stage(state_dict)
    def synchronize_staging(self):
        self.seen.append("synchronize")

def saved(**options):
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.FileStore(folder + "/store"))
    state = {"a": torch.arange(4.0), "n": 3}
    future = dcp.async_save(state, checkpoint_id=folder + "/dcp", **options)
    state["a"].zero_()
    future.result()
    found = {"a": torch.zeros(4), "n": 0}
    dcp.load(found, checkpoint_id=folder + "/dcp")
    dist.destroy_process_group()
    return found["a"].tolist(), found["n"]
"""
IN_A_THREAD = """
spy = Spy()
print(saved(async_stager=spy), spy.seen)
"""
IN_A_PROCESS = """
if __name__ == "__main__":
    spy = Spy()
    kind = AsyncCheckpointerType.PROCESS
    print(saved(async_stager=spy, async_checkpointer_type=kind), spy.seen)
"""
BY_ITSELF = """
print(saved())
"""
IN_BACKGROUND = """
class InBackground(BlockingAsyncStager):
    def stage(self, state_dict):
        future = Future()
        future.set_result(super().stage(state_dict))
        return future
saved(async_stager=InBackground())
"""
WITHOUT_CPU = """
from torch.testing._internal.distributed.fake_pg import FakeStore
class Accelerated:
    _device_types = [torch.device("cuda")]
dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
dcp.async_save({}, checkpoint_id=folder, async_stager=Spy(), process_group=Accelerated())
"""
LATE = """
import shimhub
native = [dcp.async_save]
with shimhub.shimmed(only="torch/distributed/checkpoint/*"):
    print(dcp.async_save is native[0], dcp.state_dict_saver.async_save is dcp.async_save)
print(dcp.async_save is native[0], dcp.state_dict_saver.async_save is dcp.async_save)
"""
SAVED = "([0.0, 1.0, 2.0, 3.0], 3)"
TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
on_2_8 = pytest.mark.skipif(not IS_2_8, reason="needs torch 2.8, which lacks the keyword")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the keyword")


def _run(folder: Path, code: str, *options: str) -> subprocess.CompletedProcess[str]:
    path = folder / "program.py"  # a spawned process imports it anew
    path.write_text(LIBRARY + code)
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", *options, str(path)]
    return subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)


def _last(told: subprocess.CompletedProcess[str]) -> str:
    assert told.stdout, told.stderr
    return told.stdout.splitlines()[-1]  # torch 2.8's gloo says that it is connected


def test_stager_stages_what_a_thread_saves(tmp_path: Path) -> None:
    """The given stager is used, and synchronized, once; what is saved is what was staged."""
    assert f"{SAVED} ['stage', 'synchronize']" == _last(_run(tmp_path, IN_A_THREAD))


@pytest.mark.slow
def test_stager_stages_what_a_process_saves(tmp_path: Path) -> None:
    """The same for a save in a process of its own."""
    assert f"{SAVED} ['stage', 'synchronize']" == _last(_run(tmp_path, IN_A_PROCESS))


def test_without_a_stager_it_saves_as_before(tmp_path: Path) -> None:
    """The original's own way."""
    assert SAVED == _last(_run(tmp_path, BY_ITSELF))


@on_2_8
def test_background_stagers_are_refused_with_the_cure(tmp_path: Path) -> None:
    """A stager that returns a future raises; the error names it, the torch that can, and what to
    do instead, in TorchTitan too."""
    told = _run(tmp_path, IN_BACKGROUND).stderr
    assert "NotImplementedError: async_save(async_stager=) with InBackground" in told
    assert f"needs torch 2.9 or later, and this is torch {TORCH}" in told
    assert 'checkpoint.async_mode = "async"' in told


@on_2_8
def test_groups_without_a_cpu_backend_are_refused(tmp_path: Path) -> None:
    """In torch's own words, before anything is staged."""
    told = _run(tmp_path, WITHOUT_CPU).stderr
    assert "AssertionError: A CPU backend must be enabled for async save" in told


@on_2_8
def test_copies_from_before_are_rebound(tmp_path: Path) -> None:
    """Installed late, it reaches the name in `torch.distributed.checkpoint`; undo gives it back."""
    code = "import torch.distributed.checkpoint as dcp\n" + LATE
    command = [sys.executable, "-W", "ignore", "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "False True\nTrue True\n" == told.stdout, told.stderr


@on_2_8
def test_native_lacks_it(tmp_path: Path) -> None:
    """Without the shim the call dies: the row is still needed."""
    told = _run(tmp_path, IN_A_THREAD, "--disable", ID).stderr
    assert "unexpected keyword argument 'async_stager'" in told


@on_later
def test_native_stays() -> None:
    """Where torch has the keyword, the row is gated and the function is torch's own."""
    from torch.distributed.checkpoint import state_dict_saver

    import shimhub

    native = state_dict_saver.async_save
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert state_dict_saver.async_save is native
