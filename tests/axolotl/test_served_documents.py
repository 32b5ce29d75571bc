"""Each block of Python in the documentation of fast-axolotl runs as printed, with a real axolotl.

SHIMHUB_SEEDS names the folder of the documents; without them, or without axolotl, this is skipped.
What stands in for something that a block leaves open is in substitutions.toml, with its reason.
"""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path

import pytest

from shimhub import _toml
from tests.axolotl import support
from tests.axolotl.served import REPOSITORY, run_blocks

VERSION = support.require(">=0.7")
TITLE = "# Auto-Shimming System"
FILE = Path(__file__).with_name("substitutions.toml")
TABLE = _toml.parse(FILE.read_bytes(), str(FILE))[0]
TRAINS = "    train()"


def _document() -> str:
    told = os.environ.get("SHIMHUB_SEEDS")
    folder = Path(told) if told else REPOSITORY.parent / "shared/seeds"
    texts = (path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt")))
    found = next((text for text in texts if text.startswith(TITLE)), "")
    if not found:
        pytest.skip("the documentation of fast-axolotl is not here", allow_module_level=True)
    return found


def blocks_of(text: str) -> list[str]:
    """Return the blocks of Python, those of list items too."""
    found = re.findall(r"^( *)```python\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(code) for _, code in found]


def substituted(block: str) -> str:
    """Return the block with what the table has for it."""
    lines = [line.strip() for line in block.splitlines()]
    for row in TABLE["text"]:
        if row["block"] in lines:
            block = block.replace(row["old"], row["new"])
    rows = [row for row in TABLE["before"] if row["block"].strip() in lines]
    return "".join(row["code"] + "\n" for row in rows) + block


BLOCKS = blocks_of(_document())
NAMES = [f"block{number:02}" for number in range(1, len(BLOCKS) + 1)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What became of each block alone, and of all but the training script in one process."""
    folder = tmp_path_factory.mktemp("blocks")
    told = "batches = []\n"
    scripts = {name: told + substituted(block) for name, block in zip(NAMES, BLOCKS, strict=True)}
    scripts["all"] = told + "\n".join(
        script.removeprefix(told) for script in scripts.values() if TRAINS not in script
    )
    return folder, run_blocks(folder, scripts)


def test_the_document_has_its_blocks():
    """Extraction misses none."""
    assert _document().count("```python\n") == len(BLOCKS) > 0
    assert 1 == sum(TRAINS in block for block in BLOCKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "all"])
def test_a_block_runs_as_printed(answers, name):
    """Alone, in a process of its own; and all in a row, as in a notebook."""
    code, told = answers[1][name]
    if "Torch not compiled with CUDA enabled" in told and support.is_version("<0.9"):
        # It asks for the device when it has trained, without looking whether there is one.
        assert "Training completed!" in told
        return
    assert 0 == code, told


@pytest.mark.slow
def test_the_training_script_trains(answers):
    """`train()` as the documentation calls it: one real step, and a saved model."""
    folder, told = answers
    name = next(name for name, block in zip(NAMES, BLOCKS, strict=True) if TRAINS in block)
    assert "Training completed!" in told[name][1], told[name][1]
    assert (folder / "out/model.safetensors").is_file()


@pytest.mark.slow
def test_what_blocks_print_is_true(answers):
    """Rust is available, the module is shimmed, the version is axolotl's, logging says all."""
    told = {name: text for name, (_, text) in answers[1].items()}

    def of(line):
        found = [n for n, block in zip(NAMES, BLOCKS, strict=True) if line in block]
        return "".join(told[name] for name in found)

    assert "Rust available: True" in of("Rust available")
    assert VERSION in of("print(axolotl.__version__)")
    assert "INFO:fast_axolotl:" in of("logging.DEBUG") or "DEBUG:fast_axolotl:" in of(
        "logging.DEBUG"
    )
    assert re.search(r"Speedup: [\d.]+x", of("Speedup"))
    assert "Module shimmed: True" in told["all"]
    assert "train config.yaml" == (answers[0] / "command").read_text().strip()


def test_each_substitution_is_used():
    """The table has a reason for each, and none that no block needs."""
    lines = {line.strip() for block in BLOCKS for line in block.splitlines()}
    text = "\n".join(BLOCKS)
    for row in (*TABLE["text"], *TABLE["before"]):
        assert row["block"].strip() in lines, row
        assert row["reason"]
    for row in TABLE["file"]:
        assert row["reason"]
        assert row["name"] in text or row["name"] == "config.yaml", row
