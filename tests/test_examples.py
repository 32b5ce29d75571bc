"""README.md and examples/: what they print is what happens, and without shimhub it does not."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Stands in README.md for lines that are left out.
CUT = "…\n"


def _blocks(language: str) -> list[str]:
    return [text for found, text in FENCED.findall(README) if found == language]


def _run(*command: str, folder: Path = ROOT, check: bool = True, shimhub: bool = True):
    """Run ``python command`` in a folder, with shimhub in reach or without."""
    environ = {key: value for key, value in os.environ.items() if "SHIMHUB" not in key}
    environ |= {"PYTHONPATH": str(ROOT) if shimhub else "", "COLUMNS": "80"}
    line = [sys.executable, *command]
    done = subprocess.run(
        line, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def _need(**versions: str) -> None:
    """Skip where these are not installed in the versions that the text is about."""
    for name, version in versions.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "missing"
        if found.partition("+")[0] != version:
            pytest.skip(f"is about {name} {version}, which is {found} here")


def _need_no_triton() -> None:
    if importlib.util.find_spec("triton") is not None:
        pytest.skip("is about torch's CPU build; the CUDA build brings real Triton")


def _commands(example: str) -> list[list[str]]:
    """Return the indented ``python …`` lines of an example's README without their first word."""
    told = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    return [line.split() for line in re.findall(r"^    python (.*)$", told, re.MULTILINE)]


# ---- README.md


def test_quick_start_is_the_first_block():
    """The first block of README.md is examples/quick_start/quick_start.sh, word for word."""
    script = (EXAMPLES / "quick_start" / "quick_start.sh").read_text(encoding="utf-8")
    assert ("sh", script) == FENCED.findall(README)[0]


def test_readme_shows_the_registry_of_the_example():
    """The row that README.md shows is own_registry's file: no code, and at most eight lines."""
    (shown,) = _blocks("toml")
    assert (EXAMPLES / "own_registry" / "registry.toml").read_text(encoding="utf-8") == shown
    assert 8 >= len(shown.splitlines())


def test_ci_runs_the_two_commands_of_the_readme():
    """README.md has two shell blocks: the quick start, and one line for the tests; CI runs both."""
    _, command = _blocks("sh")
    assert 1 == len(command.splitlines())
    ci = ROOT / ".ci" / "run"
    if not ci.exists():
        pytest.skip("the sdist comes without .ci")
    told = ci.read_text(encoding="utf-8")
    assert f"\n{command}" in told
    assert "\nsh examples/quick_start/quick_start.sh\n" in told


def test_readme_is_short_and_of_no_machine():
    """README.md has under 220 lines and no path of the machine that wrote it."""
    assert 220 > len(README.splitlines())
    for told in (str(ROOT), str(Path.home()), "/tmp", "site-packages"):
        assert told not in README


def test_readme_tells_every_action():
    """The table of actions has each of the seven."""
    from shimhub._schema import ACTIONS

    rows = re.findall(r"^\| `(\w+)` \| .* \| (?:yes|no)", README, re.MULTILINE)
    assert sorted(ACTIONS) == sorted(rows)


@pytest.mark.parametrize("code", _blocks("python"), ids=lambda code: code.split("\n")[0])
def test_python_blocks_run(code):
    """Every Python block of README.md runs at the top of the checkout."""
    if "triton" in code:
        _need(torch="2.13.0")
    _run("-c", code)


def test_status_prints_what_was_applied():
    """The block about undo prints the applied alias and a verdict for each packaged shim."""
    from shimhub import plan

    (code,) = [block for block in _blocks("python") if "uninstall" in block]
    first, *others = _run("-W", "error", "-c", code).stdout.splitlines()
    assert first.startswith("APPLIED    numpy/float_: alias: ")
    assert [verdict.id for verdict in plan()] == [line.split()[0] for line in others]


