"""torch.compile follows our operations: whole graphs, with torch's answers and gradients."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from shimhub import accel
from shimhub.accel import _compiled

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

CLASSES = torch.tensor([0, 2, 1])


@pytest.fixture(autouse=True, scope="module")
def _allowed():
    """The compiler follows our operations."""
    accel.allow_in_graph()


def everything(x, w, b):
    """Compute every operation, with options and numbers."""
    y = accel.linear(accel.matmul(x, w), w, b, "gelu_tanh")
    y = accel.add(2.0, accel.div(accel.sub(y, b), 3))
    y = accel.softmax(accel.gelu(accel.tanh(accel.sigmoid(y)), "tanh"), axis=0)
    y = accel.mul(accel.layer_norm(accel.relu(y), b, bias=b, eps=1e-3), y.shape[0])
    y = accel.linear(y, w, transposed=True)
    return accel.mse_loss(y, x) + accel.cross_entropy(y, CLASSES)


def drawn():
    """Return leaves of a function of three tensors."""
    generator = torch.Generator().manual_seed(3)
    return [
        torch.randn(*one, generator=generator).requires_grad_() for one in ((3, 3), (3, 3), (3,))
    ]


def gradients(function, leaves):
    """Return the answer, and the gradient of each leaf."""
    answer = function(*leaves)
    answer.backward()
    return [answer.detach(), *(one.grad for one in leaves)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("backend", "mode"), [("eager", "native"), ("aot_eager", "auto")])
def test_a_whole_graph_is_compiled(backend, mode):
    """fullgraph=True takes every operation, without a warning; answers and gradients are right."""
    torch._dynamo.reset()
    compiled = torch.compile(everything, backend=backend, fullgraph=True)
    with accel.using(mode):
        expected = gradients(everything, drawn())
        answers = gradients(compiled, drawn())
    for one, other in zip(expected, answers, strict=True):
        torch.testing.assert_close(one, other)


def test_what_is_no_tensor_breaks_the_graph_and_is_computed():
    """Arrays, lists, and lists beside tensors have their answers; fullgraph refuses them."""
    torch._dynamo.reset()
    x = torch.ones(2)
    cases = [
        (lambda: accel.add(np.ones(2), np.ones(2)), np.full(2, 2.0)),
        (lambda: accel.matmul([[2.0]], [[3.0]]), [[6.0]]),
        (lambda: accel.add(x, [1.0, 2.0]), torch.tensor([2.0, 3.0], dtype=torch.float64)),
        (lambda: accel.add(1, 2), np.int64(3)),
    ]
    for function, expected in cases:
        answer = torch.compile(function, backend="eager")()
        if expected is not cases[-1][1]:  # torch.compile makes arrays of numpy's numbers
            assert type(expected) is type(answer)
        assert np.array_equal(np.asarray(expected), np.asarray(answer))
    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported):
        torch.compile(cases[0][0], backend="eager", fullgraph=True)()


def test_our_own_errors_are_raised_where_torch_would_answer():
    """A layer's bias and a target do not broadcast in a compiled function, either."""
    torch._dynamo.reset()
    x, row = torch.ones(3, 3), torch.ones(3)
    with pytest.raises(accel.ShapeError, match="mse_loss: target"):
        torch.compile(lambda: accel.mse_loss(x, row), backend="eager")()
    with pytest.raises(ValueError, match="eps: -1"):
        torch.compile(lambda: accel.layer_norm(x, eps=-1), backend="eager")()


def run(code):
    """Return what a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.split()


BEGIN = """
import sys, torch
from shimhub import accel
accel.relu(torch.ones(2))
print("torch._dynamo" in sys.modules)
function = torch.compile(accel.relu, backend="eager")
print(*function(torch.tensor([-1.0, 2.0])).tolist())
accel.allow_in_graph()
accel.allow_in_graph()
torch._dynamo.reset()
whole = torch.compile(accel.relu, backend="eager", fullgraph=True)
print(*whole(torch.tensor([-1.0, 2.0])).tolist())
"""


def test_the_compiler_is_not_imported_before_it_is_allowed():
    """Without a word the graph breaks and the answer is right; telling it twice is as once."""
    assert ["False", "0.0", "2.0", "0.0", "2.0"] == run(BEGIN)


def test_without_torch_there_is_no_graph(monkeypatch):
    """The error names what to install."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(accel.TorchMissingError, match="pip install torch"):
        _compiled.allow_in_graph.__wrapped__()
