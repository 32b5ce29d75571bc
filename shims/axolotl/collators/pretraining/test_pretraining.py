"""What columns of packed documents become before they are padded."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

BUILD = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]


class Base:
    multipack_attn = True

    def __call__(self, features, return_tensors=None):
        return features


class Pretraining(Base):
    pass


Pretraining.__call__ = BUILD(None, SimpleNamespace(owner=Pretraining))
COLUMNS = {"input_ids": [[1, 2], [3]], "attention_mask": [[1, 1], [1]], "length": [2, 1]}


@pytest.mark.parametrize(("numbered", "mask"), [(True, [1, 1, 2]), (False, [1, 1, 1])])
def test_columns_are_joined(numbered, mask):
    """Into one row; masks are numbered by document where the collator says so."""
    collator = Pretraining()
    collator.multipack_attn = numbered
    (joined,) = collator(COLUMNS)
    assert {"input_ids": [1, 2, 3], "attention_mask": mask} == {
        name: row.tolist() for name, row in joined.items()
    }


def test_columns_without_masks():
    """The rest is joined, whatever the collator says of masks."""
    collator = Pretraining()
    collator.multipack_attn = None
    (joined,) = collator({"input_ids": [[1], [2]]})
    assert [1, 2] == joined["input_ids"].tolist()
