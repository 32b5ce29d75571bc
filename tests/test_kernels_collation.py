"""Batches of several fields: the library against the reference, axolotl and transformers."""

from __future__ import annotations

import collections
import copy
import enum
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import Field, _loading, padding
from shimhub.kernels._reference import padding as reference

DEFAULTS = {"length": None, "multiple_of": None, "side": "right", "out": None, "bins": False}
CAUSAL = {"input_ids": 7, "attention_mask": 0, "labels": -100}
FIELDS = (
    Field("input_ids", 7),
    Field("attention_mask", ones_for="input_ids"),
    Field("position_ids", "range", optional=True),
    Field("labels", -100, optional=True),
)


@pytest.fixture(params=["library", "reference"])
def _either_way(request, monkeypatch):
    """Run the test with the library, and without."""
    if request.param == "reference":
        monkeypatch.setattr(_loading, "load", lambda: "turned off by the test")


both = pytest.mark.usefixtures("_either_way")


def outcome(call, *arguments, **options):
    """Return what a call answers, or how it fails."""
    try:
        answer = call(*arguments, **options)
    except (ValueError, TypeError, OverflowError) as error:
        return type(error), str(error)
    return [(name, one.dtype, one.tolist()) for name, one in answer.items()]


def batch(*lengths, labels=None):
    """Return features as a causal data set has them."""
    found = []
    for number, length in enumerate(lengths):
        ids = list(range(100 * number + 1, 100 * number + length + 1))
        count = length if labels is None else labels[number]
        found.append(
            {
                "input_ids": ids,
                "attention_mask": [1] * length,
                "position_ids": list(range(length)),
                "labels": [-100, *range(count)][:count],
            }
        )
    return found


TOKENS = st.lists(st.integers(0, 50000), max_size=9)
OPTIONS = st.fixed_dictionaries(
    {"side": st.sampled_from(["right", "left"])},
    optional={"length": st.integers(0, 12), "multiple_of": st.integers(1, 9)},
)


@st.composite
def batches(draw):
    """Draw features that agree on their fields, or do not, with rows of several kinds."""
    kind = draw(st.sampled_from([list, tuple, np.array, lambda ids: np.array(ids, np.int32)]))
    names = draw(st.sets(st.sampled_from(["attention_mask", "position_ids", "labels", "more"])))
    rows = draw(st.lists(TOKENS.map(lambda ids: [kind(ids), len(ids)]), max_size=5))
    return [
        {"input_ids": ids, **{name: kind([1] * length) for name in sorted(names)}}
        for ids, length in rows
        if not isinstance(ids, np.ndarray) or ids.dtype.kind == "i"
    ]


@given(batches(), OPTIONS)
def test_batches_are_those_of_the_reference(features, options):
    """Fields that are there, made or left out; lists, tuples and arrays; all options."""
    before = copy.deepcopy(features)
    found = outcome(kernels.collate, features, FIELDS, **options)
    assert outcome(reference.collate, features, FIELDS, **{**DEFAULTS, **options}) == found
    assert str(before) == str(features)


@given(st.lists(st.lists(TOKENS, max_size=3), max_size=4), st.booleans(), OPTIONS)
def test_bins_are_those_of_the_reference(ids, has_mask, options):
    """Rows of several features each, numbered masks, and bins without features."""
    fields = (
        Field("input_ids", 7),
        Field("attention_mask", ones_for="input_ids", numbered=True),
        Field("position_ids", "range", np.int32, optional=True),
    )
    bins = [[{"input_ids": one} for one in row] for row in ids]
    for feature in (feature for row in bins for feature in row if has_mask):
        feature["attention_mask"] = [1] * len(feature["input_ids"])
        feature["position_ids"] = np.arange(len(feature["input_ids"]))
    found = outcome(kernels.collate, bins, fields, bins=True, **options)
    options = {**DEFAULTS, **options, "bins": True}
    assert outcome(reference.collate, bins, fields, **options) == found


@both
def test_a_mapping_makes_the_mask_that_is_missing():
    """attention_mask counts input_ids wherever it stands; other fields must be there."""
    features = [{"input_ids": [5, 6]}, {"input_ids": [5]}]
    for fields in ({"input_ids": 7, "attention_mask": 0}, {"attention_mask": 0, "input_ids": 7}):
        answer = kernels.collate(features, fields)
        assert list(fields) == list(answer)
        assert [[1, 1], [1, 0]] == answer["attention_mask"].tolist()
    with pytest.raises(ValueError, match=r"features\[0\]: no 'labels'"):
        kernels.collate(features, CAUSAL)
    assert ["input_ids", "attention_mask"] == list(kernels.collate(features))


