"""One build for each Python, or one abi3 build for all: what the limited API costs.

``abi.c`` is compiled here twice, with ``Py_LIMITED_API`` of CPython 3.10 and without. Over lists
the limited API has a call for each item and each number, where the full one reads fields.
"""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from tests.bench.kernels import data
from tests.bench.kernels.harness import Call, NotHere, Row

_FULL, _ABI3 = "shimhub's choice: one build for each Python", "abi3: one build for all"
_MODULES = {_FULL: "bench_full", _ABI3: "bench_abi3"}


def rows(*, small: bool) -> list[Row]:
    """Return the rows of this area: integers of lists, and bytes of short and of long texts."""
    count = 1_000 if small else 100_000
    texts = {bytes_: functools.partial(data.ascii_strings, count, bytes_) for bytes_ in (40, 1200)}
    return [_pad(64), *(_hash(count, bytes_, made) for bytes_, made in texts.items())]


@functools.cache
def _module(name: str) -> ModuleType:
    """Compile ``abi.c`` as ``name`` and import it; raises NotHere without compiler or Python.h."""
    limited = ["-DPy_LIMITED_API=0x030a0000"] if name == "bench_abi3" else []
    include = sysconfig.get_paths()["include"]
    source = Path(__file__).with_name("abi.c")
    if not Path(include, "Python.h").exists():
        raise NotHere(f"not installed (Python.h, in {include})")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, f"{name}.so")
        flags = ["-O3", "-shared", "-fPIC", *limited, f"-I{include}"]
        try:
            subprocess.run(["cc", *flags, str(source), "-o", str(built)], check=True)
        except FileNotFoundError:
            raise NotHere("not installed (cc, which compiles abi.c)") from None
        return _imported(name, built)


def _imported(name: str, built: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, built)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _pad(size: int) -> Row:
    arrays = [one.tolist() for one in data.token_arrays(size)]
    width = max(map(len, arrays))
    return Row(
        id="pad",
        title=f"Lists of int into int64, {size} rows of about 300",
        calls={
            name: functools.partial(_padding, module, arrays, width)
            for name, module in _MODULES.items()
        },
        rounds=40,
        amount=sum(map(len, arrays)) / 1e6,
        unit="M values",
    )


def _padding(module: str, arrays: list[list[int]], width: int) -> Call:
    out = np.empty((len(arrays), width), np.int64)
    pad = _module(module).pad
    return Call(pad, (arrays, out.ctypes.data, width), answer=lambda _: out.copy())


def _hash(count: int, bytes_: int, texts: Callable[[], list[str]]) -> Row:
    made = functools.cache(texts)
    return Row(
        id=f"hash {bytes_}",
        title=f"Bytes of {count:,} str of {bytes_} ASCII letters, read by a plain hash",
        calls={
            name: functools.partial(_hashing, module, made) for name, module in _MODULES.items()
        },
        rounds=15,
        amount=count * bytes_ / 1e9,
        unit="GB",
    )


def _hashing(module: str, texts: Callable[[], list[str]]) -> Call:
    return Call(_module(module).hash, (texts(),))
