"""What batches of rows become, by version, and what is left to the original."""

from __future__ import annotations

import copy
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

import shimhub

pytest.importorskip("torch", reason="needs torch and transformers")
pytest.importorskip("transformers", reason="needs transformers")

HERE = Path(__file__).parent
CASES = runpy.run_path(str(HERE.parents[1] / "_cases.py"))
NEW = {"mask": "removed", "positions": "range"}
PAIR = [
    {"input_ids": [5, 6, 7], "position_ids": [0, 1, 2], "labels": [-100, 6, 7]},
    {"input_ids": [8], "position_ids": [0], "labels": [8]},
]


def collate(features, parameters=NEW, side="right", tokenizer=None, call=(), **options):
    """Call the replacement, as version and collator say."""
    build = runpy.run_path(str(HERE / "shim.py"))["build"]
    told = {
        "tokenizer": tokenizer or CASES["tokenizer"](side),
        "model": None,
        "padding": True,
        "max_length": None,
        "pad_to_multiple_of": None,
        "label_pad_token_id": -100,
        "position_pad_token_id": 0,
        "return_tensors": "pt",
    }
    replacement = build(None, SimpleNamespace(parameters=parameters))
    return replacement(SimpleNamespace(**{**told, **options}), features, *call)


@pytest.mark.parametrize(
    ("side", "positions", "expected"),
    [
        ("right", "range", [0, 0, 1]),
        ("left", "range", [0, 1, 0]),
        ("right", "position_pad_token_id", [0, 0, 0]),
    ],
)
def test_positions_are_padded_as_the_version_does(side, positions, expected):
    """With a range from 0.10 on, with a number before; labels and ids as ever."""
    features = copy.deepcopy(PAIR)
    answer = collate(features, {**NEW, "positions": positions}, side)
    assert ["input_ids", "position_ids", "labels"] == list(answer)
    assert [[0, 1, 2], expected] == answer["position_ids"].tolist()
    padded = ([8, -100, -100], [-100, -100, 8])[side == "left"]
    assert [[-100, 6, 7], padded] == answer["labels"].tolist()
    assert {"input_ids": [8], "position_ids": expected, "labels": padded} == features[1]


@pytest.mark.parametrize(("mask", "is_there"), [("added", True), ("removed", False)])
def test_a_mask_is_added_up_to_0_7(mask, is_there):
    """Behind all other fields, where the tokenizer has one."""
    answer = collate(copy.deepcopy(PAIR), {**NEW, "mask": mask})
    names = ["input_ids", "position_ids", "labels"]
    assert ([*names, "attention_mask"] if is_there else names) == list(answer)
    assert not is_there or [[1, 1, 1], [1, 0, 0]] == answer["attention_mask"].tolist()


def test_a_tokenizer_without_masks():
    """From 0.8 to 0.10 the original fails; a mask that is there is like any other field."""
    tokenizer = CASES["tokenizer"]("right", ("input_ids",))
    answer = collate(copy.deepcopy(PAIR), tokenizer=tokenizer)
    assert "attention_mask" not in answer
    with pytest.raises(shimhub.Decline):
        collate(copy.deepcopy(PAIR), {**NEW, "mask": "required"}, tokenizer=tokenizer)


def test_other_fields_and_decoders():
    """Numbers of a row are tensors as torch makes them; a model shifts padded labels."""
    features = [{**one, "length": 3, "weight": [0.5, 1]} for one in copy.deepcopy(PAIR)]
    model = SimpleNamespace(prepare_decoder_input_ids_from_labels=lambda labels: labels.roll(1))
    answer = collate(features, model=model, pad_to_multiple_of=4)
    assert [3, 3] == answer["length"].tolist()
    assert [[0.5, 1.0]] * 2 == answer["weight"].tolist()
    assert "decoder_input_ids" == list(answer)[-1]
    assert (2, 4) == answer["decoder_input_ids"].shape


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({"labels": [True]}, {}),
        ({"labels": [1.5]}, {}),
        ({"labels": [2**63]}, {}),
        ({"labels": None}, {}),
        ({"input_ids": []}, {}),
        ({"attention_mask": [1, 1]}, {}),
        ({"text": "word"}, {}),
        ({}, {"padding": "max_length"}),
        ({}, {"max_length": 3}),
        ({}, {"return_tensors": "np"}),
        ({}, {"pad_to_multiple_of": 0}),
        ({}, {"label_pad_token_id": None}),
        ({}, {"sequence_parallel_degree": 2}),
        ({}, {"tokenizer": object()}),
    ],
)
def test_what_is_declined_is_left_as_it_was(change, options):
    """The original is given what the caller gave."""
    features = [{**copy.deepcopy(PAIR[1]), **change}]
    before = copy.deepcopy(features)
    with pytest.raises(shimhub.Decline):
        collate(features, **options)
    assert before == features


def test_declined_without_features_or_fields():
    """No features, no dicts, no ids, or a field that only the first one has."""
    for features in (
        [],
        [1],
        [{"labels": [1]}],
        ({"input_ids": [1]},),
        [PAIR[0], {"input_ids": [1]}],
    ):
        with pytest.raises(shimhub.Decline):
            collate(features)
