"""examples/pure: what is printed there, as it is, without torch and with it behind AUTO."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "pure"
WITHOUT = "import sys; sys.modules['torch'] = None\n"


def run(code: str, cache: Path) -> str:
    """Return what a program prints that runs in the examples' folder, on one thread."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(FOLDER)))}
    environ |= {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        line, cwd=FOLDER, env=environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


@pytest.mark.parametrize("head", ["", WITHOUT], ids=["as it is", "without torch"])
def test_the_guides_pipeline_learns(head, tmp_path):
    """Losses fall, nine of ten unseen digits are right, and no call is a fallback."""
    told = run(f"{head}import runpy; runpy.run_path('pipeline.py')", tmp_path)
    losses = [float(one) for one in re.findall(r"loss (\S+),", told)]
    shares = [float(one) for one in re.findall(r"(\S+)% of unseen", told)]
    assert 10 == len(losses)
    assert sorted(losses, reverse=True) == losses
    assert shares[-1] > 90
    assert "  Fallbacks: 0\n" in told
    assert head == "" or "  FFI: 0 ops\n" in told


def test_the_readme_names_every_file():
    """And the commands that run them."""
    text = (FOLDER / "README.md").read_text("utf-8")
    assert [] == [one.name for one in FOLDER.glob("*.py") if f"`{one.name}`" not in text]
    commands = re.findall(r"^    python (\S+)$", text, re.MULTILINE)
    assert {"quick_start.py", "train.py", "pipeline.py"} == set(commands)
