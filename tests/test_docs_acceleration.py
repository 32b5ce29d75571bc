"""docs/acceleration.md and examples/pure: blocks run as printed, with torch and without."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from shimhub import kernels
from shimhub.accel.model import GROUPS, OPS, AccelMode
from tests._accel_cases import HAS_TORCH

ROOT = Path(__file__).parent.parent
PURE = ROOT / "examples" / "pure"
PAGE = ROOT / "docs" / "acceleration.md"
TEXT = PAGE.read_text("utf-8")
BLOCKS = [
    textwrap.dedent(text)
    for text in re.findall(r"^ *```python\n(.*?)^ *```$", TEXT, re.DOTALL | re.MULTILINE)
]
NO_TORCH = "import sys\nsys.modules['torch'] = None\n"
#: Code before the blocks, and variables, by what is missing.
MISSING = {"nothing": ("", {}), "torch": (NO_TORCH, {}), "library": ("", {"SHIMHUB_NATIVE": "0"})}
#: Each block begins with such a line on stdout.
MARK = "---- block "


def run(code, tmp_path, **environ):
    """Run code in the examples' folder; return both of its outputs."""
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=PURE,
        env=os.environ | own | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module", params=MISSING)
def page(request, tmp_path_factory):
    """The outputs of all blocks, by their first line's number; what is missing; and stderr."""
    head, environ = MISSING[request.param]
    marked = [f"print({MARK!r})\n{one}" for one in BLOCKS]
    stdout, stderr = run(head + "\n".join(marked), tmp_path_factory.mktemp("cache"), **environ)
    return stdout.split(f"{MARK}\n")[1:], request.param, stderr


def output(page, word):
    """Return what the one block with this text printed."""
    (number,) = [at for at, block in enumerate(BLOCKS) if word in block]
    return page[0][number]


def test_all_blocks_run_in_a_row(page):
    """None is left out, none raises, and none warns."""
    assert len(BLOCKS) == len(page[0])
    assert len(BLOCKS) == TEXT.count("```python")


def test_quick_start(page):
    """A layer's output; the operations give back what they were given."""
    has_torch = HAS_TORCH and page[1] != "torch"
    assert "(32, 256)\n" == output(page, "from shimhub.pure.tensor_ops import add")
    assert ("torch is here" in page[0][1]) == has_torch
    lists, array, tensor = output(page, "accel.softmax").splitlines()
    assert ("[[11.0]]", "[0.26894142 0.73105858]") == (lists, array)
    assert tensor.startswith("PureTensor([0., 2.]")


def test_a_with_statement_ends(page):
    """Outside of it the mode is the one that was set."""
    assert "AUTO\n" == output(page, "strict=True")


def test_thresholds_and_counts(page):
    """What the page sets is told, with who says so."""
    told = output(page, "says {told.source}").splitlines()
    assert "Mode: AUTO" == told[0]
    assert "matmul: torch above 500000, says set_threshold" == told[1]
    assert "elementwise: torch above 5000000, says set_threshold" == told[2]
    assert re.fullmatch(
        r"activations: torch above \S+, says (set_threshold|shipped|default)", told[3]
    )
    pure, native = map(int, re.findall(r"\d+", told[4]))
    assert 0 <= native <= pure
    without = page[1] == "library" or not kernels.available()
    assert without == (native == 0)
    # The page's one call in mode NATIVE has no kernel to compute it without the library.
    told_of_native = "1 {'no kernel': 1}" if without else "0 {}"
    assert f"fallbacks: {told_of_native}" == told[6]


def test_the_profile_adds_up(page):
    """The calls of each operation are all calls; a small model is computed here."""
    told = output(page, "calls.pure").splitlines()
    (total,) = map(int, re.findall(r"of (\d+) calls", told[0]))
    assert "fallbacks: 0" == told[1]
    assert total == sum(int(one) for line in told[2:-1] for one in re.findall(r": (\d+) ", line))
    assert 10 * 8 * 7 <= total  # epochs, batches, operations
    if "torch: 0.0%" in told[0]:
        assert "mostly numpy and our kernels, as expected of a small model" == told[-1]