@both
def test_each_field_has_its_own_length_and_dtype():
    """Labels may be longer than ids, as for encoders with decoders."""
    fields = [Field("input_ids", 7, np.int32), Field("labels", 0.5, float), Field("flags", 1, bool)]
    features = [{"input_ids": [1], "labels": [1.5, 2], "flags": [True, False, 0]}] * 2
    answer = kernels.collate(features, fields, multiple_of=2)
    assert ["int32", "float64", "bool"] == [str(one.dtype) for one in answer.values()]
    assert [[1, 7]] * 2 == answer["input_ids"].tolist()
    assert [[1.5, 2.0]] * 2 == answer["labels"].tolist()
    assert [[True, False, False, True]] * 2 == answer["flags"].tolist()


@both
def test_features_in_other_shapes():
    """A dict of rows, mappings that are no dicts, tuples, matrices; and nothing at all."""
    features = batch(3, 2)
    expected = outcome(kernels.collate, features, FIELDS)
    columns = {name: [feature[name] for feature in features] for name in features[0]}
    mappings = tuple(collections.UserDict(feature) for feature in features)
    assert expected == outcome(kernels.collate, columns, FIELDS)
    assert expected == outcome(kernels.collate, collections.UserDict(columns), FIELDS)
    assert expected == outcome(kernels.collate, mappings, list(FIELDS))
    matrix = {"input_ids": np.array([[1, 2], [3, 4]])}
    assert [[1, 2], [3, 4]] == kernels.collate(matrix)["input_ids"].tolist()
    assert ["input_ids", "attention_mask"] == list(kernels.collate([]))
    assert (0, 8) == kernels.collate([], length=8)["input_ids"].shape


@both
@pytest.mark.parametrize(
    ("features", "options", "error", "text"),
    [
        ([{"input_ids": [1, 2.5]}], {}, TypeError, "features[0]['input_ids'][1]: expected an int"),
        ([{"input_ids": [1]}, {}], {}, ValueError, "features[1]: no 'input_ids'"),
        ([{"input_ids": None}], {}, TypeError, "features[0]['input_ids']: expected a list"),
        ([{"input_ids": [1]}, [1]], {}, TypeError, "features[1]: expected a mapping of names"),
        ([{"input_ids": [1], "labels": None}], {}, TypeError, "features[0]['labels']: expected"),
        (
            *([{"input_ids": [1], "attention_mask": [1, 1]}], {}),
            *(ValueError, "features[0]['attention_mask']: 2 items, and 'input_ids' has 1"),
        ),
        ([{"input_ids": [1] * 3}], {"length": 2}, ValueError, "features[0]['input_ids']: 3 items"),
        ({"input_ids": [[1], [2**70]]}, {}, OverflowError, "features['input_ids'][1][0]: 118059"),
        ({"input_ids": [[1]], "labels": []}, {}, ValueError, "rows"),
        ({"labels": [[1]]}, {}, ValueError, "features: no 'input_ids'"),
        (3, {}, TypeError, "features: expected a list of mappings, got int"),
        ([[{"input_ids": [1, "2"]}]], {"bins": True}, TypeError, "features[0][0]['input_ids'][1]"),
        (
            [[{"input_ids": [1]}, 5]],
            {"bins": True},
            TypeError,
            "features[0][1]: expected a mapping",
        ),
        ([{"input_ids": [1]}], {"bins": True}, TypeError, "features[0]: expected a list of mapp"),
        ([[{"input_ids": [1]}, {}]], {"bins": True}, ValueError, "features[0][1]: no 'input_ids'"),
        ({"input_ids": [[1]]}, {"bins": True}, TypeError, "features: expected a list of mappings"),
        (
            *([[{"input_ids": [1]}, {"input_ids": [2, 3]}]], {"bins": True, "length": 2}),
            *(ValueError, "features[0]: 3 items of 'input_ids' are more than length 2"),
        ),
    ],
)
def test_bad_features_are_named(features, options, error, text):
    """The error says which feature, which field and which item."""
    with pytest.raises(error) as caught:
        kernels.collate(features, FIELDS, **options)
    assert text in str(caught.value)


