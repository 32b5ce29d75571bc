"""Unmodified training scripts under ``run --speed``: their weights, streams and ends."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

#: Verdicts by name, so that no test depends on how busy the machine is; rank 1 would say SLOWER.
SAYS = """
import os
from shimhub.speed import _rounds, _steps
from shimhub.speed.model import Timing, Verdict

class Said:
    pairs = 0

    def add_block(self, layout, seconds):
        self.pairs += 2

    def verdict(self):
        told = "SLOWER" if os.environ.get("RANK") == "1" else os.environ["SAYS"]
        return Timing(Verdict(told), 1.5, 1.2, 1.8, 4, 0.99, 1.0) if self.pairs >= 4 else None

_rounds.PairTest = Said
_steps.block_of = lambda seconds: 2
"""
HEAD = """
import sys, torch
torch.manual_seed(0)
torch.set_num_threads(1)

def net():
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8))

def loss(model, data):
    return (model(data) - 1).square().mean()
"""
SCRIPTS = {
    # A scheduler, gradient accumulation over two batches, and workers that load them.
    "schedule": """
        from torch.utils.data import DataLoader
        model = net()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)
        data = DataLoader(list(torch.randn(240, 8)), batch_size=2, num_workers=2)
        for number, batch in enumerate(data):
            loss(model, batch).backward()
            if number % 2:
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
        torch.save([*model.state_dict().values()], sys.argv[1])
        print("fused", optimizer.param_groups[0]["fused"])
    """,
    # Two optimizers, one of which steps twice as often; a third one comes late.
    "three": """
        one, two, three = net(), net(), net()
        first, second = (torch.optim.Adam(each.parameters(), lr=1e-2) for each in (one, two))
        late = None
        for number in range(120):
            batch = torch.randn(4, 8)
            for model, optimizer in ((one, first), (one, first), (two, second), (three, late)):
                if optimizer is not None:
                    optimizer.zero_grad()
                    loss(model, batch).backward()
                    optimizer.step()
            if number == 12:
                late = torch.optim.SGD(three.parameters(), lr=1e-2)
        weights = [value for each in (one, two, three) for value in each.state_dict().values()]
        torch.save(weights, sys.argv[1])
        print("fused", *(each.param_groups[0]["fused"] for each in (first, second, late)))
    """,
    # The end comes before anything is tried.
    "short": """
        model = net()
        optimizer = torch.optim.AdamW(model.parameters())
        for _ in range(4):
            loss(model, torch.randn(4, 8)).backward()
            optimizer.step()
        torch.save([*model.state_dict().values()], sys.argv[1])
        print("fused", optimizer.param_groups[0]["fused"])
    """,
    # The script dies while something is tried.
    "raising": """
        model = net()
        optimizer = torch.optim.AdamW(model.parameters())
        for _ in range(9):
            loss(model, torch.randn(4, 8)).backward()
            optimizer.step()
        torch.save([*model.state_dict().values()], sys.argv[1])
        print("about to raise")
        raise RuntimeError("of the script")
    """,
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return the weights of every script without us, made in one process."""
    import runpy

    folder, found = tmp_path_factory.mktemp("plain"), {}
    argv, threads = sys.argv, torch.get_num_threads()
    try:
        for name, body in SCRIPTS.items():
            (folder / f"{name}.py").write_text(HEAD + textwrap.dedent(body))
            sys.argv = ["", str(folder / name)]
            try:
                runpy.run_path(str(folder / f"{name}.py"), run_name="__main__")
            except RuntimeError:
                assert "raising" == name
            found[name] = torch.load(folder / name)
    finally:
        sys.argv = argv
        torch.set_num_threads(threads)
    return found


def run(lab, name, says="FASTER", check=True):
    """Run a script with ``--speed auto``; returns the process, its weights and its records."""
    lab.module("sitecustomize", SAYS)
    (lab.root / f"{name}.py").write_text(HEAD + textwrap.dedent(SCRIPTS[name]))
    done = lab.cli("run", "--speed", "auto", f"{name}.py", "out", SAYS=says, check=check)
    return done, torch.load(lab.root / "out"), records(lab)


