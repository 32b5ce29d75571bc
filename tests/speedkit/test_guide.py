"""Each block of the SpeedKit guide runs as printed under ``shimhub run``, on a CPU.

SHIMHUB_SEEDS names the folder of the documents; without them this is skipped. What stands in for
something that a block leaves open is in substitutions.toml, with its reason.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from shimhub import _toml

pytest.importorskip("torch")
HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
TITLE = "# SpeedKit Integration Guide"
TABLE = _toml.parse((HERE / "substitutions.toml").read_bytes(), "substitutions.toml")[0]
#: The steps of the checklist, of which each continues the one before.
CHECKLIST = "## Integration Checklist"


def _document() -> str:
    told = os.environ.get("SHIMHUB_SEEDS")
    folder = Path(told) if told else REPOSITORY.parent / "shared/seeds"
    texts = (path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt")))
    found = next((text for text in texts if text.startswith(TITLE)), "")
    if not found:
        pytest.skip("the SpeedKit guide is not here", allow_module_level=True)
    return found


def blocks_of(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, those of list items too."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(code) for _, code in found]


def substituted(block: str) -> str:
    """Return the block with what the table has for it."""
    lines = block.splitlines()
    rows = [row for row in TABLE["before"] if row.get("line") in (None, *lines)]
    for row in TABLE["replaced"]:
        block = block.replace(row["old"], row["new"])
    return "".join(row["code"] + "\n" for row in rows) + block


DOCUMENT = _document()
BLOCKS = blocks_of(DOCUMENT, "python")
COMMANDS = "".join(blocks_of(DOCUMENT, "bash")).splitlines()
STEPS = blocks_of(DOCUMENT[DOCUMENT.index(CHECKLIST) :].partition("\n---")[0], "python")
SCRIPTS = [one for one in BLOCKS if one not in STEPS] + ["".join(STEPS)]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run ``python command`` with shimhub in reach and no GPU."""
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    clean = {key: value for key, value in os.environ.items() if "SHIMHUB" not in key}
    env = clean | offline | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, *command]
    return subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path):
    """A folder with the reader's own data and the guide's configuration file."""
    shutil.copy(HERE / "data.py", tmp_path)
    (config,) = blocks_of(DOCUMENT, "yaml")
    (tmp_path / "speedkit_config.yaml").write_text(config, encoding="utf-8")
    return tmp_path


def test_the_guide_has_its_blocks():
    """Extraction misses none."""
    assert DOCUMENT.count("```python\n") == len(BLOCKS) > 0
    assert len(BLOCKS) - len(STEPS) == len(SCRIPTS) - 1


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_a_block_runs_as_printed(folder, number):
    """Each alone, in a process of its own; the steps of the checklist in a row."""
    (folder / "train.py").write_text(substituted(SCRIPTS[number]), encoding="utf-8")
    done = run(folder, "-W", "error", "-m", "shimhub", "run", "train.py")
    assert 0 == done.returncode, done.stderr


@pytest.mark.slow
def test_a_configuration_that_asks_for_tf32_has_it(folder):
    """The line by which the guide has its reader look prints True after the example's file."""
    ends = (*(one for one in SCRIPTS if "allow_tf32" in one), "")
    example = next(one for one in SCRIPTS if "# Load config" in one)
    (folder / "train.py").write_text(substituted(example) + substituted(ends[0]), encoding="utf-8")
    assert "True\n" == run(folder, "-m", "shimhub", "run", "train.py").stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [c for b in blocks_of(DOCUMENT, "bash") for c in b.splitlines()]
)
def test_a_command_runs_as_printed(command):
    """From a checkout, where its examples are; the module by ``shimhub run``."""
    _, *words = command.split()
    hub = ["-m", "shimhub", "run"] if words[0] == "-m" else []
    done = run(REPOSITORY, *hub, *words)
    assert 0 == done.returncode, done.stderr
    assert done.stdout


def test_each_substitution_is_used_and_has_a_reason():
    """The table has none that no block needs."""
    text = "\n".join(BLOCKS)
    assert all(row["old"] in text and row["reason"] for row in TABLE["replaced"])
    lines = text.splitlines()
    assert all(row.get("line", lines[0]) in lines and row["reason"] for row in TABLE["before"])
