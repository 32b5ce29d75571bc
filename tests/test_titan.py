"""Real TorchTitan on a CPU; the command lines are those of examples/torchtitan/README.md.

What the environment has (CI: 0.2.2) is trained always. ``SHIMHUB_TITAN=all`` also builds an
environment for each version, in the folder SHIMHUB_TITAN_VENVS or a temporary one, with shimhub
installed as a wheel, and runs examples/quick_start from a copy of the checkout.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "torchtitan"
VERSIONS = ("0.2.0", "0.2.2", "0.3.0")
TORCH = "2.13.0"
SHIMHUB = "-m shimhub run --enable cpu-device "
TRAIN = "-m torch.distributed.run --nproc_per_node {ranks} -m torchtitan.train {options}"
CONFIG_FILE = "--job.config_file debug-{version}.toml"
FLAGS = (
    "--module llama3 --config llama3_debugmodel --training.local_batch_size 2 "
    "--training.seq_len 128 --training.steps 5 --debug.seed 0"
)
PARTIAL_DTENSOR = "--parallelism.spmd_backend partial_dtensor"
CHECKPOINT = "--checkpoint.enable --checkpoint.interval 3"
TENSOR_PARALLEL = "--parallelism.tensor_parallel_degree 2"
PIPELINE_PARALLEL = (
    "--parallelism.pipeline_parallel_degree 2 --parallelism.pipeline_parallel_schedule 1F1B"
)
COLOR = re.compile(r"\x1b\[[0-9;]*m")
STEP = re.compile(r"step: *(\d+) +loss: +(\d+\.\d+) +grad_norm: +(\d+\.\d+)")
STEPS = [1, 2, 3, 4, 5]

needs_all = pytest.mark.skipif(
    os.environ.get("SHIMHUB_TITAN") != "all",
    reason="builds environments and trains for many minutes; SHIMHUB_TITAN=all runs it",
)


@dataclass(frozen=True)
class Run:
    """What one training left behind."""

    code: int
    output: str

    @property
    def steps(self) -> dict[int, tuple[str, str]]:
        """Loss and gradient norm of each step, as printed; a rank without a loss prints -1."""
        return {int(step): (loss, norm) for step, loss, norm in STEP.findall(self.output)}

    @property
    def losses(self) -> list[float]:
        """The loss of each step."""
        return [float(loss) for loss, _ in self.steps.values()]


@dataclass(frozen=True)
class Titan:
    """One version of TorchTitan in one environment, and a folder with what make_assets made."""

    python: str
    version: str
    folder: Path
    environ: Mapping[str, str]

    def options(self, ranks: int) -> str:
        """Return the options that every training of this version on so many ranks needs."""
        if self.version.startswith("0.2."):
            return CONFIG_FILE.format(version=self.version)
        return f"{FLAGS} {PARTIAL_DTENSOR}" if ranks > 1 else FLAGS

    def train(self, ranks: int, options: str, shimhub: str = SHIMHUB) -> Run:
        """Train in the folder by the README's command line."""
        line = shimhub + TRAIN.format(ranks=ranks, options=options)
        port = {"PET_MASTER_PORT": str(_free_port())}  # torchrun's name for --master_port
        return _run([self.python, *line.split()], self.folder, {**self.environ, **port})


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _run(command: list[str], folder: Path, environ: Mapping[str, str], limit: int = 600) -> Run:
    """Run a command with all that it starts; past the limit none of them lives on."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit)
    finally:
        with contextlib.suppress(ProcessLookupError):  # the group ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Run(process.returncode, COLOR.sub("", output))


def _checked(command: list[str], folder: Path, environ: Mapping[str, str], limit: int = 600) -> Run:
    done = _run(command, folder, environ, limit)
    assert done.code == 0, done.output
    return done


def _environ(scratch: Path, **more: str) -> dict[str, str]:
    """Return a plain environment whose caches lie in ``scratch``."""
    prefixes = ("SHIMHUB", "PYTHON", "VIRTUAL_ENV", "PET_", "TORCH")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(prefixes)}
    caches = {"HF_HOME": str(scratch / "hf"), "XDG_CACHE_HOME": str(scratch / "cache")}
    return kept | caches | more


def _titan(python: str, version: str, scratch: Path, **more: str) -> Titan:
    """Make the assets, as the README says."""
    environ = _environ(scratch, OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", **more)
    _checked([python, str(EXAMPLE / "make_assets.py"), "titan"], scratch, environ)
    return Titan(python, version, scratch / "titan", environ)


def _assert_completed(done: Run) -> None:
    """Assert that five steps were trained to the end, with a loss that fell by more than one."""
    assert done.code == 0, done.output
    assert "Training completed" in done.output
    assert STEPS == list(done.steps)
    assert pytest.approx(8.1, abs=0.5) == done.losses[0]
    assert 6 < done.losses[-1] < done.losses[0] - 1


def _assert_stops_at_triton(titan: Titan) -> None:
    done = titan.train(2, titan.options(2), shimhub="")
    assert done.code != 0
    assert "ModuleNotFoundError: No module named 'triton'" in done.output
    assert {} == done.steps


# ---- what this environment has


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """TorchTitan as it is installed in the environment that runs the tests."""
    found = {}
    for name in ("torch", "torchtitan"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed here")
    if found["torchtitan"] not in VERSIONS or found["torch"].partition("+")[0] != TORCH:
        pytest.skip(f"the pack is for torch {TORCH} and torchtitan {VERSIONS}, not {found}")
    scratch = tmp_path_factory.mktemp("here")
    return _titan(sys.executable, found["torchtitan"], scratch, PYTHONPATH=str(ROOT))


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("triton") is not None, reason="torch's CUDA build brings real Triton"
)
def test_titan_without_shimhub_stops_at_its_import_error(here):
    """Without shimhub the same command ends with the ImportError about triton, before any step."""
    _assert_stops_at_triton(here)


@pytest.mark.e2e
@pytest.mark.slow
def test_titan_trains_on_two_ranks(here):
    """The installed TorchTitan trains on 2 ranks to "Training completed", with a falling loss."""
    _assert_completed(here.train(2, here.options(2)))


def test_titan_commands_are_those_of_the_readme():
    """Each command line and option that these tests use stands in the example's README."""
    told = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    config = CONFIG_FILE.format(version="0.2.2")
    for ranks, flags in ((1, FLAGS), (2, f"{FLAGS} {PARTIAL_DTENSOR}")):
        for options in (config, flags):
            assert f"python {SHIMHUB}{TRAIN.format(ranks=ranks, options=options)}\n" in told
    for version in VERSIONS:
        assert f"`pip install torch=={TORCH} torchtitan=={version} .`" in told
    for options in (CHECKPOINT, TENSOR_PARALLEL, PIPELINE_PARALLEL):
        assert f"`{options}`" in told