@pytest.mark.parametrize("session", [b for b in _blocks("") if b.startswith("$ ")])
def test_sessions_print_what_they_show(session):
    """Every command behind a ``$`` prints the lines below it; ``…`` stands for any lines."""
    if "torch" in session:
        _need(torch="2.13.0", torchtitan="0.2.2")
    folder = ROOT
    for part in session.removeprefix("$ ").split("\n$ "):
        command, _, shown = f"{part.rstrip()}\n".partition("\n")
        program, *arguments = command.split()
        if program == "cd":
            folder = ROOT / arguments[0]
            continue
        assert "shimhub" == program
        printed = _run("-m", "shimhub", *arguments, folder=folder).stdout
        kept = [re.escape(text) for text in shown.replace("/path/to/shimhub", str(ROOT)).split(CUT)]
        assert re.fullmatch("(?:.*\n)*".join(kept), printed), printed


def test_readme_told_the_training_losses():
    """The losses that README.md shows fall step by step, as those of a training do."""
    losses = [float(loss) for loss in re.findall(r"loss:  (\d\.\d{5})", README)]
    assert 5 == len(losses)
    assert sorted(losses, reverse=True) == losses


def test_typo_is_told_as_in_the_readme(tmp_path):
    """A mistyped action is an error with file, line, key and the right word; nothing is run."""
    own = EXAMPLES / "own_registry"
    row = (own / "registry.toml").read_text(encoding="utf-8")
    wrong = tmp_path / "registry.toml"
    wrong.write_text(row.replace('"alias"', '"alais"'), encoding="utf-8")
    script = str(own / "train.py")
    done = _run("-m", "shimhub", "run", "--registry", str(wrong), script, check=False)
    assert (2, "") == (done.returncode, done.stdout)
    (told,) = re.findall(r"`(registry\.toml:5: .*\?\))`", README)
    head, tail = told.split("…")
    assert re.search(re.escape(head) + ".*" + re.escape(tail), done.stderr), done.stderr


# ---- examples/


def test_own_registry_runs_as_its_readme_says():
    """Both commands of own_registry work; the first one fits the line that made the data."""
    fitted, explained = (
        _run(*command, folder=EXAMPLES / "own_registry").stdout
        for command in _commands("own_registry")
    )
    assert "slope 3.000 intercept 1.000\n" == fitted
    assert explained.startswith("numpy/float_: PENDING\n")


def test_own_registry_fails_without_shimhub():
    """Plain python ends own_registry with NumPy's AttributeError about ``np.float_``."""
    done = _run("train.py", folder=EXAMPLES / "own_registry", check=False, shimhub=False)
    assert 1 == done.returncode
    assert "AttributeError: `np.float_` was removed" in done.stderr


def test_three_shims_runs_as_its_readme_says():
    """Both commands of three_shims work; the loss of its training falls to less than a tenth."""
    _need(torch="2.13.0")
    trained, explained = (
        _run(*command, folder=EXAMPLES / "three_shims").stdout
        for command in _commands("three_shims")
    )
    told = re.fullmatch(r"loss (\S+) -> (\S+); memory facts: (\d+)\n", trained)
    assert told, trained
    assert float(told[2]) < float(told[1]) / 10
    assert 0 < int(told[3])
    assert explained.startswith("torch/distributed/set_timeout: PENDING\n")


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ("triton", "ModuleNotFoundError: No module named 'triton'"),
        ("torch/distributed/set_timeout", "has no attribute 'set_timeout'"),
        ("torch/cpu/memory_stats", "has no attribute 'memory_stats'"),
    ],
    ids=["triton", "set_timeout", "memory_stats"],
)
def test_three_shims_needs_each_of_them(missing, error):
    """With any one of its three shims disabled the example ends with an error about its name."""
    _need(torch="2.13.0")
    _need_no_triton()
    options = ["--enable", "cpu-device", "--disable", missing]
    folder = EXAMPLES / "three_shims"
    done = _run("-m", "shimhub", "run", *options, "train.py", folder=folder, check=False)
    assert 1 == done.returncode
    assert error in done.stderr


def test_three_shims_fails_without_shimhub():
    """Plain python ends three_shims at ``import triton``."""
    _need(torch="2.13.0")
    _need_no_triton()
    done = _run("train.py", folder=EXAMPLES / "three_shims", check=False, shimhub=False)
    assert 1 == done.returncode
    assert "ModuleNotFoundError: No module named 'triton'" in done.stderr
