"""What bins become before they are padded: numbered masks, squashed positions."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

BUILD = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]
ROWS = [
    {"input_ids": [1, 2], "attention_mask": [1, 1], "position_ids": [0, 1], "length": 2},
    {"input_ids": [3], "position_ids": [0]},
    {"input_ids": [4], "attention_mask": [1], "position_ids": [0]},
]


def packed(squashes, asked):
    """Return what the next class is given."""

    class Base:
        squash_position_ids = asked

        def __call__(self, features, return_tensors=None):
            return features

    class Packed(Base):
        pass

    ctx = SimpleNamespace(owner=Packed, parameters={"squashes": squashes})
    Packed.__call__ = BUILD(None, ctx)
    return Packed()([ROWS])[0]


def test_masks_are_numbered_by_feature():
    """Also where one in the middle has none."""
    joined = packed(squashes=True, asked=False)
    assert [1, 1, 3] == joined["attention_mask"].tolist()
    assert [1, 2, 3, 4] == joined["input_ids"].tolist()
    assert "length" not in joined


@pytest.mark.parametrize(
    ("squashes", "asked", "expected"),
    [
        (True, True, [0, 1, 2, 3]),
        (True, False, [0, 1, 0, 0]),
        (False, True, [0, 1, 0, 0]),
    ],
)
def test_positions_are_squashed_from_0_12_on(squashes, asked, expected):
    """Where the collator asks for it."""
    assert expected == packed(squashes, asked)["position_ids"].tolist()