# ---- every version, each in an environment of its own


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what git knows of the checkout, with what is not committed yet."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("needs git and a clone: it copies what git knows")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    copy = tmp_path_factory.mktemp("clone")
    for name in filter(None, done.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory):
    """The wheel of the checkout."""
    scratch = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(scratch)]
    _checked([*pip, str(checkout)], scratch, _environ(scratch))
    (built,) = scratch.glob("*.whl")
    return built


def _environment(folder: Path, version: str, wheel: Path) -> str:
    """Return the python of ``folder``, made with that TorchTitan if it is not there yet."""
    python, environ = str(folder / "bin" / "python"), _environ(folder)
    if not (folder / "complete").exists():
        _checked([sys.executable, "-m", "venv", "--clear", str(folder)], ROOT, environ)
        pip = [python, "-m", "pip", "install", f"torch=={TORCH}", f"torchtitan=={version}"]
        _checked([*pip, str(wheel)], folder, environ, limit=1800)
        (folder / "complete").touch()
    again = [python, "-m", "pip", "install", "--force-reinstall", "--no-deps", str(wheel)]
    _checked(again, folder, environ)
    return python


@pytest.fixture(scope="module")
def environments(wheel, tmp_path_factory):
    """Return what makes the Titan of a version, its environment made on first use."""
    cache = os.environ.get("SHIMHUB_TITAN_VENVS")
    home = Path(cache).resolve() if cache else tmp_path_factory.mktemp("venvs")
    made: dict[str, Titan] = {}

    def titan_of(version: str) -> Titan:
        if version not in made:
            python = _environment(home / version, version, wheel)
            made[version] = _titan(python, version, tmp_path_factory.mktemp("run"))
        return made[version]

    return titan_of


