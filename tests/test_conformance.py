"""The harness of ``make conformance-torch28``: what it reads and how it judges; no torch needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from shimhub.errors import PlaceholderError
from tests.conformance.torch28 import judging, parsing, report
from tests.conformance.torch28.expected import PROPOSED_LINES, STEPS, SWEEPS, TRAININGS
from tests.conformance.torch28.lines import Judged, lines
from tests.conformance.torch28.place import ROOT, VENV, Place, UnmetError
from tests.conformance.torch28.process import LOCK, TIMED_OUT, run, training_lock
from tests.conformance.torch28.results import Results
from tests.conformance.torch28.steps import steps

LOG = """\
[rank0]:[titan] 2026-11-21 16:39:33 - root - INFO - step:  1  loss:  8.0614  grad_norm:  1.1641
[rank0]:[titan] 16:39:34 - root - INFO - step:  2  loss:  7.90011  grad_norm:  1.2  tps: 2
"""
CHAIN = """\
Traceback (most recent call last):
  File "/home/me/site-packages/torchtitan/a.py", line 1, in <module>
    from torch.x import Y
ModuleNotFoundError: No module named 'torch.x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/home/me/b.py", line 1, in <module>
    raise ImportError("x")
ImportError: cannot import name 'Y' from 'torch.x' (/home/me/site-packages/torch/x.py)
W1121 torch/distributed/elastic closing
Traceback (most recent call last):
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
"""


def a_run(*found, code=0, error=None, completed=True):
    """Return the facts of a training with these losses and a gradient norm of 1."""
    told = {str(step): [loss, 1.0] for step, loss in enumerate(found, 1)}
    return {"code": code, "error": error, "steps": told, "completed": completed}


GOOD = a_run(8.0614, 7.9, 7.8, 7.6, 7.3532)
DEAD = a_run(code=1, error="ImportError: no", completed=False)


# ---- reading


def test_figures_are_read_with_four_and_with_five_decimals():
    """Loss and norm of each step, as 0.2.0 prints them and as 0.2.2 does."""
    assert {1: (8.0614, 1.1641), 2: (7.90011, 1.2)} == parsing.figures(LOG)


def test_a_rank_without_a_loss_does_not_count():
    """A pipeline's first rank prints -1: the figures are the last rank's."""
    first = "step:  1  loss: -1.0000  grad_norm:  2.0000\n"
    assert {1: (8.0, 2.0)} == parsing.figures(first + "step: 1 loss: 8.0000 grad_norm: 2.0000\n")


def test_ranks_that_differ_are_an_error():
    """One step with two figures is told, with both."""
    with pytest.raises(ValueError, match=r"step 1: one rank has \(8.0614, 1.1641\), another"):
        parsing.figures(LOG + LOG.replace("8.0614", "8.0615"))


def test_a_loss_that_is_not_a_number_is_a_figure():
    """A nan is read as one and does not pass for a step that was not printed."""
    assert [1] == list(parsing.figures("step: 1 loss: nan grad_norm: nan"))


@pytest.mark.parametrize("rank", ["", "[rank0]: "])
def test_the_error_is_the_end_of_the_first_chain(rank):
    """Neither the error that was handled nor the launcher's, and without a folder."""
    output = "".join(f"{rank}{line}\n" for line in CHAIN.splitlines())
    assert "ImportError: cannot import name 'Y' from 'torch.x'" == parsing.error(output)


def test_a_module_that_runpy_does_not_find_is_an_error():
    """``python -m`` prints no traceback where a parent of the module is missing."""
    line = "/bin/python: Error while finding module specification for 'a.b' (ImportError: no a)\n"
    assert "ImportError: no a" == parsing.error(line)


def test_no_error_is_none():
    """Output without a rank's traceback has no error, whatever it says about errors."""
    launcher = CHAIN.splitlines()[-1]
    assert None is parsing.error(launcher)
    assert None is parsing.error(LOG + "root - ERROR - an error: ValueError\n")


@pytest.mark.parametrize(
    "text",
    [
        "torch/distributed/gloo_average/reduce_scatter",
        "https://github.com/pytorch/pytorch/issues/1",
    ],
)
def test_what_is_no_folder_stays(text):
    """Ids of shims and addresses are left as they are."""
    assert text == parsing.without_folders(text)


def test_folders_go():
    """The folders of a machine do not get into the table."""
    assert "File train.py" == parsing.without_folders("File /home/me/x-1/train.py")


