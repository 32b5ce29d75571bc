"""Jobs on all runners: the same bytes, errors that name the block, and nothing that hangs."""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shimhub.data import DataError, JobError, WorkerError, convert
from shimhub.data.jobs import _marks as marks
from shimhub.data.jobs._plan import make_job, run_job
from shimhub.data.runners import Settings, cpus, open_runner, remaining
from shimhub.data.runners.env import EnvRunner, rank_of
from tests import data_jobs
from tests.data_jobs import blocks_job, environ, heavy, kill_and_resume, python, stage, tree

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def two_stages(job):
    """Return the stages of numbers and sums."""
    from shimhub.data.jobs._work import Stage

    return [stage(job, "write_number"), Stage("two", 3, "tests.data_jobs:write_sum")]


# ---- what does not show


@given(
    workers=st.integers(1, 3),
    shards=st.none() | st.integers(1, 15),
    before=st.sets(st.integers(0, 30)),
)
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_workers_shards_and_what_was_done_before_do_not_show(workers, shards, before, tmp_path):
    """Any of them, and any tasks that a run before did: the same files and manifest."""
    folder = tmp_path / f"{time.monotonic_ns()}"
    plain = blocks_job(folder, "plain")
    run_job(plain, two_stages(plain), workers=1)
    job = blocks_job(folder, "out")
    os.makedirs(job.scratch())
    first = stage(job, "write_number")
    for index in before & set(range(first.tasks)):
        marks.do_task(job, first, index)
    (Path(job.state) / "plan.json").write_bytes(json.dumps(job.plan).encode())

    run_job(job, two_stages(job), workers=workers, shards=shards)

    assert 5 < first.tasks
    assert tree(folder / "plain") == tree(folder / "out")


def test_only_what_has_no_mark_is_done(tmp_path):
    """A task whose mark and files are there is not done again; one whose file changed is."""
    job = blocks_job(tmp_path, error="own")
    with pytest.raises(data_jobs.OwnError):
        run_job(job, [stage(job, "fail")], workers=1)
    before = (tmp_path / "out" / job.part(0)).stat()
    (tmp_path / "out" / job.part(1)).write_text("damaged\n")
    job = make_job("test", tmp_path / "in.jsonl", job.out, params={"error": "own"}, block_bytes=300)

    told = []
    run_job(job, [stage(job, "write_number")], workers=1, progress=lambda *now: told.append(now))

    assert before == (tmp_path / "out" / job.part(0)).stat()
    assert "1\n" == (tmp_path / "out" / job.part(1)).read_text()
    tasks = len(job.blocks)
    assert [("one", done, tasks) for done in range(1, tasks + 1)] == told


def test_a_result_is_told_by_the_manifest(tmp_path):
    """What ``result`` returns, of marks that are still there, is under "result"."""
    job = blocks_job(tmp_path)

    made = run_job(
        job,
        [stage(job, "write_number")],
        workers=1,
        result=lambda job: {"last": marks.told(job, "one", len(job.blocks) - 1)["number"]},
    )

    assert {"last": len(job.blocks) - 1} == made["result"]
    assert made == json.loads((tmp_path / "out" / "_manifest.json").read_text())


def test_tasks_that_print_do_not_disturb(tmp_path, capfd):
    """What tasks write to stdout goes to stderr, where it breaks nothing."""
    job = blocks_job(tmp_path)
    run_job(job, [stage(job, "printing")], workers=2)
    out, err = capfd.readouterr()
    assert ("", True) == (out, "a task prints 3" in err)


# ---- errors


