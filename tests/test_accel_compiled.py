"""torch.compile follows our operations: whole graphs, with torch's answers and gradients."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from shimhub import accel
from shimhub.accel import _compiled

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

CLASSES = torch.tensor([0, 2, 1])


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
{first}
from shimhub import accel
from shimhub.accel._compiled import _Watch
watches = lambda: [type(one) for one in sys.meta_path].count(_Watch)
accel.relu(torch.ones(2))
print("torch._dynamo" in sys.modules, watches())
function = torch.compile(accel.relu, backend="eager", fullgraph=True)
print(*function(torch.tensor([-1.0, 2.0])).tolist(), watches())
"""


def test_the_compiler_is_not_imported_for_it():
    """It is told when it is imported, or at once where it is there; then nobody watches imports."""
    assert ["False", "1", "0.0", "2.0", "0"] == run(BEGIN.format(first=""))
    assert ["True", "0", "0.0", "2.0", "0"] == run(BEGIN.format(first="import torch._dynamo"))


class Finder:
    """A finder that knows one module, which takes another loader."""

    def __init__(self, loader):
        self.loader = loader

    def find_spec(self, name, path=None, target=None):
        """Return the spec of what it loads."""
        return ModuleSpec(name, self.loader)


class Loader:
    """A loader that may fail."""

    def __init__(self):
        self.fails = True

    def exec_module(self, module):
        """Execute it."""
        if self.fails:
            raise ImportError(module)


def test_an_import_that_fails_is_waited_for_again(monkeypatch):
    """The compiler is told once: after the import that succeeds; other imports are left alone."""
    told = []
    monkeypatch.setattr(_compiled, "_tell", told.append)
    watch, loader = _compiled._Watch({}), Loader()
    monkeypatch.setattr(sys, "meta_path", [watch, Finder(loader)])
    assert watch.find_spec("torch") is None
    with pytest.raises(ImportError):
        watch.find_spec("torch._dynamo").loader.exec_module(None)
    assert ([], True) == (told, watch in sys.meta_path)
    loader.fails = False
    watch.find_spec("torch._dynamo").loader.exec_module(None)
    assert ([{}], False) == (told, watch in sys.meta_path)
    assert watch.find_spec("torch._dynamo") is None
    sys.meta_path[:] = [watch]
    assert watch.find_spec("torch._dynamo") is None
