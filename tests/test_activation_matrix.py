"""docs/activation.md: every cell of its table and every recipe is run as it stands there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "activation.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.slow
WORDS = ("active", "no, reported", "no")

#: What runs in each child: leave a file that tells whether our finder is there. A child that is
#: not active stays for a moment, as a real one would, so that whoever watches can see it.
CHILD = """
import json, os, sys, time

def check(kind, folder, linger):
    is_active = any(type(one).__module__ == "shimhub.finder" for one in sys.meta_path)
    if not is_active:
        time.sleep(float(linger))
    with open(f"{folder}/{kind}-{os.getpid()}.json", "w") as stream:
        json.dump([os.getpid(), is_active], stream)
    return os.getpid()

if __name__ == "__main__":
    check(*sys.argv[1:])
"""

#: The program of a cell's column: it starts each kind of child that its arguments name.
PROGRAM = """
import functools, json, multiprocessing, os, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
import child

def by_fork(tell):
    if pid := os.fork():
        os.waitpid(pid, 0)
    else:
        tell()
        os._exit(0)

def by_method(method, tell):
    process = multiprocessing.get_context(method).Process(target=tell)
    process.start()
    process.join()

def by_pool(tell):
    with ProcessPoolExecutor(1) as pool:
        pool.submit(tell).result()

class Data:
    def __init__(self, tell):
        self.tell = tell
    def __len__(self):
        return 1
    def __getitem__(self, place):
        return self.tell()

def by_loader(method, tell):
    from torch.utils.data import DataLoader
    list(DataLoader(Data(tell), num_workers=1, multiprocessing_context=method))

def by_ray(tell):
    import ray
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
    ray.get(ray.remote(tell.func).remote(*tell.args))
    ray.shutdown()

def by_dask(tell):
    from distributed import Client, LocalCluster
    with LocalCluster(n_workers=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.submit(tell).result()

def by_command(start, tell, **more):
    return subprocess.Popen([*start, "child.py", *tell.args], **more)

def by_exec(tell):
    if pid := os.fork():
        os.waitpid(pid, 0)
    else:
        os.execv(sys.executable, [sys.executable, "child.py", *tell.args])

def main(other, folder, linger, *kinds):
    python, launch = [sys.executable], [sys.executable, "-m"]
    torchrun = [*launch, "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    accelerate = [*launch, "accelerate.commands.accelerate_cli", "launch", "--cpu"]
    accelerate += ["--num_processes", "1", "--num_machines", "1", "--mixed_precision", "no"]
    ways = {
        "os.fork": by_fork,
        "multiprocessing, spawn": functools.partial(by_method, "spawn"),
        "multiprocessing, forkserver": functools.partial(by_method, "forkserver"),
        "ProcessPoolExecutor": by_pool,
        "DataLoader worker, fork": functools.partial(by_loader, "fork"),
        "DataLoader worker, spawn": functools.partial(by_loader, "spawn"),
        "python by subprocess": functools.partial(by_command, python),
        "python -s": functools.partial(by_command, [*python, "-s"]),
        "python -I": functools.partial(by_command, [*python, "-I"]),
        "python -E": functools.partial(by_command, [*python, "-E"]),
        "python -S": functools.partial(by_command, [*python, "-S"]),
        "python, with env={}": functools.partial(by_command, python, env={}),
        "Python of a venv without shimhub": functools.partial(by_command, [other]),
        "os.exec of python": by_exec,
        "torchrun rank": functools.partial(by_command, torchrun),
        "accelerate launch": functools.partial(by_command, [*accelerate, "--dynamo_backend=no"]),
        "Ray worker": by_ray,
        "Dask worker": by_dask,
    }
    started = [ways[kind](functools.partial(child.check, kind, folder, linger)) for kind in kinds]
    assert not any(one.wait() for one in started if isinstance(one, subprocess.Popen))

if __name__ == "__main__":
    PRELUDE
    main(*sys.argv[1:])
"""
PRELUDES = {"auto": "import shimhub.auto", "install": "import shimhub; shimhub.install()"}
GROUPS = {
    "torch": ("DataLoader worker, fork", "DataLoader worker, spawn", "torchrun rank"),
    "accelerate": ("accelerate launch",),
    "ray": ("Ray worker",),
    "distributed": ("Dask worker",),
}


def table():
    """Return kind -> column -> cell, as the document has them."""
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    rows = [[cell.strip().replace("`", "") for cell in line[1:-1].split("|")] for line in lines]
    (_, *columns), _, *body = rows
    return {kind: dict(zip(columns, cells, strict=True)) for kind, *cells in body}


TABLE = table()
COLUMNS = list(next(iter(TABLE.values())))


def group_of(kind):
    """Return the package that a kind of child needs; empty for those of the standard library."""
    return next((group for group, kinds in GROUPS.items() if kind in kinds), "")


@pytest.fixture(scope="module")
def matrix(tmp_path_factory, new_env):
    """Three environments (with shimhub, activated, without it) and a function that runs cells."""
    root = tmp_path_factory.mktemp("m")
    plain, active, other = (new_env(root / n, n != "other") for n in ("plain", "active", "other"))
    assert 0 == active.start("-m", "shimhub", "activate").returncode

    def run(column, kinds):
        work = root / f"{column}-{group_of(kinds[0])}"
        (work / "told").mkdir(parents=True)
        (work / "child.py").write_text(CHILD)
        prelude = PRELUDES.get(column, "pass")
        (work / "program.py").write_text(PROGRAM.replace("PRELUDE", prelude))
        env = active if column in ("activate", "both") else plain
        is_run = column in ("run", "both")
        head = ["-m", "shimhub", "run", "--report"] if is_run else []
        command = [env.python, *head, "program.py", other.python, str(work / "told")]
        told = {"SHIMHUB_RUN_DIR": str(work / "records")} if is_run else {}
        done = subprocess.run(
            [*command, "1.5" if is_run else "0", *kinds],
            env=environ(env, root) | told,
            cwd=work,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        return found(kinds, work, missing(env, work) if is_run else ())

    return run


def environ(env, root):
    """Return an environment's variables, with what keeps the launchers quiet and local."""
    return env.clean() | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",  # else a token is written into the home folder
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "HF_HOME": str(root / "hf"),
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join([os.path.dirname(env.python), os.environ.get("PATH", os.defpath)]),
    }


def missing(env, work):
    """Return the processes that the report of a run names as not active."""
    done = env.start("-m", "shimhub", "report", str(work / "records"), "--format", "json")
    return [one["pid"] for one in json.loads(done.stdout)["missing"]]


def found(kinds, work, reported):
    """Return kind -> the word for what its children told."""
    words = {}
    for kind in kinds:
        told = [json.loads(one.read_text()) for one in (work / "told").glob(f"{kind}-*.json")]
        assert told, f"no child of {kind} told anything"
        active = {is_active for _, is_active in told}
        assert 1 == len(active), f"children of {kind} differ"
        seen = all(pid in reported for pid, _ in told)
        words[kind] = "active" if active == {True} else "no, reported" if seen else "no"
    return words


def check_cells(subtests, matrix, column, group):
    """Run the cells of a column that need one package, and compare each with the document."""
    kinds = [kind for kind in TABLE if group_of(kind) == group]
    told = matrix(column, kinds)
    for kind in kinds:
        with subtests.test(kind, column=column):
            assert TABLE[kind][column] == told[kind]


def test_the_table_is_whole():
    """Every cell says one of three words, and each kind of child is one that the program knows."""
    assert ["run", "auto", "install", "activate", "both"] == COLUMNS
    assert {cell for cells in TABLE.values() for cell in cells.values()} == set(WORDS)
    assert not [kind for kind in TABLE if f'"{kind}": ' not in PROGRAM]
    assert len(TABLE) == PROGRAM.count('": by_') + PROGRAM.count('": functools')


@pytest.mark.skipif(sys.platform != "linux", reason="processes are watched by /proc")
@pytest.mark.parametrize("column", COLUMNS)
def test_children_of_the_standard_library(subtests, matrix, column):
    """Forks, spawns, pools, subprocesses with each flag, another venv and exec: as the table."""
    check_cells(subtests, matrix, column, "")


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform != "linux", reason="processes are watched by /proc")
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("column", COLUMNS)
def test_children_of_frameworks(subtests, matrix, column, group):
    """DataLoader workers, torchrun and accelerate ranks, Ray and Dask workers: as the table."""
    if importlib.util.find_spec(group) is None:
        pytest.skip(f"needs {group}")
    check_cells(subtests, matrix, column, group)