@pytest.mark.parametrize(
    ("name", "kind", "workers"),
    [("value", ValueError, 1), ("own", data_jobs.OwnError, 1), ("own", data_jobs.OwnError, 2)],
)
def test_an_error_keeps_its_class_and_names_the_block(name, kind, workers, tmp_path):
    """The task's own exception is raised, with a note of stage, task, block and file."""
    job = blocks_job(tmp_path, error=name)
    with pytest.raises(kind, match=r"^boo") as caught:
        run_job(job, [stage(job, "fail")], workers=workers)
    (note,) = caught.value.__notes__
    assert note.startswith("in stage 'one', task 2, block 2 (")
    assert "in.jsonl, " in note
    if workers > 1:
        assert "in fail" in str(caught.value.__cause__)


def test_an_error_that_cannot_be_sent_is_told_in_words(tmp_path):
    """An exception that does not unpickle becomes a DataError with its class and words."""
    job = blocks_job(tmp_path, error="strange")
    with pytest.raises(DataError, match=r"StrangeError: 1 and 2 \(the error itself cannot be"):
        run_job(job, [stage(job, "fail")], workers=2)


@pytest.mark.parametrize("shards", [None, 2])
def test_a_killed_worker_is_told_and_its_task_done_again(shards, tmp_path, caplog):
    """SIGKILL in a task: a warning names it, another worker does it, all is complete."""
    (tmp_path / "tries").mkdir()
    job = blocks_job(tmp_path, tries=str(tmp_path / "tries"), times=1)
    with caplog.at_level(logging.WARNING):
        made = run_job(job, [stage(job, "die")], workers=2, shards=shards)
    assert len(job.blocks) == made["rows"]
    assert "task 2, block 2" in caplog.text
    assert "was killed by SIGKILL (by the system, for want of memory?)" in caplog.text


def test_a_task_that_kills_twice_is_an_error(tmp_path):
    """The second death of the worker of a task is an error with its name; then it resumes."""
    (tmp_path / "tries").mkdir()
    job = blocks_job(tmp_path, tries=str(tmp_path / "tries"), times=2)
    with pytest.raises(WorkerError, match=r"task 2, block 2 .*killed by SIGKILL.*run the job"):
        run_job(job, [stage(job, "die")], workers=2)
    made = run_job(job, [stage(job, "die")], workers=2)
    assert len(job.blocks) == made["rows"]


def test_a_worker_that_cannot_start_is_an_error(tmp_path, monkeypatch):
    """Workers that end at once raise; nothing is tried for ever."""
    job = blocks_job(tmp_path)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WorkerError, match="ended with status 1"):
        run_job(job, [stage(job, "write_number")], workers=2)
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(JobError, match="workers=1"):
        run_job(job, [stage(job, "write_number")], workers=2)


def test_a_task_that_leaves_the_process_is_an_error_that_is_told(tmp_path):
    """SystemExit in a worker counts as its death: the task is tried again, then told."""
    job = blocks_job(tmp_path, error="exit")
    with pytest.raises(WorkerError, match="task 2"):
        run_job(job, [stage(job, "fail")], workers=2)


def test_a_task_without_files_and_unknown_functions_are_told(tmp_path):
    """A function that is not there is an AttributeError, with the note."""
    job = blocks_job(tmp_path)
    with pytest.raises(AttributeError, match="nothing_here"):
        run_job(job, [stage(job, "nothing_here")], workers=1)


# ---- ending

SLOW = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in jobs of a shell's background
import sys
from pathlib import Path
from tests.data_jobs import blocks_job, stage
from shimhub.data.jobs._plan import run_job

