"""`checkpoint(early_stop=)`: what is recomputed, on any torch, is what torch 2.9 recomputes."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import pytest

ID = "torch/utils/checkpoint_early_stop"
LIBRARY = """
import contextlib, inspect, pickle, warnings
import torch
import torch.utils.checkpoint as ckpt
from torch.distributed.algorithms._checkpoint import checkpoint_wrapper as wrapping
warnings.simplefilter("ignore")

def region(seen, name=""):
    def run(x):
        seen.append(name + "pre")
        y = x.exp()
        seen.append(name + "post-a")
        z = y + 1
        seen.append(name + "end")
        return z
    return run

def trace(context=contextlib.nullcontext(), use_reentrant=False, **options):
    seen = []
    x = torch.ones(2, requires_grad=True)
    with context:
        out = ckpt.checkpoint(region(seen), x, use_reentrant=use_reentrant, **options)
    out.sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, torch.e))
    return " ".join(seen)
"""
TRACES = """
context = ckpt.set_checkpoint_early_stop
print(trace())
print(trace(early_stop=True))
print(trace(early_stop=False))
print(trace(early_stop=False, preserve_rng_state=False, determinism_check="none"))
print(trace(context(True), early_stop=False))
print(trace(context(False), early_stop=True))
print(trace(use_reentrant=True, early_stop=True) == trace(use_reentrant=True, early_stop=False))
print(list(inspect.signature(ckpt.checkpoint).parameters))
print(pickle.loads(pickle.dumps(ckpt.checkpoint)) is ckpt.checkpoint)
"""
SIGNATURE = (
    "['function', 'args', 'use_reentrant', 'context_fn', 'determinism_check', 'debug', "
    "'early_stop', 'kwargs']"
)
STOPPED, FULL = "pre post-a end pre", "pre post-a end pre post-a end"
NESTED = """
seen = []
def outer(x):
    inner = ckpt.checkpoint(region(seen, "in-"), x, use_reentrant=False)
    seen.append("out-post")
    return inner + 1
x = torch.ones(2, requires_grad=True)
ckpt.checkpoint(outer, x, use_reentrant=False, early_stop=False).sum().backward()
print(" ".join(seen))
with torch.no_grad():
    print(ckpt.checkpoint(region([]), x, use_reentrant=False, early_stop=False).requires_grad)
try:
    ckpt.checkpoint(lambda x: 1 / 0, x, use_reentrant=False, early_stop=False)
except ZeroDivisionError:
    print(trace(early_stop=True))
"""
WRAPPED = """
class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = []
    def forward(self, x, scale=1.0):
        return region(self.seen)(x * scale)

for early_stop in (True, False):
    layer = Layer()
    wrapped = wrapping.checkpoint_wrapper(layer, preserve_rng_state=False, early_stop=early_stop)
    x = torch.ones(2, requires_grad=True)
    wrapped(x, scale=2.0).sum().backward()
    print(" ".join(layer.seen))
"""
COMPILED = """
def region(x):
    return x.sin().cos()
@torch.compile(backend="aot_eager", fullgraph=True)
def step(x):
    return ckpt.checkpoint(region, x, use_reentrant=False, early_stop=False)
x = torch.ones(2, requires_grad=True)
step(x).sum().backward()
expected = torch.ones(2, requires_grad=True)
region(expected).sum().backward()
torch.testing.assert_close(x.grad, expected.grad)
print("equal")
"""
LATE = f"""
import shimhub
native = [ckpt.checkpoint]
print(wrapping.torch_utils_checkpoint is native[0], ckpt._enable_checkpoint_early_stop)
with shimhub.shimmed(only={ID!r}):
    print(ckpt.checkpoint is native[0], wrapping.torch_utils_checkpoint is ckpt.checkpoint)
    print(trace(early_stop=False))
print(ckpt.checkpoint is native[0], wrapping.torch_utils_checkpoint is native[0])
print(ckpt._enable_checkpoint_early_stop)
with ckpt.set_checkpoint_early_stop(False), shimhub.shimmed(only={ID!r}):
    print(trace(early_stop=True))
print(ckpt._enable_checkpoint_early_stop)
"""


TORCH = version("torch") if find_spec("torch") else ""
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch")
IS_2_8 = TORCH.startswith("2.8.")
on_2_8 = pytest.mark.skipif(not IS_2_8, reason="needs torch 2.8, which lacks the keyword")
on_later = pytest.mark.skipif(IS_2_8, reason="needs torch 2.9 or later, which has the keyword")


def _run(code: str, *hub: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", *hub, "-c", LIBRARY + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _shimmed(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return _run(code, "-m", "shimhub", "run", *options)


def test_recomputation_is_that_of_torch_2_9() -> None:
    """False recomputes to the end, True as far as is needed; a context manager outweighs both, a
    reentrant checkpoint ignores them, and the function looks and pickles like the real one."""
    told = _shimmed(TRACES)
    expected = [STOPPED, STOPPED, FULL, FULL, STOPPED, FULL]
    expected += ["True", SIGNATURE, "True"]
    assert expected == told.stdout.splitlines(), told.stderr


def test_nested_regions_keep_their_own() -> None:
    """A full recomputation outside leaves the default of the region inside; without gradients
    nothing is recomputed, and a region that raises leaves nothing behind."""
    told = _shimmed(NESTED)
    inside = "in-pre in-post-a in-end"
    expected = f"{inside} out-post {inside} out-post in-pre\nFalse\n{STOPPED}\n"
    assert expected == told.stdout, told.stderr


def test_checkpoint_wrapper_hands_it_on() -> None:
    """`checkpoint_wrapper(early_stop=)`, TorchTitan's way, trains and means the same."""
    told = _shimmed(WRAPPED)
    assert f"{STOPPED}\n{FULL}\n" == told.stdout, told.stderr


@pytest.mark.slow
def test_compiled_in_one_graph() -> None:
    """Dynamo still takes the function for torch's own checkpoint, with the keyword."""
    told = _shimmed(COMPILED)
    assert "equal\n" == told.stdout, told.stderr


@on_2_8
def test_copies_from_before_are_rebound() -> None:
    """Installed late, it reaches the copy that `checkpoint_wrapper` has bound, and undo restores
    both and the module's flag; a context that the user is in stays theirs."""
    told = _run(LATE)
    expected = ["True True", "False True", FULL, "True True", "True", FULL, "True"]
    assert expected == told.stdout.splitlines(), told.stderr


@on_2_8
def test_native_hands_it_to_the_function() -> None:
    """Without the shim the keyword ends up in the module's forward: the row is still needed."""
    told = _shimmed(WRAPPED, "--disable", ID)
    assert "unexpected keyword argument 'early_stop'" in told.stderr


@on_later
def test_native_stays() -> None:
    """Where torch has the keyword, the row is gated and the function is torch's own."""
    import torch.utils.checkpoint as ckpt

    import shimhub

    native = ckpt.checkpoint
    with shimhub.shimmed(only=ID):
        assert shimhub.status()[ID].status == "GATED"
        assert ckpt.checkpoint is native