# ---- recipes

FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = [
    (line, output)
    for language, text in FENCED.findall(TEXT)
    if language == "console"
    for line, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
]
NEEDED = {
    "torch.distributed": "torch",
    "accelerate": "accelerate",
    "ray_driver": "ray",
    "dask_driver": "distributed",
}


@pytest.fixture
def recipes(tmp_path, env):
    """A folder with the files that the document shows, and a function that types a command."""
    for language, text in FENCED.findall(TEXT):
        if language in ("toml", "python"):
            (tmp_path / text.split("\n")[0].removeprefix("# ")).write_text(text)

    def type_in(line, **more):
        done = subprocess.run(
            ["bash", "-c", line],
            env=environ(env, tmp_path) | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return type_in


@pytest.mark.e2e
@pytest.mark.parametrize(("line", "output"), COMMANDS, ids=lambda text: text[-24:].strip())
def test_a_recipe_prints_what_the_document_shows(recipes, line, output):
    """Each command, typed where the shown files are, prints the lines below it and ends well."""
    for word, package in NEEDED.items():
        if word in line and importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    code, out, err = recipes(line)
    assert (0, output) == (code, out), err
    without = line.replace("-m shimhub run --registry registry.toml ", "")
    if without != line and "--report" not in line:
        assert 0 != recipes(without)[0], "the recipe would do without shimhub"


@pytest.mark.e2e
def test_the_ray_recipe_reaches_workers_of_a_cluster_that_was_there(recipes, env, tmp_path):
    """A cluster that another, unpatched driver started hands the job's variables to its workers."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs ray")
    code = """
        import ray
        told = ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
        print(told.address_info["gcs_address"], flush=True)
        input()
    """
    with subprocess.Popen(
        [env.python, "-c", textwrap.dedent(code)],
        env=environ(env, tmp_path),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as cluster:
        address = cluster.stdout.readline().strip()
        try:
            code, out, err = recipes("python ray_driver.py", RAY_ADDRESS=address)
        finally:
            cluster.communicate("\n")
    assert (0, "True\n") == (code, out), err


def test_the_deepspeed_recipe_writes_lines_of_names_and_values(recipes, tmp_path):
    """`.deepspeed_env` makes a process active that gets these lines and nothing else of ours."""
    (line,) = [one for one, _ in COMMANDS if ".deepspeed_env" in one]
    assert (0, "", "") == recipes(line)
    told = dict(
        one.split("=", 1) for one in (tmp_path / ".deepspeed_env").read_text().split("\n")[:-1]
    )
    assert {"SHIMHUB", "SHIMHUB_REGISTRY", "PYTHONPATH"} <= told.keys()
    code, out, err = recipes("cd / && python -c 'import numpy; print(numpy.float_)'", **told)
    assert (0, "<class 'numpy.float64'>\n", "") == (code, out, err)