@both
@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({}, ValueError, "fields: expected at least one field"),
        ((), ValueError, "fields: expected at least one field"),
        ({1: 0}, TypeError, "fields: expected names that are str, got 1"),
        ({"input_ids": 0.5}, TypeError, "value of field 'input_ids': expected an int or 'range'"),
        ({"input_ids": 2**63}, OverflowError, "value of field 'input_ids': 9223372036854775808"),
        ([Field("a"), Field("a")], ValueError, "fields: expected each name once, got 'a'"),
        ([Field("a", ones_for="b")], ValueError, "ones_for: expected the name of an earlier field"),
        ([Field("a", 0, "int8")], TypeError, "dtype: expected int32, int64, uint8"),
        ([Field("a", 0, float, numbered=True)], TypeError, "fields: expected an integer dtype"),
    ],
)
def test_bad_fields_are_named(fields, error, text):
    """What is wrong with a description is told before any feature is looked at."""
    with pytest.raises(error) as caught:
        kernels.collate([{"a": [1]}], fields)
    assert text in str(caught.value)


def test_numbers_that_do_not_fit_their_factor():
    """A numbered mask that is no mask may overflow: an error with its place."""
    fields = [Field("a", 0, np.uint8, numbered=True)]
    bins = [[{"a": [200]}, {"a": [1, 128]}]]
    with pytest.raises(OverflowError, match=r"features\[0\]\[1\]\['a'\]\[1\]: 2 times its value"):
        kernels.collate(bins, fields, bins=True)
    assert [[200, 2]] == kernels.collate([[{"a": [200]}, {"a": [1]}]], fields, bins=True)[
        "a"
    ].tolist()


@both
@pytest.mark.parametrize(
    ("row", "text"),
    [
        ([1, True], "['x'][1]: expected an int, got bool"),
        ([1, np.int64(2)], "['x'][1]: expected an int, got int64"),
        ([enum.IntEnum("Ids", "A").A], "['x'][0]: expected an int, got Ids"),
        (np.array([True]), "['x']: bool numbers do not go into int64"),
        (np.array([1], np.uint64), "['x']: uint64 numbers do not go into int64"),
        (np.array([1.0]), "['x']: float64 numbers do not go into int64"),
    ],
)
def test_strict_fields_take_integers_alone(row, text):
    """What torch would not make int64 of, or only beside other numbers, is refused."""
    fields = [Field("x", -100, strict=True)]
    with pytest.raises(TypeError) as caught:
        kernels.collate([{"x": row}], fields)
    assert f"features[0]{text}" == str(caught.value)
    with pytest.raises(TypeError, match="expected int64 where strict"):
        kernels.collate([], [Field("x", dtype=np.int32, strict=True)])


@both
def test_strict_fields_keep_integers():
    """Of any size that int64 has, from lists, arrays of all its types, and into the caller's."""
    fields = [Field("x", -100, strict=True)]
    rows = [[0, -1, 2**63 - 1, -(2**63), 2**31], *(np.array([7], kind) for kind in "bhilqBHI")]
    expected = [[*rows[0]], *([7, *[-100] * 4] for _ in rows[1:])]
    features = [{"x": row} for row in rows]
    out = np.zeros((len(rows), 5), np.int64)
    assert expected == kernels.collate(features, fields)["x"].tolist()
    assert expected == kernels.collate(features, fields, out={"x": out})["x"].tolist()
    with pytest.raises(OverflowError):
        kernels.collate([{"x": [2**63]}], fields)


@both
def test_strict_columns():
    """Arrow's integers are taken, its booleans are not."""
    pa = pytest.importorskip("pyarrow")
    fields = [Field("x", strict=True)]
    assert [[5]] == kernels.collate(pa.table({"x": [[5]]}), fields)["x"].tolist()
    with pytest.raises(TypeError, match="bool numbers do not go into int64"):
        kernels.collate(pa.table({"x": [[True]]}), fields)


# ---- memory of the caller ------------------------------------------------------------------------


@both
def test_out_is_written_for_all_fields_or_none():
    """Fields that are right stay untouched where a later one is wrong."""
    features = batch(3, 2)
    expected = outcome(kernels.collate, features, FIELDS)
    out = {name: np.full((2, 3), 77) for name in features[0]}
    answer = kernels.collate(features, FIELDS, out=out)
    assert all(answer[name] is out[name] for name in out)
    assert expected == outcome(kernels.collate, features, FIELDS, out=out)
    for wrong in ([1, None], [1, 2.5], [1, 2**70]):
        out = {name: np.full((2, 3), 77) for name in features[0]}
        features[1]["labels"] = wrong
        assert outcome(kernels.collate, features, FIELDS, out=out)[0] in (TypeError, OverflowError)
        assert {77} == {item for one in out.values() for item in one.ravel()}


