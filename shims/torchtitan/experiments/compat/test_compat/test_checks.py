"""The six checks: each uses what it names, and a failure is printed and becomes the exit status."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

MODULE = Path(__file__).with_name("module.py")
RUN = (sys.executable, "-W", "ignore", "-m", "shimhub", "run")
NAME = "torchtitan.experiments.compat.test_compat"

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")


@pytest.fixture
def checks() -> ModuleType:
    """The module, by its file."""
    spec = importlib.util.spec_from_file_location("checks_of_a_test", MODULE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_good() -> str:
    """Hold."""
    return "it holds"


def check_bad() -> str:
    """Fail."""
    raise AssertionError("1 is not 2")


def check_gone() -> str:
    """Fail as an import does."""
    raise ImportError("no such name")


@pytest.mark.slow
@pytest.mark.skipif(
    not (find_spec("torchtitan") and find_spec("safetensors")),
    reason="needs torchtitan and safetensors",
)
def test_all_hold_where_names_are_served_or_native() -> None:
    """Run as a module beside the real TorchTitan and torch, all six hold; the status is 0."""
    done = subprocess.run([*RUN, "-m", NAME], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    *lines, last = done.stdout.splitlines()
    assert [f"{number}/6" for number in range(1, 7)] == [line.split()[0] for line in lines]
    assert {"ok"} == {line.split()[2] for line in lines}
    assert "6 of 6 checks passed" == last


def test_a_failure_is_printed_and_returned(
    checks: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a check raises stands in its line, the others still run, and the status is 1."""
    vars(checks)["CHECKS"] = (check_bad, check_good, check_gone)
    assert 1 == checks.main()
    told = capsys.readouterr().out.splitlines()
    assert "1/3 bad            FAIL  AssertionError: 1 is not 2" == told[0]
    assert "2/3 good           ok    it holds" == told[1]
    assert "3/3 gone           FAIL  ImportError: no such name" == told[2]
    assert "1 of 3 checks passed" == told[3]
    vars(checks)["CHECKS"] = (check_good,)
    assert 0 == checks.main()


@pytest.mark.parametrize("early_stop", [True, False])
def test_early_stop_is_checked_by_running_it(checks: ModuleType, early_stop: bool) -> None:
    """A wrapper that takes the word and ignores it fails the check: making one is not enough."""
    from torch.distributed.algorithms._checkpoint import checkpoint_wrapper as native

    real = native.checkpoint_wrapper
    vars(native)["checkpoint_wrapper"] = lambda module, **_: real(module, early_stop=early_stop)
    try:
        with pytest.raises((AssertionError, TypeError)):
            checks.check_early_stop()
    finally:
        vars(native)["checkpoint_wrapper"] = real