def test_the_last_json_object_counts():
    """Lines before and after it are no matter; none at all is an error."""
    assert {"a": 1} == parsing.last_json('{"b": 2}\nwarning\n{"a": 1}\nbye\n')
    with pytest.raises(ValueError, match="no line"):
        parsing.last_json("bye")


def test_failures_of_missing_packages_are_named():
    """A failure is a package's if the root of the error is a module that is not of our own."""
    failed = {
        "torchtitan.a": ["ImportError", "x", "fla.ops"],
        "torchtitan.b": ["ImportError", "x", "torch.nn.y"],
        "torchtitan.c": ["RuntimeError", "x", None],
        "torchtitan.d": None,
    }
    assert {"torchtitan.a": "fla"} == parsing.third_party(failed, ("torch", "torchtitan"))


# ---- running


def test_a_command_past_its_time_ends_with_its_children(tmp_path):
    """At the limit the whole group is killed, and what was printed is there."""
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    done = run([sys.executable, "-c", code], tmp_path, os.environ, limit=2)
    assert TIMED_OUT == done.code
    assert 30 > done.seconds
    assert _gone(int(done.output))


def test_what_a_finished_command_left_running_ends_too(tmp_path):
    """A child that outlives a command that ended well is killed."""
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],\n"
        "    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(child.pid)"
    )
    done = run([sys.executable, "-c", code], tmp_path, os.environ, limit=30)
    assert 0 == done.code
    assert _gone(int(done.output))


def _gone(pid):
    """Whether the process ends within some seconds; a zombie of another parent has ended."""
    for _ in range(100):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False


def test_trainings_wait_for_each_other(tmp_path, monkeypatch):
    """The file that the variable names is locked while a training runs, and no longer."""
    lock = tmp_path / "lock"
    monkeypatch.setenv(LOCK, str(lock))
    attempt = ["flock", "--nonblock", str(lock), "true"]
    with training_lock():
        assert 0 != subprocess.run(attempt, check=False).returncode
    assert 0 == subprocess.run(attempt, check=False).returncode


# ---- judging


def test_equal_losses_hold():
    """0.2.2 prints a decimal more: that is no difference."""
    told = judging.trained([GOOD, a_run(8.06143, 7.9, 7.8, 7.6, 7.35318)])
    assert judging.Told("8.0614 → 7.3532, equal in 2 versions", True) == told


def test_a_loss_that_differs_in_the_fourth_decimal_does_not_hold():
    """The oracle is the losses of the other versions."""
    assert not judging.trained([GOOD, a_run(8.0615, 7.9, 7.8, 7.6, 7.3532)]).holds


@pytest.mark.parametrize(
    "broken",
    [
        DEAD,
        a_run(8.0614, 7.9, 7.8, 7.6, 7.9),
        a_run(8.0614, 7.9, 7.8, 7.3532),
        a_run(8.0614, 7.9, 7.8, 7.6, 7.3532, completed=False),
        a_run(8.0614, 7.9, 7.8, 7.6, 7.3532, code=1),
        a_run(8.0614, float("nan"), 7.8, 7.6, float("nan")),
    ],
    ids=["dead", "not falling", "a step short", "not completed", "exit code", "nan"],
)
def test_a_training_that_is_not_whole_does_not_hold(broken):
    """Every run must end well, with five steps and a loss that fell."""
    assert not judging.trained([broken, broken]).holds


def test_the_bare_side_must_fail_before_any_step():
    """A run that works without shimhub, or that trains before it fails, proves nothing."""
    assert judging.Told("`ImportError: no`", True) == judging.stopped(DEAD, DEAD)
    assert not judging.stopped(DEAD, GOOD).holds
    assert not judging.stopped(a_run(8.0, code=1, error="ValueError: x")).holds
    assert not judging.stopped(a_run(code=TIMED_OUT, error="ImportError: no")).holds


def swept(modules=69, rest=(), packages=None):
    """Return the facts of a sweep."""
    failed = len(rest) + len(packages or {})
    facts = {"code": 0, "modules": modules, "failed": failed}
    return facts | {"rest": list(rest), "packages": packages or {}}


def test_a_whole_sweep_holds():
    """All 69 modules of 0.2.0, and no other number of them."""
    assert judging.Told("69/69", True) == judging.swept("0.2.0", swept())
    assert not judging.swept("0.2.0", swept(modules=68)).holds