@both
def test_out_must_have_all_fields():
    """A field without memory, or with the wrong one, is named."""
    out = {"input_ids": np.zeros((1, 2), np.int64)}
    with pytest.raises(ValueError, match=r"out\['attention_mask'\]: there is none"):
        kernels.collate([{"input_ids": [1]}], out=out)
    out["attention_mask"] = np.zeros(2, np.int64)
    with pytest.raises(ValueError, match=r"out\['attention_mask'\]: expected 2-D, got 1-D"):
        kernels.collate([{"input_ids": [1]}], out=out)


# ---- columns -------------------------------------------------------------------------------------


@settings(deadline=None)  # the first example imports pyarrow
@given(st.lists(TOKENS, max_size=6), st.booleans(), st.integers(0, 6), OPTIONS)
def test_tables_are_lists_of_features(ids, has_mask, cut, options):
    """Record batches, tables in chunks and dicts of columns give what their rows give."""
    pa = pytest.importorskip("pyarrow")
    rows = [{"input_ids": row, "labels": row[::-1], "text": "x"} for row in ids]
    for row in rows if has_mask else ():
        row["attention_mask"] = [1] * len(row["input_ids"])
    kinds = [(name, pa.list_(pa.int32())) for name in (rows[0] if rows else ()) if name != "text"]
    kinds = kinds or [("input_ids", pa.list_(pa.int64())), ("labels", pa.list_(pa.int64()))]
    record = pa.RecordBatch.from_pylist(rows, schema=pa.schema([*kinds, ("text", pa.string())]))
    parts = pa.Table.from_batches([record[:cut], record[cut:]])
    columns = {name: record.column(name) for name, _kind in kinds}
    expected = outcome(kernels.collate, rows, FIELDS, **options)
    if rows:
        for table in (record, parts, columns):
            found = outcome(kernels.collate, table, FIELDS, **options)
            same_kind = found if isinstance(expected, list) else found[0]
            assert (expected if isinstance(expected, list) else expected[0]) == same_kind
            full = {**DEFAULTS, **options}
            assert outcome(reference.collate, table, FIELDS, **full)[0] == found[0]


@both
def test_bad_columns_are_named():
    """The column, the row and the item; and columns that are not there, or of other lengths."""
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match=r"features\['labels'\]\[1\]\[0\]: it is null"):
        kernels.collate(pa.table({"input_ids": [[1], [2]], "labels": [[1], [None]]}))
    with pytest.raises(ValueError, match=r"features: no 'input_ids'"):
        kernels.collate(pa.table({"labels": [[1], [2]]}))
    with pytest.raises(TypeError, match=r"features\['labels'\]: expected lists of numbers"):
        kernels.collate(pa.table({"input_ids": [[1], [2]], "labels": ["a", "b"]}))
    with pytest.raises(ValueError, match="rows"):
        kernels.collate({"input_ids": pa.array([[1]]), "labels": pa.array([[1], [2]])})
    table = pa.table({"input_ids": [[1], [2]], "attention_mask": [[1], [1, 1]]})
    with pytest.raises(ValueError, match=r"features\['attention_mask'\]\[1\]"):
        kernels.collate(table)


@both
def test_columns_into_out():
    """A table's fields go into the caller's memory, all or none."""
    pa = pytest.importorskip("pyarrow")
    out = {name: np.full((2, 2), 77) for name in ("input_ids", "attention_mask", "labels")}
    good = pa.table({"input_ids": [[1, 2], [3]], "labels": [[4], [5, 6]]})
    kernels.collate(good, CAUSAL, out=out)
    assert [[1, 1], [1, 0]] == out["attention_mask"].tolist()
    assert [[4, -100], [5, 6]] == out["labels"].tolist()
    bad = pa.table({"input_ids": [[8, 8], [8]], "labels": [[8], [8, None]]})
    with pytest.raises(ValueError, match="it is null"):
        kernels.collate(bad, CAUSAL, out=out)
    assert [[1, 2], [3, 7]] == out["input_ids"].tolist()


