"""`reduce_scatter` of a list of tensors shares code and proof with that of one tensor."""

from __future__ import annotations

import inspect
import runpy
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

SHIM = Path(__file__).parent.parent / "reduce_scatter_tensor" / "shim.py"


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
@pytest.mark.parametrize("name", ["reduce_scatter", "reduce_scatter_tensor"])
def test_signature_is_the_native_one(name: str) -> None:
    """Names, order and defaults of the parameters are torch's; its ranks are tested beside."""
    from torch.distributed import distributed_c10d

    native = getattr(distributed_c10d, name)
    ctx = SimpleNamespace(module=distributed_c10d, name=name)
    ours = runpy.run_path(str(SHIM))["build"](native, ctx)
    told = [inspect.signature(one).parameters.values() for one in (native, ours)]
    plain = [[(one.name, one.default) for one in parameters] for parameters in told]
    assert plain[0] == plain[1]