@dataclass(frozen=True)
class Saved:
    """A training that saved checkpoints, and how to start it once more."""

    titan: Titan
    ranks: int
    options: str
    first: Run


@pytest.fixture(scope="module", params=[(v, ranks) for v in VERSIONS for ranks in (1, 2)], ids=str)
def saved(environments, request):
    """Train five steps with a checkpoint after step 3 and after the last."""
    version, ranks = request.param
    titan = environments(version)
    shutil.rmtree(titan.folder / "outputs", ignore_errors=True)
    options = f"{titan.options(ranks)} {CHECKPOINT}"
    return Saved(titan, ranks, options, titan.train(ranks, options))


@needs_all
@pytest.mark.e2e
@pytest.mark.slow
def test_titan_matrix_trains(saved):
    """Every version trains on 1 and 2 ranks to "Training completed", with a falling loss."""
    _assert_completed(saved.first)


@needs_all
@pytest.mark.e2e
@pytest.mark.slow
def test_titan_matrix_resumes(saved):
    """Resumed from step 3, steps 4 and 5 repeat loss and gradient norm digit for digit."""
    checkpoints = saved.titan.folder / "outputs" / "checkpoint"
    assert {"step-3", "step-5"} <= {path.name for path in checkpoints.iterdir()}
    shutil.rmtree(checkpoints / "step-5")
    second = saved.titan.train(saved.ranks, saved.options)
    assert second.code == 0, second.output
    assert {step: saved.first.steps[step] for step in (4, 5)} == second.steps
    assert "Training completed" in second.output


@needs_all
@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_titan_matrix_without_shimhub_stops(environments, version):
    """Without shimhub every version ends with the ImportError about triton, before any step."""
    _assert_stops_at_triton(environments(version))


@needs_all
@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("parallelism", [TENSOR_PARALLEL, PIPELINE_PARALLEL], ids=["TP", "PP"])
def test_titan_matrix_parallelism(environments, parallelism):
    """0.2.2 trains with its tensors or its layers split over 2 ranks, with a falling loss."""
    titan = environments("0.2.2")
    _assert_completed(titan.train(2, f"{titan.options(2)} {parallelism}"))


@needs_all
@pytest.mark.e2e
@pytest.mark.slow
def test_titan_matrix_refuses_default_spmd_backend(environments):
    """0.3.0's default SPMD backend on 2 ranks ends with an error that names the one that works."""
    done = environments("0.3.0").train(2, FLAGS)
    assert done.code != 0
    assert re.search(r"ValueError: --parallelism.spmd_backend spmd_types .* 2 ranks", done.output)
    assert f"Use {PARTIAL_DTENSOR}" in done.output
    assert {} == done.steps


@needs_all
@pytest.mark.e2e
@pytest.mark.slow
def test_titan_quick_start(checkout, tmp_path):
    """The quick start, from a copy of the checkout without anything that git ignores, trains."""
    environ = _environ(tmp_path, PET_MASTER_PORT=str(_free_port()))
    script = ["sh", "examples/quick_start/quick_start.sh"]
    _assert_completed(_checked(script, checkout, environ, limit=1800))