folder = Path(sys.argv[1])
job = blocks_job(folder, begun=str(folder / "begun"))
run_job(job, [stage(job, "slow")], workers=2)
"""


def begin_slow(folder: Path) -> subprocess.Popen:
    """Start a job of two workers that are both in a task."""
    (folder / "begun").mkdir()
    process = subprocess.Popen(python(SLOW, folder), env=environ(), stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(list((folder / "begun").iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def are_gone(pids: list[int]) -> bool:
    """Whether none of the processes is there, within ten seconds."""
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@linux
@pytest.mark.parametrize(
    ("sent", "status"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -15), (signal.SIGKILL, -9)],
)
def test_workers_end_with_their_parent(sent, status, tmp_path):
    """Ctrl-C, SIGTERM or SIGKILL to the parent alone: no worker is left, and the job resumes."""
    process = begin_slow(tmp_path)
    workers = [int(path.name) for path in (tmp_path / "begun").iterdir()]
    process.send_signal(sent)
    _, err = process.communicate(timeout=30)
    assert status == process.returncode
    assert are_gone(workers)
    assert (b"KeyboardInterrupt" in err) == (sent == signal.SIGINT)
    assert 1 >= err.count(b"Traceback")  # the workers are silent
    job = blocks_job(tmp_path, begun=str(tmp_path / "begun"))
    assert len(job.blocks) == run_job(job, [stage(job, "write_number")], workers=1)["rows"]


@pytest.mark.parametrize("place", ["_run_stage", "_prepare", "_manifest"])
@pytest.mark.parametrize("there", [False, True])
def test_ctrl_c_before_a_task_is_done_leaves_nothing(tmp_path, monkeypatch, place, there):
    """Wherever it comes; a folder that was there stays, and what tasks have done is kept."""
    from shimhub.data.jobs import _running

    def interrupted(*_):
        raise KeyboardInterrupt

    job = blocks_job(tmp_path)
    if there:
        (tmp_path / "out").mkdir()
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(_running, place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_job(job, [stage(job, "write_number")], workers=1)
    if place == "_manifest":
        assert marks.done(job, stage(job, "write_number"))
    else:
        assert before == sorted(tmp_path.iterdir())
        assert not there or not list((tmp_path / "out").iterdir())
    assert len(job.blocks) == run_job(job, [stage(job, "write_number")], workers=1)["rows"]


@pytest.mark.parametrize("sent", [b"no pickle", pickle.dumps("no number")])
def test_a_worker_tells_what_it_cannot_read(sent):
    """And ends, as its parent would wait for it; with nothing sent it ends in silence."""
    code = "from shimhub.data.runners._worker import main; main()"
    done = subprocess.run(
        python(code), env=environ(), input=sent, capture_output=True, timeout=60, check=False
    )
    assert (1, b"") == (done.returncode, done.stdout)
    assert b"Traceback" in done.stderr
    assert b"_listen" in done.stderr


def test_two_processes_do_not_drive_one_job(tmp_path):
    """While one process works, another is told so; when that is killed, it may."""
    process = begin_slow(tmp_path)
    job = blocks_job(tmp_path, begun=str(tmp_path / "begun"))
    with pytest.raises(JobError, match="another process works on this job"):
        run_job(job, [stage(job, "write_number")], workers=1)
    process.kill()
    process.communicate()
    assert len(job.blocks) == run_job(job, [stage(job, "write_number")], workers=1)["rows"]


def test_rests_of_a_job_that_was_ended_are_removed(tmp_path):
    """Scratch files stay in the state folder, and are gone with it."""
    job = blocks_job(tmp_path)
    with pytest.raises(data_jobs.OwnError):
        run_job(job, [stage(job, "half")], workers=1)
    assert [".rest-0", ".rest-1", ".rest-2", ".rest-3"] == sorted(os.listdir(job.scratch()))
    run_job(job, [stage(job, "write_number")], workers=1)
    assert {"_manifest.json", *map(job.part, range(len(job.blocks)))} == set(os.listdir(job.out))


def test_a_script_without_a_main_guard_is_not_run_again(tmp_path):
    """Workers do not run the user's script, so that it needs no ``if __name__``."""
    script = tmp_path / "script.py"
    script.write_text(SLOW.replace('"slow"', '"write_number"') + "print('ran')")
    (tmp_path / "begun").mkdir()
    told = subprocess.run(
        [sys.executable, script, tmp_path],
        env=environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("ran\n", "") == (told.stdout, told.stderr)


def test_a_job_runs_in_a_thread(tmp_path):
    """No runner needs the main thread."""
    job = blocks_job(tmp_path)
    made = []
    thread = threading.Thread(
        target=lambda: made.append(run_job(job, [stage(job, "write_number")], workers=2))
    )
    thread.start()
    thread.join(60)
    assert len(job.blocks) == made[0]["rows"]


CONVERT = """
import sys
from shimhub.data import convert

convert(sys.argv[1], sys.argv[2], block_bytes=int(sys.argv[3]), format=sys.argv[4], workers=2)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("out", "form", "times", "rows"),
    [
        ("out.jsonl.gz", "jsonl.gz", 2, 4_000),
        pytest.param("out", "parquet", 10, 20_000, marks=heavy),
        pytest.param("out.jsonl.gz", "jsonl.gz", 10, 20_000, marks=heavy),
    ],
)
def test_a_job_killed_at_random_times_and_resumed_writes_the_same(out, form, times, rows, tmp_path):
    """SIGKILL of the process group at random times; then the bytes of an undisturbed run."""
    source = data_jobs.numbered(tmp_path / "in.jsonl", rows)
    started = time.monotonic()
    plain = python(CONVERT, source, tmp_path / "plain" / out, 20_000, form)
    (tmp_path / "plain").mkdir()
    subprocess.run(plain, env=environ(), check=True)
    longest = 0.7 * (time.monotonic() - started)  # few runs end before they are killed
    (tmp_path / "killed").mkdir()
    command = python(CONVERT, source, tmp_path / "killed" / out, 20_000, form)
    seed = int(os.environ.get("SHIMHUB_TEST_SEED", "0")) or time.time_ns() % 2**32
    if "." in out:  # a merged file leaves no manifest: a run after its end is refused
        command[2] += "\n"
        command[2] = command[2].replace("workers=2", "workers=2, overwrite=True")

    kills = kill_and_resume(command, times=times, longest=longest, seed=seed, env=environ())

    assert tree(tmp_path / "plain") == tree(tmp_path / "killed")
    assert kills >= 1


# ---- settings


def test_settings_are_checked():
    """A runner, workers and shards that cannot be are told with the cure."""
    with pytest.raises(DataError, match=r"none of local, env, ray, dask \(did you mean 'local'"):
        open_runner("locale", Settings())
    for wrong in (0, -1):
        with pytest.raises(DataError, match="give 1 or more"):
            Settings(workers=wrong)
    with pytest.raises(TypeError, match="shards='2' is str"):
        Settings(shards="2")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="bool"):
        Settings(workers=True)


def test_cpus_are_those_of_this_process(tmp_path):
    """Affinity and the quota of the cgroup bound the workers."""
    from shimhub.data import runners

    assert 1 <= cpus() <= (os.cpu_count() or 1)
    limit = tmp_path / "cpu.max"
    limit.write_text("150000 100000\n")
    assert 2 == runners._quota(str(limit))
    limit.write_text("max 100000\n")
    assert 1 << 16 == runners._quota(str(limit)) == runners._quota(str(tmp_path / "none"))


@given(st.integers(1, 40), st.integers(1, 50), st.sets(st.integers(0, 40)))
def test_every_task_is_in_one_unit(tasks, shards, done):
    """Whatever the shards, units have each task that is not done once."""
    from shimhub.data.jobs._running import _units

    left = remaining(_units(tasks, shards), done)
    assert sorted(set(range(tasks)) - done) == sorted(index for unit in left for index in unit)
    assert min(shards, tasks) >= len(left)


# ---- ranks


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"RANK": "1", "WORLD_SIZE": "2"}, (1, 2)),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "8"}, (3, 8)),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"}, (0, 1)),
        ({"RANK": "1"}, None),
    ],
)
def test_ranks_are_told_by_the_launcher(environment, expected):
    """The variables of torchrun, srun and mpirun."""
    assert expected == rank_of(environment)


@pytest.mark.parametrize("told", [("2", "2"), ("-1", "2"), ("x", "2"), ("0", "0")])
def test_ranks_that_cannot_be_are_refused(told):
    """A rank is below the number of ranks."""
    with pytest.raises(DataError, match="are no rank"):
        rank_of(dict(zip(("RANK", "WORLD_SIZE"), told, strict=True)))


def test_env_without_a_launcher_is_told(monkeypatch):
    """runner='env' in a plain process says what to start."""
    for names in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK"):
        monkeypatch.delenv(names, raising=False)
    with pytest.raises(DataError, match="torchrun, srun or mpirun"):
        open_runner("env", Settings())


RANKS = """
import sys
from pathlib import Path
from tests.data_jobs import blocks_job, stage
from shimhub.data.jobs._plan import run_job

folder, function = Path(sys.argv[1]), sys.argv[2]
job = blocks_job(folder, error="value")
made = run_job(job, [stage(job, function)], runner="env", timeout=float(sys.argv[3]))
print(made["rows"])
"""


def ranks(world: int, *arguments: object, missing: int | None = None):
    """Run RANKS as that many ranks; return status, stdout and stderr of each."""
    started = [
        subprocess.Popen(
            python(RANKS, *arguments),
            env=environ(RANK=str(rank), WORLD_SIZE=str(world)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
        if rank != missing
    ]
    told = [process.communicate(timeout=60) for process in started]
    return [(process.returncode, *one) for process, one in zip(started, told, strict=True)]


def test_ranks_share_a_job(tmp_path):
    """Two ranks write what one process writes, and all return the manifest; twice."""
    data_jobs.numbered(tmp_path / "in.jsonl")
    plain = blocks_job(tmp_path, "plain", error="value")
    rows = run_job(plain, [stage(plain, "write_number")], workers=1)["rows"]
    for _ in range(2):  # the second finds it finished
        assert [(0, f"{rows}\n", "")] * 2 == ranks(2, tmp_path, "write_number", 30)
    assert tree(tmp_path / "plain") == tree(tmp_path / "out")


def test_a_rank_that_fails_ends_the_others(tmp_path):
    """The rank of the bad task raises its error, the other one says which rank it was."""
    data_jobs.numbered(tmp_path / "in.jsonl")
    first, second = ranks(2, tmp_path, "fail", 30)
    assert (1, 1) == (first[0], second[0])
    assert "ValueError: boo" in first[2]
    assert "JobError: rank 0 has failed: ValueError: boo" in second[2]


def test_a_rank_that_does_not_come_is_told(tmp_path):
    """Rank 0 names who has not started; a rank without rank 0 says so."""
    data_jobs.numbered(tmp_path / "in.jsonl")
    ((_, _, err),) = ranks(2, tmp_path, "write_number", 0.3, missing=1)
    assert "rank 1 of 2 have not started, and nothing came for 0.3 s" in err
    ((_, _, err),) = ranks(2, tmp_path, "write_number", 0.3, missing=0)
    assert "rank 0 has not prepared the output, and nothing came" in err


def test_a_barrier_tells_who_owes_what(tmp_path, monkeypatch):
    """A stage whose marks do not come names the tasks, and their ranks."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    job = blocks_job(tmp_path)
    os.makedirs(job.scratch())
    runner = EnvRunner(Settings(timeout=0.1))
    units = [[index] for index in range(len(job.blocks))]
    with pytest.raises(JobError, match=r"stage 'one' is not done: rank 1 owes 1, 3, 5"):
        runner.run(job, stage(job, "write_number"), units, set(), lambda index: None)


def torchrun(*arguments: object) -> list[str]:
    """Return the command that starts two ranks by torchrun."""
    launcher = "torch.distributed.run"
    return [sys.executable, "-m", launcher, "--nproc_per_node", "2", *map(str, arguments)]


@pytest.mark.slow
def test_torchrun_ranks_write_the_same(tmp_path):
    """Two ranks of a real torchrun: the same folder as by one process."""
    pytest.importorskip("torch")
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    data_jobs.numbered(tmp_path / "in.jsonl")
    plain = blocks_job(tmp_path, "plain", error="value")
    run_job(plain, [stage(plain, "write_number")], workers=1)
    env = environ(MASTER_PORT="0", OMP_NUM_THREADS="1")
    command = torchrun("--standalone", script, tmp_path, "write_number", 60)
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert 0 == told.returncode, told.stderr
    assert tree(tmp_path / "plain") == tree(tmp_path / "out")


# ---- Ray and Dask

ENGINE = """
import json, sys
from pathlib import Path
from shimhub.data import convert
from tests.data_jobs import OwnError, blocks_job, run_job, stage

if __name__ == "__main__":
    runner, folder = sys.argv[1], Path(sys.argv[2])

    def write(workers, shards, **where):
        convert(folder / "in.jsonl", folder / f"{runner}-{shards}", format="csv", block_bytes=500,
                runner=runner, workers=workers, shards=shards, **where)

    write(1, None)  # on a cluster that it starts
    STOPPED
    START
    write(2, 3, **where)
    job = blocks_job(folder, "bad", error="own")
    try:
        run_job(job, [stage(job, "fail")], runner=runner, workers=2, **where)
    except OwnError as error:
        told.append(f"{type(error).__name__} {error} {error.__notes__}")
    (folder / "tries").mkdir()
    job = blocks_job(folder, "killed", tries=str(folder / "tries"), times=1)
    made = run_job(job, [stage(job, "die")], runner=runner, workers=2, **where)
    told.append(made["rows"] == len(job.blocks))
    END
    (folder / "told").write_text(json.dumps(told))  # Ray writes to stdout, too
"""
RAY = {
    "STOPPED": "import os, ray; "
    'told = [ray.is_initialized(), os.environ.get("RAY_USAGE_STATS_ENABLED")]',
    "START": 'where = {"address": None}; '
    "ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)",
    "END": "told.append(ray.is_initialized())",
}
DASK = {
    "STOPPED": "import multiprocessing, distributed; "
    "told = [bool(multiprocessing.active_children()), None]",
    "START": "cluster = distributed.LocalCluster(n_workers=2, dashboard_address=None); "
    'where = {"address": cluster.scheduler_address}',
    "END": 'told.append(cluster.status.name == "running"); cluster.close()',
}


@pytest.mark.slow
@pytest.mark.parametrize(("runner", "parts"), [("ray", RAY), ("dask", DASK)])
def test_ray_and_dask_write_the_same(runner, parts, tmp_path):
    """With the hub active, the bytes of one process; errors keep their class, kills are survived.

    A cluster that is started here is stopped here, and the environment stays; one that was there
    before is there after it.
    """
    pytest.importorskip(runner if runner == "ray" else "distributed")
    source = data_jobs.numbered(tmp_path / "in.jsonl")
    convert(source, tmp_path / "plain", format="csv", block_bytes=500, workers=1)
    code = ENGINE
    for place, text in parts.items():
        code = code.replace(place, text)
    (tmp_path / "engine.py").write_text(code)
    env = environ()
    env.pop("RAY_USAGE_STATS_ENABLED", None)
    told = subprocess.run(
        [sys.executable, "-m", "shimhub", "run", tmp_path / "engine.py", runner, tmp_path],
        env=env,
        cwd=data_jobs.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == told.returncode, told.stderr
    started, variable, error, survived, running = json.loads((tmp_path / "told").read_text())
    assert (False, None) == (started, variable)
    assert error.startswith("OwnError boo [\"in stage 'one', task 2, block 2 (")
    assert (True, True) == (survived, running)
    for shards in ("None", "3"):
        assert tree(tmp_path / "plain") == tree(tmp_path / f"{runner}-{shards}")
