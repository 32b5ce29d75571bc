"""``axolotl train config.yaml``, the whole of it, on a CPU: its launcher, its child, its steps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.axolotl import support

support.require(">=0.19")
pytest.importorskip("fire")
ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = {"XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config"}
COMMAND = """
import subprocess
raise SystemExit(subprocess.run(["axolotl", "train", "config.yaml"]).returncode)
"""


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the example makes."""
    folder = tmp_path_factory.mktemp("assets")
    command = [sys.executable, str(ROOT / "examples/axolotl/make_assets.py"), str(folder)]
    subprocess.run([*command, "--rows", "400"], check=True, capture_output=True, timeout=300)
    return folder


def start(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run ``python command`` where the assets are, with the environment's scripts on PATH."""
    environ = {key: value for key, value in os.environ.items() if "SHIMHUB" not in key}
    environ |= support.OFFLINE | {key: str(folder / name) for key, name in FOLDERS.items()}
    environ |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"}
    environ |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.e2e
def test_trains_in_the_child_that_accelerate_launches(assets: Path) -> None:
    """As fast-axolotl's documentation prints it: the command's own child has the replacements."""
    done = start(assets, "-m", "shimhub", "run", "--report", "-c", COMMAND)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    losses = re.findall(r"'loss': '?([0-9.]+)", done.stdout + done.stderr)
    assert len(losses) >= 3
    assert (assets / "out/model.safetensors").exists()
    told = done.stderr[done.stderr.index("shimhub: active in") :]
    assert re.search(r"axolotl/\S+: APPLIED", told), told


@pytest.mark.slow
@pytest.mark.e2e
def test_does_not_train_without(assets: Path) -> None:
    """Axolotl defines Triton kernels at import, and torch's CPU build brings no Triton."""
    done = start(assets, "-c", COMMAND)
    assert done.returncode != 0
    assert "No module named 'triton'" in done.stdout + done.stderr