def records(lab):
    """Return what processes told of speed, in order of their files."""
    files = sorted((lab.root / "state").rglob("*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [(one["kind"], one["reason"]) for one in lines if one.get("shim") == "torch/speed/vivo"]


def close(expected, found):
    """Whether weights agree as far as sums in another order do: 1e-5, relative."""
    pairs = zip(expected, found, strict=True)
    return all(torch.allclose(one, two, rtol=1e-5, atol=1e-6) for one, two in pairs)


FASTER = "optimizer fused=True: FASTER 1.50x [1.20, 1.80], 4 pairs of 2 steps, kept"


def test_a_script_with_a_scheduler_accumulation_and_workers(lab, plain):
    """What is FASTER is kept; stdout is the script's, stderr has one line, the records, too."""
    done, weights, told = run(lab, "schedule")
    assert ("fused True\n", f"shimhub: speed: {FASTER}\n") == (done.stdout, done.stderr)
    assert close(plain["schedule"], weights)
    assert [("speed", FASTER)] == told
    assert f"  torch/speed/vivo: {FASTER}\n" in lab.cli("report").stdout


def test_a_script_with_several_optimizers_one_of_them_late(lab, plain):
    """All optimizers of a loop are switched together, the late one when the loop is known anew."""
    done, weights, _ = run(lab, "three")
    assert "fused True True True\n" == done.stdout
    assert close(plain["three"], weights)


def test_where_nothing_is_faster_the_weights_agree_as_well(lab, plain):
    """Steps of a trial were fused, so weights agree to 1e-5; the optimizer is as it was made."""
    done, weights, told = run(lab, "schedule", says="NO_DIFFERENCE")
    assert "fused None\n" == done.stdout
    assert close(plain["schedule"], weights)
    assert "NO_DIFFERENCE" in told[0][1]


def test_a_script_that_ends_before_anything_is_tried(lab, plain):
    """Weights are those of the plain run by the bit, and the end is told as UNDECIDED."""
    done, weights, told = run(lab, "short")
    assert all(map(torch.equal, plain["short"], weights))
    line = "4 steps of optimizers: UNDECIDED, as the program ended first; everything is as it was"
    assert f"shimhub: speed: {line}\n" == done.stderr
    assert [("speed", line)] == told


def test_a_script_that_raises(lab, plain):
    """Its exit code, traceback and output are its own; our line comes behind them."""
    done, weights, _ = run(lab, "raising", check=False)
    assert (1, "about to raise\n") == (done.returncode, done.stdout)
    assert close(plain["raising"], weights)
    *_, error, line = done.stderr.splitlines()
    assert "RuntimeError: of the script" == error
    assert line.startswith("shimhub: speed: optimizer fused=True: ")
    assert "shimhub" not in done.stderr.removesuffix(f"{line}\n")


ENDS = {
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, ""),
    "SIGINT": ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, "KeyboardInterrupt"),
    "os._exit": ("os._exit(4)", 4, ""),
    "sys.exit": ("sys.exit(3)", 3, ""),
}


@pytest.mark.skipif(os.name != "posix", reason="signals end a process so on POSIX")
@pytest.mark.parametrize("end", ENDS)
def test_an_end_in_the_middle_is_the_scripts_own(lab, end):
    """Its code and stdout are those of plain python; what we say, if it can be said, is true."""
    line, code, error = ENDS[end]
    lab.module("sitecustomize", SAYS)
    script = f"""
        import os, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        model = net()
        optimizer = torch.optim.AdamW(model.parameters())
        for step in range(60):
            loss(model, torch.randn(4, 8)).backward()
            optimizer.step()
            if step == 12:
                print("so far", flush=True)
                {line}
    """
    (lab.root / "end.py").write_text(HEAD + textwrap.dedent(script))
    done = lab.cli("run", "--speed", "auto", "end.py", SAYS="FASTER", check=False)
    assert (code, "so far\n") == (done.returncode, done.stdout)
    assert error in done.stderr
    assert all("UNDECIDED" in one and "kept" not in one for one in ours(done))
    assert (end in ("SIGINT", "sys.exit")) == bool(ours(done))


SPAWNS = """
import torch.multiprocessing

def work(rank, out):
    torch.manual_seed(rank)
    model = net()
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(60):
        optimizer.zero_grad()
        loss(model, torch.randn(4, 8)).backward()
        optimizer.step()
    torch.save([*model.state_dict().values()], f"{out}{rank}")
    if rank and sys.argv[2] == "raises":
        raise RuntimeError("of the script")

if __name__ == "__main__":
    torch.multiprocessing.spawn(work, (sys.argv[1],), nprocs=2)
"""


