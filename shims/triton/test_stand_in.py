"""What modules that define Triton kernels may expect of the stand-in, and what they may not."""

from __future__ import annotations

import copy
import inspect
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

triton = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("module.py"))))

KERNELS = """
import triton
import triton.language as tl

@triton.autotune(configs=[triton.Config({"BLOCK": 128}, num_warps=8)], key=["n"])
@triton.heuristics({"EVEN": lambda args: True})
@triton.jit
def scale(x_ptr, n, BLOCK: tl.constexpr, dtype: tl.dtype = tl.float32):
    '''Double x.'''
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x_ptr + offsets, tl.load(x_ptr + offsets) * 2)
"""


def _run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shimhub", "run", *options, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _kernel(x_ptr: object, n: int) -> None:
    """Stay undone."""


def test_kernel_keeps_name_signature_and_source() -> None:
    """`inspect` sees the function behind a kernel, bare `jit` and `jit(...)` alike."""
    for kernel in (triton.jit(_kernel), triton.jit(noinline=True)(_kernel)):
        assert ["x_ptr", "n"] == list(inspect.signature(kernel).parameters)
        assert kernel.__name__ == "_kernel"
        assert kernel.__doc__ == "Stay undone."
        assert "def _kernel" in inspect.getsource(kernel.fn)


def test_kernel_cannot_be_launched() -> None:
    """Every way to launch a kernel raises NotImplementedError with its name and the cure."""
    kernel = triton.jit(_kernel)
    launches = (kernel, lambda: kernel[(1,)], kernel.run, kernel.warmup)
    for launch in launches:
        with pytest.raises(NotImplementedError, match=r"_kernel.*pip install triton"):
            launch()


def test_decorators_leave_the_kernel_alone() -> None:
    """`autotune` and `heuristics` return the very kernel that they decorate."""
    kernel = triton.jit(_kernel)
    config = triton.Config({"BLOCK": 64}, num_stages=2)
    assert triton.autotune(configs=[config], key=["n"])(kernel) is kernel
    assert triton.heuristics({})(kernel) is kernel
    assert ({"BLOCK": 64}, 4, 2) == (config.kwargs, config.num_warps, config.num_stages)


def test_unknown_dunders_raise_attribute_error() -> None:
    """Copying, iterating and the like see a plain object, not one that has every name."""
    kernel = triton.jit(_kernel)
    for name in ("__len__", "__iter__", "__array__", "__torch_function__"):
        assert not hasattr(kernel, name)
    assert copy.copy(kernel).fn is _kernel


def test_arithmetic_helpers() -> None:
    """`cdiv` and `next_power_of_2` compute, since grids are made with them outside of kernels."""
    assert [0, 1, 1, 2] == [triton.cdiv(n, 4) for n in (0, 1, 4, 5)]
    assert [1, 2, 4, 4, 8] == [triton.next_power_of_2(n) for n in (1, 2, 3, 4, 5)]


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch, whose version gates the row")
def test_modules_with_kernels_import() -> None:
    """With the hub a module that defines kernels imports; without it `import triton` fails."""
    native = subprocess.run([sys.executable, "-c", KERNELS], capture_output=True, check=False)
    assert b"No module named 'triton'" in native.stderr
    told = _run(KERNELS + "print(scale.__name__, triton.__version__, hasattr(triton, 'nothing'))")
    assert ("scale 0.0.0 False\n", "") == (told.stdout, told.stderr)


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch, whose version gates the row")
def test_nothing_says_that_triton_is_installed() -> None:
    """There is no distribution metadata, and no submodule beside `triton.language`."""
    code = """
import importlib, importlib.metadata as metadata
import triton
for name in ("triton.runtime", "triton.compiler", "triton.backends"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        print(error.name)
print([name for name in metadata.packages_distributions() if name == "triton"])
"""
    expected = "triton.runtime\ntriton.compiler\ntriton.backends\n[]\n"
    assert expected == _run(code).stdout


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch, whose version gates the row")
def test_real_triton_wins(tmp_path: Path) -> None:
    """A `triton` that is installed is served, and the stand-in is not needed."""
    package = tmp_path / "triton"
    package.mkdir()
    (package / "__init__.py").write_text("__version__ = '3.7.1'\n", encoding="utf-8")
    code = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
import shimhub, triton
print(triton.__version__, shimhub.status()["triton"].status)
"""
    assert "3.7.1 NOT_NEEDED\n" == _run(code).stdout