def test_an_unexplained_failure_does_not_hold():
    """A module that no missing package explains breaks the line, and the table says what it is."""
    told = judging.swept("0.2.0", swept(rest=["ImportError: x"]))
    assert judging.Told("68/69; **ImportError: x**", False) == told


def test_missing_packages_are_counted():
    """Where a package is not installed the table names it, and the number is held."""
    packages = {f"torchtitan.{number}": "fla" for number in range(18)}
    told = judging.swept("0.2.1", swept(modules=89, packages=packages))
    assert judging.Told("71/89; not installed: fla (18)", True) == told
    del packages["torchtitan.0"]
    broken = swept(modules=89, packages=packages, rest=["ImportError: x"])
    assert not judging.swept("0.2.1", broken).holds


def test_the_bare_sweep_is_held_too():
    """Without shimhub as many modules import as are known to: else something else is at work."""
    rest = ["ImportError: x"] * 28
    assert judging.swept("0.2.0", swept(rest=rest), bare=True).holds
    assert not judging.swept("0.2.0", swept(rest=rest[1:]), bare=True).holds


def normed(norm):
    """Return the facts of a training with this norm in step 1."""
    return {"code": 0, "error": None, "steps": {"1": [8.0, norm]}}


def test_the_norm_of_a_mean_holds_and_that_of_a_sum_does_not():
    """0.955 beside 1.1641 holds; twice of it does not, and no norm of one version alone."""
    assert judging.norms([normed(1.1641)], [normed(0.955)]).holds
    assert not judging.norms([normed(1.1641)], [normed(1.91)]).holds
    assert not judging.norms([normed(1.1641)], [DEAD]).holds
    assert not judging.norms([normed(1.1641)] * 2, [normed(0.955), normed(0.956)]).holds


def test_the_bug_must_show_without_its_shim():
    """The norm is doubled exactly where AVG is asked for, or the shims had nothing to mend."""
    right, twice = [normed(0.955)] * 3, normed(1.91)
    told = judging.doubled(right, [twice, twice, normed(0.955)])
    assert told.holds
    assert told.text.endswith("0.2.1: 1.9100, 2.000 times; 0.2.2: 0.9550, 1.000 times")
    assert not judging.doubled(right, [twice, normed(0.955), normed(0.955)]).holds
    assert not judging.doubled(right, [twice] * 3).holds
    assert not judging.doubled(right, [twice, twice, DEAD]).holds


def test_traces_are_compared_with_the_native_ones():
    """Equal traces hold, and the table says whose they are."""
    native = {"torch": "2.13.0", "traces": {"a": ["pre"]}}
    ours = {"code": 0, "traces": {"a": ["pre"]}}
    assert judging.Told("1 traces, torch 2.13.0's", True) == judging.traces(ours, native)
    assert not judging.traces({"code": 0, "traces": {"a": []}}, native).holds


@pytest.mark.parametrize(
    ("error", "holds"),
    [
        ("NotImplementedError: DualPipeV needs torch 2.9: use 1F1B", True),
        ("PlaceholderError: DualPipeV needs torch 2.9: use 1F1B", True),
        ("NotImplementedError: DualPipeV needs torch 2.9", False),
        ("NotImplementedError: use 1F1B", False),
        ("ValueError: DualPipeV needs torch 2.9: use 1F1B", False),
        (None, False),
    ],
)
def test_a_refusal_names_version_and_cure(error, holds):
    """No other error passes for a refusal, and none without both; ours is one by its class."""
    assert issubclass(PlaceholderError, NotImplementedError)
    assert holds == judging.refused("dualpipev", [{"code": 1, "error": error}]).holds


def test_resumed_steps_are_equal_digit_for_digit():
    """A resumed run must repeat steps 4 and 5, and train no other."""
    again = {"code": 0, "error": None, "steps": {step: GOOD["steps"][step] for step in "45"}}
    assert judging.resumed([GOOD], [again]).holds
    assert not judging.resumed([GOOD], [GOOD]).holds
    assert not judging.resumed([GOOD], [again | {"code": 1}]).holds


def test_an_export_is_one_file_with_all_tensors():
    """57 finite tensors in one consolidated file."""
    whole = GOOD | {"tensors": 57, "files": 1, "not finite": []}
    assert judging.Told("57 tensors in 1 file", True) == judging.exported([whole])
    for wrong in ({"tensors": 56}, {"files": 2}, {"not finite": ["a"]}):
        assert not judging.exported([whole | wrong]).holds