def test_lines_are_as_the_page_shows(page):
    """One for each operation of a step, on stderr."""
    (shown,) = re.findall(r'"(\[ACCEL\] .*)"', TEXT)
    lines = page[2].splitlines()
    assert shown.rpartition(" → ")[0] in [one.rpartition(" → ")[0] for one in lines]
    assert all(re.fullmatch(r"\[ACCEL\] \w+ .+ → (FFI|Pure Simple)", one) for one in lines)


def test_work_is_what_the_page_says(page):
    """A thousand multiplications; a layer's grow with its batch."""
    assert "1000.0\n" == output(page, "PureTensor.randn([10, 10])")
    assert f"{4 * 64 * 32.0}\n{64 * 64 * 32.0}\n" == output(page, "inputs[0:4]")
    assert " 1000000000.0 " in output(page, "decision.reason")


def test_mistakes_are_told_as_the_page_says(page):
    """Shapes name both; without torch the function by name tells the cure."""
    assert "matmul: shapes (10, 20) and (30, 40)" in output(page, "tall)")
    told = output(page, "pip install torch")
    assert ("pip install torch" in told) == (page[1] == "torch" or not HAS_TORCH)


def test_the_pipeline_is_the_example(page):
    """The block is the file, and its model learns; no call is a fallback."""
    assert (PURE / "train.py").read_text("utf-8") in BLOCKS
    told = output(page, "from drawn import draw")
    losses = [float(one) for one in re.findall(r"loss (\S+)", told)]
    assert 5 == len(losses)
    assert sorted(losses, reverse=True) == losses
    assert 90 < float(re.search(r"unseen digits: (\S+)% right", told)[1])
    assert "fallbacks: 0\n" in told


@pytest.mark.parametrize("missing", MISSING)
def test_quick_start_runs(missing, tmp_path):
    """The file of examples/pure answers with torch and without."""
    head, environ = MISSING[missing]
    code = head + "import runpy; runpy.run_path('quick_start.py')"
    first, second = run(code, tmp_path, **environ)[0].splitlines()
    assert "PURE (32, 256)" == first
    assert second == ("AUTO (32, 256)" if HAS_TORCH and missing != "torch" else first)


def test_the_page_names_modes_groups_and_operations():
    """All of them, and no mode that does not exist."""
    assert set(AccelMode.__members__) >= set(re.findall(r"AccelMode\.(\w+)", TEXT))
    for name in (*OPS, *GROUPS, "PureSimple", "PyTorchFFI", "Auto"):
        assert f"`{name}`" in TEXT
    rows = re.findall(r"^\| `AccelMode\.(\w+)` \| (?:`(\w+)`)?", TEXT, re.MULTILINE)
    assert [one.name for one in AccelMode] == [name for name, _ in rows]
    assert all(not alias or AccelMode[alias] is AccelMode[name] for name, alias in rows)


def test_the_page_has_every_section_of_the_guide():
    """In its order."""
    guide = (
        *("Quick start", "Modes", "Configuration", "Tuning", "Troubleshooting"),
        *("Best practices", "What to expect", "The complete pipeline", "Summary"),
    )
    found = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    assert list(guide) == [one for one in found if one in guide]


def test_links_lead_somewhere():
    """Files are in the repository, and anchors are headings of the page."""
    files = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert [] == [one for one in files if not (PAGE.parent / one).is_file()]
    heads = {
        re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-")
        for one in re.findall(r"^##+ (.*)$", TEXT, re.MULTILINE)
    }
    assert [] == [one for one in re.findall(r"\]\(#([^)]+)\)", TEXT) if one not in heads]


def test_commands_of_the_page_exist():
    """Each command behind a ``$`` has a help text."""
    commands = re.findall(r"^\$ shimhub (.*)$", TEXT, re.MULTILINE)
    assert 3 == len(commands)
    for command in commands:
        subprocess.run(
            [sys.executable, "-m", "shimhub", *command.split(), "--help"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