def test_ragged_fields():
    """Ragged columns need no Arrow."""
    columns = {"input_ids": kernels.Ragged(np.arange(3, dtype=np.uint16), np.array([0, 2, 3]))}
    answer = kernels.collate(columns, FIELDS, threads=2)
    assert [[0, 1], [2, 7]] == answer["input_ids"].tolist()
    assert [[1, 1], [1, 0]] == answer["attention_mask"].tolist()


# ---- the real collators --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer():
    """Return a tokenizer that pads with 7; no file or network is asked."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.WordLevel({"[UNK]": 0, "[PAD]": 7}, unk_token="[UNK]")
    found = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(model), pad_token="[PAD]", unk_token="[UNK]"
    )
    found.model_input_names = ["input_ids", "attention_mask"]
    return found


@pytest.fixture(scope="module")
def axolotl():
    """Return axolotl's module of collators, by its file: its package imports much more."""
    pytest.importorskip("transformers")
    for folder in map(Path, sys.path):
        file = folder / "axolotl" / "utils" / "collators" / "batching.py"
        if file.is_file():
            spec = importlib.util.spec_from_file_location("axolotl_batching", file)
            module = importlib.util.module_from_spec(spec)
            sys.modules["axolotl_batching"] = module  # dataclasses look it up
            spec.loader.exec_module(module)
            return module
    return pytest.skip("axolotl is not installed")


def values_of(answer):
    """Return tensors or arrays as lists, by name in order of names."""
    return {name: (str(one.dtype)[-5:], one.tolist()) for name, one in sorted(answer.items())}


LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=6)


@settings(deadline=None)
@given(
    LENGTHS,
    st.sampled_from(["right", "left"]),
    st.sampled_from([None, 1, 8]),
    st.sets(st.sampled_from(["attention_mask", "position_ids", "labels"])),
    st.booleans(),
)
def test_axolotl_s_collator(tokenizer, axolotl, lengths, side, multiple_of, without, arrays):
    """Value for value what axolotl's collator makes of any fields, from lists and arrays."""
    features = [
        {
            name: np.array(row) if arrays else row
            for name, row in feature.items()
            if name not in without
        }
        for feature in batch(*lengths)
    ]
    tokenizer.padding_side = side
    collator = axolotl.DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=multiple_of)
    expected = values_of(collator(copy.deepcopy(features)))
    fields = [field for field in FIELDS if field.name in features[0]]
    found = kernels.collate(features, fields, side=side, multiple_of=multiple_of)
    assert expected == values_of(found)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), min_size=1, max_size=6),
    st.sampled_from(["right", "left"]),
    st.sampled_from([None, 1, 8]),
    st.booleans(),
)
def test_transformers_collator(tokenizer, pairs, side, multiple_of, has_mask):
    """Value for value what transformers' collator makes; labels have their own length."""
    transformers = pytest.importorskip("transformers")
    lengths, labels = zip(*pairs, strict=True)
    features = batch(*lengths, labels=labels)
    for feature in features:
        del feature["position_ids"]
        if not has_mask:
            del feature["attention_mask"]
    tokenizer.padding_side = side
    collator = transformers.DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=multiple_of)
    expected = values_of(collator(copy.deepcopy(features)))
    assert expected == values_of(
        kernels.collate(features, CAUSAL, side=side, multiple_of=multiple_of)
    )


@settings(deadline=None)
@given(st.lists(LENGTHS, min_size=1, max_size=3), st.sampled_from([None, 8]), st.booleans())
def test_axolotl_s_collators_of_bins(tokenizer, axolotl, bins, multiple_of, numbered):
    """Packed sequences: joined rows, and masks that are numbered in the second version."""
    features = [batch(*lengths) for lengths in bins]
    tokenizer.padding_side = "right"
    version = "V2BatchSampler" if numbered else "BatchSampler"
    kind = getattr(axolotl, f"{version}DataCollatorForSeq2Seq")
    expected = kind(tokenizer, pad_to_multiple_of=multiple_of)(copy.deepcopy(features))
    fields = [field._replace(numbered=numbered and "mask" in field.name) for field in FIELDS]
    found = kernels.collate(features, fields, multiple_of=multiple_of, bins=True)
    assert values_of(expected) == values_of(found)


def test_features_are_not_changed():
    """Unlike axolotl's, this collator leaves features as they were."""
    features = batch(3, 1)
    before = copy.deepcopy(features)
    kernels.collate(features)
    assert before == features


