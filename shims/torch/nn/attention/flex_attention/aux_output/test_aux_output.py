"""`AuxOutput` of FlexAttention: fields, defaults and place are those of torch 2.9."""

from __future__ import annotations

import runpy
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

ID = "torch/nn/attention/flex_attention/aux_output"
CODE = """
import pickle
import torch.nn.attention.flex_attention as flex
from torch.nn.attention.flex_attention import *
out = flex.AuxOutput(lse=1)
print(out, out._fields, AuxOutput is flex.AuxOutput)
print(pickle.loads(pickle.dumps(out)) == out, flex.AuxOutput.__module__)
"""

TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the name")


def test_it_is_there_and_pickles() -> None:
    """Imported by name and by star, it has 2.9's fields, and pickles under torch's own name."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = [
        "AuxOutput(lse=1, max_scores=None) ('lse', 'max_scores') True",
        "True torch.nn.attention.flex_attention",
    ]
    assert expected == told.stdout.splitlines(), told.stderr


@on_later
def test_fields_equal_the_native_ones() -> None:
    """Names, order and defaults of both classes are those of the installed torch."""
    from torch.nn.attention import flex_attention

    ours = runpy.run_path(str(Path(__file__).with_name("shim.py")))
    for name in ("AuxOutput", "AuxRequest"):
        assert getattr(flex_attention, name)._fields == ours[name]._fields
        assert getattr(flex_attention, name)._field_defaults == ours[name]._field_defaults


@on_later
def test_native_stays() -> None:
    """Where torch has the name, the row is gated and the class is torch's own."""
    from torch.nn.attention import flex_attention

    import shimhub

    native = flex_attention.AuxOutput
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert flex_attention.AuxOutput is native
