"""The record that custom functions of a pipeline schedule are given."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

import pytest

UNTOUCHED = """
import shimhub
from torch.distributed.pipelining import schedules
shimhub.uninstall()
native = schedules._PipelineContext
shimhub.install()
assert schedules._PipelineContext is native
print(shimhub.explain("torch/distributed/pipelining/pipeline_context")["torch/distributed/pipelining/pipeline_context"].status.value)
"""

RECORD = """
import dataclasses, pickle
from torch.distributed.pipelining.schedules import _PipelineContext
one = _PipelineContext("schedule", losses=[])
print([(field.name, field.default is None) for field in dataclasses.fields(one)])
assert pickle.loads(pickle.dumps(one)) == one
assert _PipelineContext.__module__ == "torch.distributed.pipelining.schedules"
"""
FIELDS = "[('schedule_ref', False), ('arg_mbs', True), ('kwarg_mbs', True), "


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


def test_it_has_the_fields_of_torch_2_13() -> None:
    """Fields, defaults, equality and pickle are the same on every torch."""
    assert [FIELDS + "('target_mbs', True), ('losses', True)]"] == _run(RECORD)
