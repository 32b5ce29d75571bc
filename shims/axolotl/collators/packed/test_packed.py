"""What bins become before they are padded."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

BUILD = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]


class Base:
    def __call__(self, features, return_tensors=None):
        return features, return_tensors


class Packed(Base):
    pass


Packed.__call__ = BUILD(None, SimpleNamespace(owner=Packed))
ROWS = [{"input_ids": [1, 2], "attention_mask": [1, 1], "length": 2}, {"input_ids": [3]}]


def test_rows_of_a_bin_are_joined():
    """By field, `length` left out; masks stay as they are."""
    joined, wanted = Packed()([ROWS], "np")
    assert "np" == wanted
    assert [["input_ids", "attention_mask"]] == [list(one) for one in joined]
    assert [1, 2, 3] == joined[0]["input_ids"].tolist()
    assert [1, 1] == joined[0]["attention_mask"].tolist()


def test_one_bin_needs_no_list():
    """Features themselves are a bin, and are not changed."""
    before = [dict(one) for one in ROWS]
    (joined,) = Packed()(ROWS)[0]
    assert np.dtype(np.int64) == joined["input_ids"].dtype
    assert before == ROWS
