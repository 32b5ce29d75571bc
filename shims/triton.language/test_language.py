"""What kernel definitions take from `triton.language`."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

tl = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("module.py"))))


def test_types_are_values() -> None:
    """Types compare and hash by name, print as in the real package, and make pointer types."""
    assert tl.float32 == tl.dtype("float32")
    assert tl.float32 != tl.float16
    assert "triton.language.float32" == repr(tl.float32)
    assert tl.pointer_type(tl.int32) == tl.pointer_type(tl.int32)
    assert 2 == len({tl.int32, tl.dtype("int32"), tl.int64})


def test_constexpr_holds_its_value() -> None:
    """`constexpr` is an annotation and a box, and a box of a box holds the value."""
    assert 3 == tl.constexpr(tl.constexpr(3)).value
    assert "constexpr[3]" == repr(tl.constexpr(3))


def test_operations_raise_the_cure() -> None:
    """An operation called outside of a compiled kernel says what to do."""
    for operation in (tl.load, tl.store, tl.arange, tl.sigmoid, tl.tensor):
        with pytest.raises(NotImplementedError, match="pip install triton"):
            operation(0)


def test_every_public_name_is_there() -> None:
    """`__all__` tells names that exist, each once."""
    assert len(tl.__all__) == len(set(tl.__all__))
    assert all(hasattr(tl, name) for name in tl.__all__)
