"""`torch.nn.attention.varlen` against SDPA on each sequence by itself, and against torch 2.13."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

MODULE = Path(__file__).with_name("module.py")
#: The module of the shim by its file: torch 2.13 has one of its own under the name.
BY_FILE = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("torch.nn.attention.varlen", {str(MODULE)!r})
varlen = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = varlen
spec.loader.exec_module(varlen)
"""
BY_NAME = "from torch.nn.attention import varlen"
SETUP = """
import torch, torch.nn.functional as F
torch.manual_seed(0)
LENGTHS_Q, LENGTHS_K = [4, 1, 0, 7], [4, 3, 2, 5]
def packed(lengths, heads, dtype):
    return torch.randn(sum(lengths), heads, 8, dtype=dtype, requires_grad=True)
def ends(lengths):
    return torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
def arguments(q, k, v):
    return q, k, v, ends(LENGTHS_Q), ends(LENGTHS_K), max(LENGTHS_Q), max(LENGTHS_K)
def mask_of(queries, keys, window):
    distance = torch.arange(keys) - (torch.arange(queries) + keys - queries).unsqueeze(1)
    before, after = (one if one >= 0 else 99 for one in window)
    return (-before <= distance) & (distance <= after)
def by_sdpa(q, k, v, window, scale):
    done = []
    for one, (key, value) in zip(
        q.split(LENGTHS_Q), zip(k.split(LENGTHS_K), v.split(LENGTHS_K)), strict=True
    ):
        mask = mask_of(len(one), len(key), window)
        seen = F.scaled_dot_product_attention(
            *(x.transpose(0, 1) for x in (one, key, value)),
            attn_mask=mask, scale=scale, enable_gqa=True,
        )
        done.append(seen.transpose(0, 1) * mask.any(1)[:, None, None])
    return torch.cat(done).nan_to_num()
"""
VALUES = """
for heads_k in (4, 2):
    for window in ((-1, -1), (-1, 0), (2, 0), (1, 1), (0, -1)):
        for dtype, near in ((torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
            q, k, v = (packed(*one, dtype) for one in ((LENGTHS_Q, 4), *[(LENGTHS_K, heads_k)] * 2))
            out = varlen.varlen_attn(
                *arguments(q, k, v), window_size=window, scale=0.3, enable_gqa=heads_k == 2
            )
            told = torch.randn_like(out)
            found = (out, *torch.autograd.grad(out, (q, k, v), told))
            wide = [one.detach().double().requires_grad_() for one in (q, k, v)]
            right = by_sdpa(*wide, window, 0.3)
            known = (right, *torch.autograd.grad(right, wide, told.double()))
            assert {one.dtype for one in found} == {dtype}
            for one, other in zip(found, known, strict=True):
                torch.testing.assert_close(one.double(), other.nan_to_num(), atol=near, rtol=near)
print("ok")
"""
REST = """
import inspect
q, k, v = (packed(*one, torch.float32) for one in ((LENGTHS_Q, 4), *[(LENGTHS_K, 4)] * 2))
given = arguments(q, k, v)
aux = varlen.AuxRequest(lse=True)
out, lse = varlen.varlen_attn(*given, return_aux=aux)
scores = [
    (one.transpose(0, 1) @ key.permute(1, 2, 0) / 8**0.5).logsumexp(-1)
    for one, key in zip(q.split(LENGTHS_Q), k.split(LENGTHS_K), strict=True)
]
torch.testing.assert_close(lse, torch.cat(scores, 1))
plain = varlen.varlen_attn(*given, is_causal=True)
assert torch.equal(plain, varlen.varlen_attn(*given, window_size=(-1, 0), num_splits=1))
assert torch.equal(out, varlen.varlen_attn(*given, return_aux=varlen.AuxRequest()))
compiled = torch.compile(varlen.varlen_attn, backend="aot_eager", fullgraph=True)
found = compiled(*given, window_size=(-1, 0))
assert torch.equal(plain, found)
grads = [torch.autograd.grad(one.sum(), (q, k, v)) for one in (plain, found)]
assert all(torch.equal(one, other) for one, other in zip(*grads, strict=True))
torch.library.opcheck(
    torch.ops.torch_attn._varlen_attn.default, (*given, False, None, [-1, 0]), atol=1e-5, rtol=1e-5
)
two = packed(LENGTHS_K, 2, torch.float32)
for wrong, words in (
    ((q, two, two), {}), ((q, k[:, :3], v[:, :3]), {"enable_gqa": True}),
    ((q, k, v), {"seqused_k": torch.tensor([1])}), ((q, k, v), {"block_table": torch.ones(1)}),
):
    try:
        varlen.varlen_attn(*arguments(*wrong), **words)
    except (ValueError, NotImplementedError) as error:
        print(type(error).__name__, torch.__version__ in str(error))
print(varlen.AuxRequest(), varlen.__all__)
print(list(inspect.signature(varlen.varlen_attn).parameters))
"""
TOLD = [
    "ValueError False",
    "ValueError False",
    "NotImplementedError True",
    "NotImplementedError True",
    "AuxRequest(lse=False) ['AuxRequest', 'varlen_attn']",
]
UNTOUCHED = """
from torch.nn.attention import varlen
import shimhub, inspect, torch
native, op = varlen.varlen_attn, torch.ops.torch_attn._varlen_attn.default
shimhub.install()
from torch.nn.attention.varlen import varlen_attn
assert varlen_attn is native and op is torch.ops.torch_attn._varlen_attn.default
print(shimhub.explain("torch/nn/attention/varlen")["torch/nn/attention/varlen"].status.value)
print(list(inspect.signature(native).parameters))
"""


def _torch() -> str:
    return ".".join(metadata.version("torch").split(".")[:2]) if find_spec("torch") else ""


pytestmark = pytest.mark.skipif(not find_spec("torch"), reason="needs torch")
on_old = pytest.mark.skipif(_torch() not in ("2.8", "2.9"), reason=f"torch {_torch()} has its own")
on_new = pytest.mark.skipif(_torch() in ("2.8", "2.9"), reason=f"torch {_torch()} has none")


def _run(*command: str) -> list[str]:
    command = (sys.executable, "-W", "ignore", *command)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


def test_values_and_gradients_are_those_of_sdpa() -> None:
    """For windows, types and shared heads: the output and all gradients of each sequence alone;
    a query without a key in its window gives zeros."""
    assert ["ok"] == _run("-c", BY_FILE + SETUP + VALUES)


@pytest.mark.slow
def test_the_rest_of_the_interface() -> None:
    """Log-sum-exp, the older word for causal, tracing, the operator's own rules, and errors."""
    *told, signature = _run("-c", BY_FILE + SETUP + REST)
    assert TOLD == told
    assert "'is_causal'" in signature


@pytest.mark.slow
@on_new
def test_native_stays_and_has_the_same_signature() -> None:
    """Where torch has the module it stays as it is; ours takes its words, and torch 2.10's."""
    status, native = _run("-c", UNTOUCHED)
    assert "GATED" == status
    ours = _run("-c", BY_FILE + SETUP + REST)[-1]
    assert native == ours.replace("'is_causal', ", "")


@on_old
def test_served_under_its_name() -> None:
    """On a torch that lacks it the import gives the module, with values as promised."""
    assert ["ok"] == _run("-m", "shimhub", "run", "-c", BY_NAME + SETUP + VALUES)
    assert TOLD == _run("-m", "shimhub", "run", "-c", BY_NAME + SETUP + REST)[:-1]