# ---- lines, results, table


def test_every_line_can_be_measured():
    """Each step that a line needs is there, and each training is needed by a line."""
    needed = {step for line in lines().values() for step in line.needs}
    assert set() == needed - set(steps())
    assert set() == set(TRAININGS) - needed
    assert {*PROPOSED_LINES, *(f"sweep-{version}" for version in SWEEPS)} <= set(lines())


def test_a_version_that_does_without_is_told():
    """`import torchtitan` of 0.2.0 works on torch 2.8 as it is: held, and the table says it."""
    fine = {"code": 0, "error": None, "printed": "ok"}
    line = lines()["proposal-import"]
    names = [f"proposal-import-{version}" for version in ("0.2.0", "0.2.1", "0.2.2")]
    results = dict.fromkeys(names, fine) | {f"{name}-bare": DEAD for name in names}
    assert not line.judged(results).holds
    judged = line.judged(results | {f"{names[0]}-bare": fine})
    assert judged.holds
    assert "0.2.0 does without; the others: `ImportError: no`" == judged.bare.text


def test_a_line_needs_both_sides():
    """A line holds where it works with shimhub and does not without."""
    line, good, bad = lines()["train-1"], judging.Told("", True), judging.Told("", False)
    assert Judged(line, good, good).holds
    assert not Judged(line, good, bad).holds
    assert not Judged(line, bad, good).holds


def test_results_know_their_sources(tmp_path):
    """A result of other sources is told from one of these."""
    results = Results(tmp_path)
    results.save("a", {"code": 0})
    assert ({"code": 0}, True) == results.load("a")
    kept = json.loads((tmp_path / "a.json").read_text("utf-8"))
    (tmp_path / "a.json").write_text(json.dumps(kept | {"sources": "other"}), encoding="utf-8")
    assert ({"code": 0}, False) == results.load("a")
    assert None is results.load("b")


def test_the_page_tells_what_broke():
    """The page has each line with both sides, the losses, and no folder of this machine."""
    line = lines()["train-1"]
    one = Judged(line, judging.Told("a | b", True), judging.Told("`X`", False))
    told = dict.fromkeys(("python", "torch", "shimhub", "sources", "stale"), "v")
    page = report.markdown([one], {"train-0.2.0-1": GOOD}, told)
    assert f"| train-1 | {line.what} | a \\| b | `X` | **does not hold** |" in page
    assert "| 0.2.0 | 1 | 8.0614 | 7.9000 | 7.8000 | 7.6000 | 7.3532 | 1.0000 |" in page
    assert str(ROOT) not in page
    assert str(max(STEPS)) in page


def test_an_incomplete_environment_that_was_lent_is_not_written_to(tmp_path, monkeypatch):
    """The error names what it lacks; nothing is installed into somebody's environment."""
    python = tmp_path / "lent" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (tmp_path / "lent" / "pyvenv.cfg").write_text(f"home = {os.path.dirname(sys.executable)}\n")
    monkeypatch.setenv(VENV, str(tmp_path / "lent"))
    with pytest.raises(UnmetError, match=rf"{VENV} lacks torch"):
        _ = Place(tmp_path / "build").base


def test_a_result_without_shimhub_stays_good(tmp_path):
    """What ran without shimhub does not depend on its sources."""
    Results(tmp_path).save("a-bare", {"code": 1})
    assert "none" == json.loads((tmp_path / "a-bare.json").read_text("utf-8"))["sources"]
    assert ({"code": 1}, True) == Results(tmp_path).load("a-bare")


def test_a_run_that_is_told_to_end_leaves_nothing_behind(tmp_path):
    """SIGTERM ends the harness on the way on which commands are killed, not at once."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.conformance.torch28 import __main__ as harness, process\n"
        "signal.signal(signal.SIGTERM, harness._end)\n"
        'program = \'import os, time; open("pid", "w").write(str(os.getpid())); time.sleep(60)\'\n'
        "process.run([sys.executable, '-c', program], Path(sys.argv[1]), os.environ, 60)\n"
    )
    started = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    pid = tmp_path / "pid"
    while not (pid.exists() and pid.read_text()) and started.poll() is None:
        time.sleep(0.05)
    started.terminate()
    assert 128 + signal.SIGTERM == started.wait(30)
    assert _gone(int(pid.read_text()))