def test_without_the_library():
    """SHIMHUB_NATIVE=0 gives the same answer, by NumPy."""
    code = (
        "from shimhub import kernels;"
        "print(kernels.available(), {name: one.tolist() for name, one in"
        " kernels.collate([{'input_ids': [5, 6]}, {'input_ids': [7]}]).items()})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"SHIMHUB_NATIVE": "0", "PYTHONPATH": str(Path(kernels.__file__).parents[2])},
    )
    expected = {"input_ids": [[5, 6], [7, 0]], "attention_mask": [[1, 1], [1, 0]]}
    assert f"False {expected}\n" == done.stdout


def test_default_fields_are_those_of_causal_models():
    """The public description may be read, and made from."""
    assert [
        ("input_ids", 0),
        ("attention_mask", 0),
        ("position_ids", "range"),
        ("labels", -100),
    ] == [field[:2] for field in padding.FIELDS]


def in_both(features, *fields, **options):
    """Collate by the library, and check that the fallback does the same."""
    found = outcome(kernels.collate, features, *fields, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_loading, "load", lambda: "turned off by the test")
        assert outcome(kernels.collate, features, *fields, **options) == found
    return found


class Pairs:
    """What dict() would take, and no more of a mapping."""

    def __init__(self, **pairs):
        self.pairs = pairs
        self.keys = pairs.keys

    def __getitem__(self, name):
        return self.pairs[name]

    def __contains__(self, name):
        return name in self.pairs


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((None,), {}, "features: expected a list of mappings, got NoneType"),
        ((3,), {}, "features: expected a list of mappings, got int"),
        (("text",), {}, "features: expected a list of mappings, got str"),
        ((np.zeros(3),), {}, "features: expected a list of mappings, got ndarray"),
        ((["text"],), {}, "features[0]: expected a mapping of names to rows, got str"),
        (([np.zeros(3)],), {}, "features[0]: expected a mapping of names to rows, got ndarray"),
        (([], None), {}, "fields: expected Fields or a mapping, got None"),
        (([], "text"), {}, "fields: expected Fields or a mapping, got 'text'"),
        (([], ["x"]), {}, "fields: expected Fields or a mapping, got 'x'"),
        (([], {"x": 0}), {"out": 3}, "out: expected a mapping of names to arrays, got int"),
        (({"x": [[1]]}, {"x": 0}), {"bins": True}, "features: expected a list of mappings, got"),
    ],
)
def test_what_is_no_batch_is_named(arguments, options, words):
    """The same TypeError in both, which says what it is about."""
    kind, text = in_both(*arguments, **options)
    assert kind is TypeError
    assert text.startswith(words)


def test_which_out_is_wrong_is_said():
    """By the name of its field."""
    features = [{"a": [1], "b": [2]}]
    good = np.zeros((1, 1), np.int64)
    for bad, words in (
        (np.zeros((1, 1), np.int32), "out['b']: expected dtype int64, got int32"),
        (np.zeros((2, 1), np.int64), "out['b']: expected 1 rows, got 2"),
        (np.zeros((1, 3), np.int64), "out['b']: expected a length of 1, got 3"),
    ):
        found = in_both(features, {"a": 0, "b": 0}, out={"a": good, "b": bad}, length=1)
        assert found[1] == words


def test_a_mask_of_a_later_field_is_refused():
    """In both; a mapping is in no order."""
    fields = [Field("mask", ones_for="x"), Field("x")]
    kind, text = in_both([{"x": [1]}], fields)
    assert kind is ValueError
    assert text.startswith("ones_for: expected the name of an earlier field, got 'x'")
    mapping = {"attention_mask": 0, "input_ids": 0}
    assert in_both([{"input_ids": [5]}], mapping)[0][2] == [[1]]


def test_mappings_are_what_dict_takes():
    """Features need keys() and items; a dict's class is not asked for."""
    assert in_both([Pairs(x=[1])], {"x": 0})[0][2] == [[1]]
    assert in_both(Pairs(x=[[1], [2, 3]]), {"x": 0})[0][2] == [[1, 0], [2, 3]]


def test_columns_are_no_bins():
    """A table has no bins, and says so in both."""
    pa = pytest.importorskip("pyarrow")
    kind, text = in_both(pa.table({"x": [[1]]}), {"x": 0}, bins=True)
    assert kind is TypeError
    assert text.startswith("features: expected a list of mappings, got Table")
