"""The option of Inductor with which TorchTitan compiles FlexAttention."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

import pytest

UNTOUCHED = """
import shimhub
import torch._inductor.config as config
vars(config)
shimhub.uninstall()
native = vars(config)["_config"]["wrap_inductor_compiled_regions"]
shimhub.install()
assert vars(config)["_config"]["wrap_inductor_compiled_regions"] is native
print(shimhub.explain("torch/_inductor/wrap_compiled_regions")["torch/_inductor/wrap_compiled_regions"].status.value)
"""

OPTIONS = """
import torch
options = {"wrap_inductor_compiled_regions": True, "max_autotune": False}
compiled = torch.compile(lambda x: x.sin() * 2, options=options, backend="inductor")
from torch._inductor import config
print(config.wrap_inductor_compiled_regions)
with config.patch(wrap_inductor_compiled_regions=True):
    print(config.wrap_inductor_compiled_regions, config.get_config_copy().get("fallback_random"))
for key, value in (("wrap_inductor_compiled_regions", "yes"), ("wrap_compiled", True)):
    try:
        torch.compile(print, options={key: value})
    except RuntimeError as error:
        print(str(error)[:40])
"""
VALUES = """
x = torch.arange(8.0)
torch.testing.assert_close(compiled(x), x.sin() * 2)
print("compiled")
"""
TOLD = [
    "False",
    "True False",
    "Unexpected type of attr wrap_inductor_co",
    "Unexpected optimization option wrap_comp",
]
GONE = """
import shimhub, torch._inductor.config as config
before = set(config.get_config_copy())
shimhub.uninstall()
print(sorted(before - set(config.get_config_copy())))
"""


def _torch() -> str:
    return ".".join(metadata.version("torch").split(".")[:2]) if find_spec("torch") else ""


pytestmark = pytest.mark.skipif(not find_spec("torch"), reason="needs torch")
on_old = pytest.mark.skipif(_torch() not in ("2.8", "2.9"), reason=f"torch {_torch()} has its own")
on_new = pytest.mark.skipif(_torch() in ("2.8", "2.9"), reason=f"torch {_torch()} has none")


def _run(code: str) -> list[str]:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@on_new
def test_native_stays() -> None:
    """Where torch has it, it is the same object after an install."""
    assert ["GATED"] == _run(UNTOUCHED)


@pytest.mark.slow
def test_the_option_is_known_and_others_are_not() -> None:
    """It is off by default, can be set as any option, and is checked as any, on every torch."""
    assert TOLD == _run(OPTIONS)


@pytest.mark.slow
def test_code_compiled_with_it_gives_the_same() -> None:
    """Inductor's code for the CPU computes what it computes without the option."""
    assert [*TOLD, "compiled"] == _run(OPTIONS + VALUES)


@on_old
def test_undone() -> None:
    """After uninstall the configuration has no such option any more."""
    assert ["['wrap_inductor_compiled_regions']"] == _run(GONE)
