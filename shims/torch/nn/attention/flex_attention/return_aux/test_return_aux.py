"""`flex_attention(return_aux=)`: the same shapes and values on torch 2.8 as natively later."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import pytest

ID = "torch/nn/attention/flex_attention/return_aux"
LIBRARY = """
import inspect, math, warnings
import torch
from torch.nn.attention.flex_attention import AuxOutput, AuxRequest, flex_attention
warnings.simplefilter("ignore")
torch.manual_seed(0)
q, k, v = torch.randn(3, 1, 2, 16, 8).unbind()
"""
EAGER = """
out, aux = flex_attention(q, k, v, return_aux=AuxRequest(lse=True))
scores = q @ k.transpose(-1, -2) / math.sqrt(8)
torch.testing.assert_close(aux.lse, scores.logsumexp(-1))
print(type(aux) is AuxOutput, aux.max_scores)
bare, nothing = flex_attention(q, k, v, return_aux=AuxRequest())
print(nothing, torch.equal(bare, out))
print(torch.equal(flex_attention(q, k, v), out))
legacy, lse = flex_attention(q, k, v, None, None, None, False, True)
print(torch.equal(legacy, out), torch.equal(lse, aux.lse))
print(*inspect.signature(flex_attention).parameters)
try:
    flex_attention(q, k, v, return_lse=True, return_aux=AuxRequest(lse=True))
except ValueError as error:
    print(error)
"""
COMPILED = """
def step(q, k, v):
    out, aux = flex_attention(q, k, v, return_aux=AuxRequest(lse=True))
    return out + aux.lse[..., None]
compiled = torch.compile(step, backend="eager", fullgraph=True)
torch.testing.assert_close(compiled(q, k, v), step(q, k, v))
print("equal")
"""
LATE = """
import torch.nn.attention.flex_attention as module
from torch.nn.attention.flex_attention import flex_attention
import shimhub
native = [flex_attention]
with shimhub.shimmed(only="torch/nn/attention/flex_attention/*"):
    print(native[0] is module.flex_attention, flex_attention is module.flex_attention)
print(native[0] is module.flex_attention, flex_attention is module.flex_attention)
"""
PARAMETERS = (
    "query key value score_mod block_mask scale enable_gqa return_lse kernel_options return_aux"
)
BOTH = (
    "Cannot specify both return_lse and return_aux. "
    "return_lse is deprecated, please use return_aux=AuxRequest(lse=True) instead."
)

TORCH = version("torch") if find_spec("torch") else ""
IS_2_8 = TORCH.startswith("2.8.")
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
on_2_8 = pytest.mark.skipif(not IS_2_8, reason="needs torch 2.8, which lacks the keyword")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the keyword")


def _run(code: str, *hub: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", *hub, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _shimmed(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return _run(LIBRARY + code, "-m", "shimhub", "run", *options)


@pytest.mark.slow
def test_results_are_those_of_torch_2_9() -> None:
    """The log-sum-exp is right and named; without a request, or by the old keyword, results have
    their old shape; both keywords at once are refused in 2.9's words."""
    told = _shimmed(EAGER)
    expected = ["True None", "AuxOutput(lse=None, max_scores=None) True", "True", "True True"]
    assert [*expected, PARAMETERS, BOTH] == told.stdout.splitlines(), told.stderr


@pytest.mark.slow
def test_compiled_in_one_graph() -> None:
    """Dynamo traces through the adapter without a graph break."""
    told = _shimmed(COMPILED)
    assert "equal\n" == told.stdout, told.stderr


@on_2_8
def test_maximum_of_scores_is_refused() -> None:
    """What torch 2.8 cannot compute raises, and names the release that can."""
    told = _shimmed("flex_attention(q, k, v, return_aux=AuxRequest(lse=True, max_scores=True))")
    wanted = f"max_scores=True)) needs torch 2.9 or later, and this is torch {TORCH}"
    assert f"NotImplementedError: flex_attention(return_aux=AuxRequest({wanted}" in told.stderr


@on_2_8
def test_copies_from_before_are_rebound() -> None:
    """Installed late, it reaches names that are bound already, and undo gives them back."""
    told = _run(LATE)
    assert "False True\nTrue True\n" == told.stdout, told.stderr


@on_2_8
def test_native_lacks_it() -> None:
    """Without the shim the call dies: the row is still needed."""
    told = _shimmed("flex_attention(q, k, v, return_aux=AuxRequest(lse=True))", "--disable", ID)
    assert "unexpected keyword argument 'return_aux'" in told.stderr


@on_later
def test_native_stays() -> None:
    """Where torch has the keyword, the row is gated and the function is torch's own."""
    from torch.nn.attention import flex_attention as module

    import shimhub

    native = module.flex_attention
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert module.flex_attention is native
