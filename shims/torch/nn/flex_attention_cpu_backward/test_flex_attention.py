"""FlexAttention on CPU with gradients, against plain attention written out."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

CODE = """
import math, sys, warnings
import torch
from torch.nn.attention.flex_attention import AuxRequest, create_block_mask, flex_attention
warnings.simplefilter("ignore")
torch.manual_seed(0)
B, H, KV, L, D = 2, 4, 2, 128, 8
double = dict(dtype=torch.float64, requires_grad=True)
q, k, v = (torch.randn(B, heads, L, D, **double) for heads in (H, KV, KV))
bias = torch.randn(H, **double)
rows, columns = torch.arange(L)[:, None], torch.arange(L)[None]

def score_mod(score, b, h, row, column):
    return score * 1.5 + bias[h] * (row - column) / 100

def dense():
    keys, values = (one.repeat_interleave(H // KV, 1) for one in (k, v))
    scores = q @ keys.transpose(-1, -2) / math.sqrt(D) * 1.5
    scores = scores + bias[:, None, None] * (rows - columns) / 100
    scores = scores.masked_fill(rows < columns, -math.inf)
    return scores.softmax(-1) @ values, scores.logsumexp(-1)

def flex():
    mask = create_block_mask(lambda b, h, row, column: row >= column, B, H, L, L, device="cpu")
    out, aux = flex_attention(
        q, k, v, score_mod=score_mod, block_mask=mask, enable_gqa=True,
        return_aux=AuxRequest(lse=True),
    )
    return out, aux.lse

def grads(out, lse):
    torch.manual_seed(1)
    loss = (out * torch.randn_like(out)).sum() + (lse * torch.randn_like(lse)).sum()
    return torch.autograd.grad(loss, [q, k, v, bias])
"""
GRADIENTS = """
expected, found = dense(), flex()
for one, other in zip((*expected, *grads(*expected)), (*found, *grads(*found))):
    torch.testing.assert_close(other, one)
plain = flex_attention(q, k, v, enable_gqa=True)
sdpa = torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
gradients = [torch.autograd.grad(out.sum(), [q, k]) for out in (sdpa, plain)]
for one, other in zip(*gradients):
    torch.testing.assert_close(other, one)
print("equal")
"""
COMPILED = """
eager, compiled = flex(), None
flex_attention = torch.compile(flex_attention)
compiled = flex()
for one, other in zip((*eager, *grads(*eager)), (*compiled, *grads(*compiled))):
    torch.testing.assert_close(other, one)
print("equal")
"""
REFUSALS = """
for attempt in (
    lambda: torch.compile(flex_attention, fullgraph=True)(q, k, v, enable_gqa=True),
    lambda: flex_attention(q, k, v, enable_gqa=True, return_aux=AuxRequest(max_scores=True)),
):
    try:
        attempt()
    except Exception as error:
        print("backward on CPU" in str(error), "max scores" in str(error))
"""

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")


def _run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    hub = ["-m", "shimhub", "run", "--enable", "cpu-device", *options]
    command = [sys.executable, "-W", "ignore", *hub, "-c", CODE + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_gradients_equal_plain_attention() -> None:
    """Output, log-sum-exp and the gradients of query, key, value and a captured bias agree, with
    score_mod, block mask and grouped heads, and without any of them."""
    told = _run(GRADIENTS)
    assert "equal\n" == told.stdout, told.stderr


@pytest.mark.slow
def test_compiled_attention_falls_back_to_eager() -> None:
    """`torch.compile(flex_attention)`, TorchTitan's way, breaks the graph and equals eager."""
    told = _run(COMPILED)
    assert "equal\n" == told.stdout, told.stderr


@pytest.mark.slow
def test_what_cannot_be_served_says_so() -> None:
    """For a full graph and for `max_scores` torch's own clear refusals stand."""
    told = _run(REFUSALS)
    assert "True False\nFalse True\n" == told.stdout, told.stderr


def test_native_refuses_gradients() -> None:
    """Without the shim the eager path is refused: the row is still needed."""
    disabled = "torch/nn/flex_attention_cpu_backward"
    told = _run("flex_attention(q, k, v, enable_gqa=True)", "--disable", disabled)
    assert "does not support backward on CPU" in told.stderr
