"""`AuxRequest` of FlexAttention: fields, defaults and place are those of torch 2.9."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import pytest

ID = "torch/nn/attention/flex_attention/aux_request"
CODE = """
import pickle
from torch.nn.attention.flex_attention import AuxRequest
asked = AuxRequest(lse=True)
print(asked, AuxRequest(), pickle.loads(pickle.dumps(asked)) == asked)
"""

TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the name")


def test_it_is_there_and_pickles() -> None:
    """Nothing is requested by default, and a request pickles."""
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", CODE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    asked = "AuxRequest(lse=True, max_scores=False)"
    assert f"{asked} AuxRequest(lse=False, max_scores=False) True\n" == told.stdout, told.stderr


@on_later
def test_native_stays() -> None:
    """Where torch has the name, the row is gated and the class is torch's own."""
    from torch.nn.attention import flex_attention

    import shimhub

    native = flex_attention.AuxRequest
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert flex_attention.AuxRequest is native