@pytest.mark.parametrize("how", ["ends", "raises"])
def test_processes_that_a_script_spawns_are_measured_each_by_itself(lab, how, monkeypatch):
    """Both say what they kept; one that raises ends the run as it does without us."""
    lab.module("sitecustomize", SAYS)
    (lab.root / "spawns.py").write_text(HEAD + SPAWNS)
    done = lab.cli("run", "--speed", "auto", "spawns.py", "out", how, SAYS="FASTER", check=False)
    assert (how == "raises", "") == (done.returncode, done.stdout)
    assert ("RuntimeError: of the script" in done.stderr) == (how == "raises")
    assert {f"shimhub: speed: {FASTER}"} == set(ours(done))
    names, threads = {"__name__": "plain"}, torch.get_num_threads()
    exec(HEAD + SPAWNS, names)  # the script of above, without its end
    monkeypatch.setattr(sys, "argv", ["", "", "ends"])
    names["work"](1, lab.root / "plain")
    torch.set_num_threads(threads)
    assert close(torch.load(lab.root / "plain1"), torch.load(lab.root / "out1"))


RANKS = """
import os
from datetime import timedelta
import torch.distributed as dist
how = sys.argv[2]
dist.init_process_group("gloo", timeout=timedelta(seconds=18 if how == "alone" else 600))
rank = dist.get_rank()
if how == "alone" and rank:
    import shimhub
    shimhub.uninstall()
model = net()
make = (torch.optim.AdamW, torch.optim.SGD if how == "unlike" else torch.optim.AdamW)
optimizer = make[rank](model.parameters(), lr=1e-2)
for step in range(60):
    if how == "dies" and rank and step == 12:
        os._exit(9)
    batch = torch.randn(4, 8)
    optimizer.zero_grad()
    loss(model, batch).backward()
    for each in model.parameters():
        dist.all_reduce(each.grad)
    optimizer.step()
torch.save([*model.state_dict().values()], f"{sys.argv[1]}{rank}")
print(f"rank {rank} fused {optimizer.param_groups[0]['fused']}\\n", end="", flush=True)
dist.destroy_process_group()
"""


def launch(lab, how):
    """Run two ranks over gloo, alike or not."""
    lab.module("sitecustomize", SAYS)
    (lab.root / "ranks.py").write_text(HEAD + RANKS)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    told = {"SAYS": "FASTER", "OMP_NUM_THREADS": "1"}
    program = [*launcher, "ranks.py", "out", how]
    return lab.cli("run", "--speed", "auto", *program, check=how != "dies", **told)


@pytest.mark.skipif(os.name != "posix", reason="gloo by torchrun is tested on Linux")
def test_two_ranks_keep_what_rank_0_measured(lab):
    """Rank 1 measured SLOWER, and keeps the setting all the same; rank 0 alone speaks."""
    done = launch(lab, "alike")
    assert ["rank 0 fused True", "rank 1 fused True"] == sorted(done.stdout.split("\n"))[1:]
    assert [f"shimhub: speed: {FASTER}"] == ours(done)
    assert close(torch.load(lab.root / "out0"), torch.load(lab.root / "out1"))
    followed = "optimizer fused=True: as rank 0 measured, kept"
    assert {("speed", FASTER), ("speed", followed)} <= set(records(lab))


@pytest.mark.skipif(os.name != "posix", reason="as above")
def test_ranks_that_differ_turn_everything_off(lab):
    """A rank with another optimizer ends it for both, which say so; the report has it, too."""
    done = launch(lab, "unlike")
    assert ["rank 0 fused None", "rank 1 fused None"] == sorted(done.stdout.split("\n"))[1:]
    told = "everything is off: rank 1 has other settings, optimizers or versions"
    assert [f"shimhub: speed: {told}"] * 2 == ours(done)
    assert 2 == lab.cli("report", check=False).stdout.count(
        "torch/speed/vivo is off, as ranks differ, in rank"
    )


@pytest.mark.skipif(os.name != "posix", reason="as above")
def test_a_rank_that_dies_ends_the_run_as_without_us(lab):
    """The other one is ended by torchrun, which returns 1; nothing is said to be kept."""
    done = launch(lab, "dies")
    assert (1, "") == (done.returncode, done.stdout)
    assert not [one for one in ours(done) if "kept" in one]


@pytest.mark.skipif(os.name != "posix", reason="as above")
def test_a_rank_without_us_is_waited_for_less_than_its_collectives_wait(lab):
    """Its group gives up after 18 s: rank 0 gives up before, and training goes on to its end."""
    done = launch(lab, "alone")
    assert ["rank 0 fused None", "rank 1 fused None"] == sorted(done.stdout.split("\n"))[1:]
    told = "rank 0 waited 4.5 s for '1/1': ranks do not step together"
    assert [f"shimhub: speed: everything is off: {told}"] == ours(done)


def ours(done):
    """Return our lines of stderr, where torchrun may have its own."""
    return [line for line in done.stderr.splitlines() if line.startswith("shimhub")]
