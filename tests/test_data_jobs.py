"""Statistics, tokenizing and packing: each against what pyarrow, tokenizers or kernels answer."""

from __future__ import annotations

import datetime as dt
import decimal
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow")
pc = pytest.importorskip("pyarrow.compute")
tokenizers = pytest.importorskip("tokenizers")

from shimhub.data import DataError, _choices, _packs, _tokens  # noqa: E402
from shimhub.data._sketches import Distinct, Lengths  # noqa: E402
from shimhub.data._summaries import Summary, hashes_of  # noqa: E402
from shimhub.kernels import pack_multipack  # noqa: E402
from shimhub.kernels.packing_tables import pack_table  # noqa: E402

# ---- sketches

few_lengths = st.lists(st.integers(0, 5000), max_size=60)


@given(few_lengths, st.integers(0, 60))
def test_lengths_merge_as_if_they_were_one(lengths, cut):
    """Any split of the values into two gives the same sketch, by way of JSON too."""
    whole, left, right = Lengths(), Lengths(), Lengths()
    whole.add(np.array(lengths, np.int64))
    left.add(np.array(lengths[:cut], np.int64))
    right.add(np.array(lengths[cut:], np.int64))
    left.merge(Lengths.read(json.loads(json.dumps(right.told()))))
    assert whole.told() == left.told()


@given(st.lists(st.integers(0, 1 << 40), min_size=1), st.floats(0.01, 1))
def test_quantiles_are_within_one_part_in_1024(lengths, part):
    """A quantile is that of the sorted values, or the lower end of its step."""
    sketch = Lengths()
    sketch.add(np.array(lengths, np.int64))
    exact = int(np.quantile(np.array(lengths), part, method="inverted_cdf"))
    assert exact * (1 - 1 / 1024) <= sketch.quantile(part) <= exact
    assert (min(lengths), max(lengths), sum(lengths)) == (sketch.least, sketch.most, sketch.total)


@given(st.lists(st.integers(0, 2047), min_size=1), st.floats(0.01, 1))
def test_short_quantiles_are_exact(lengths, part):
    """Below 2048 each length has a step of its own."""
    sketch = Lengths()
    sketch.add(np.array(lengths, np.int64))
    assert np.quantile(np.array(lengths), part, method="inverted_cdf") == sketch.quantile(part)


def test_a_sketch_of_nothing_tells_nothing():
    """No quantile, no mean, no least length."""
    sketch = Lengths()
    sketch.add(np.zeros(0, np.int64))
    assert (None, None, None, 0) == (
        sketch.quantile(0.5),
        sketch.mean,
        sketch.least,
        sketch.count,
    )


@pytest.mark.parametrize("count", [0, 1, 1000, 16_383])
def test_few_distinct_values_are_counted(count):
    """Below 16,384 distinct values the estimate is a count, however often each comes."""
    rows = pa.array([f"value {i % count}" for i in range(2 * count)], pa.string())
    sketch = Distinct()
    sketch.add(hashes_of(rows))
    assert (True, count) == (sketch.is_exact, sketch.estimate())


@pytest.mark.parametrize("count", [20_000, 300_000])
def test_many_distinct_values_are_estimated(count):
    """Above, it is within three standard errors of 0.8 %, and the same for any split."""
    hashes = hashes_of(pa.array(range(count)))
    whole, parts = Distinct(), Distinct()
    whole.add(hashes)
    for part in np.array_split(hashes[::-1], 7):
        one = Distinct()
        one.add(part)
        parts.merge(Distinct.read(one.told()))
    assert (False, whole.told()) == (whole.is_exact, parts.told())
    assert 0.024 > abs(whole.estimate() / count - 1)


# ---- summaries of columns

UTC = dt.timezone.utc
COLUMNS = [
    pa.array([1, None, 2**62, 2**62]),
    pa.array([2**64 - 1] * 3, pa.uint64()),
    pa.array([-5, -(2**63), 2**63 - 1]),
    pa.array([-128, 127, None], pa.int8()),
    pa.array([1.5, float("nan"), None, float("-inf")]),
    pa.array([1.5, 2.5], pa.float16()),
    pa.array(["a", None, "bé", ""]),
    pa.array(["x", "y", "x"], pa.large_string()),
    pa.array(["x", "y", "x"], pa.string_view()),
    pa.array(["x", "y", None, "x"]).dictionary_encode(),
    pa.array([b"", b"12", None]),
    pa.array([b"ab", b"cd"], pa.binary(2)),
    pa.array([True, False, None]),
    pa.array([None, None]),
    pa.array([dt.date(2020, 1, 1), dt.date(1960, 1, 1)]),
    pa.array([dt.datetime(2020, 1, 1, tzinfo=UTC)]),
    pa.array([1_600_000_000_000_000_001], pa.timestamp("ns")),
    pa.array([dt.time(1), dt.time(2)]),
    pa.array([dt.timedelta(1), dt.timedelta(-1)]),
    pa.array([decimal.Decimal("1.23"), decimal.Decimal("-4.56")]),
    pa.array([[1], None, [1, 2], []]),
    pa.array([[1, 2], [1, 2]], pa.list_(pa.int8(), 2)),
    pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int8())),
    pa.array([{"role": "user"}, None]),
    pa.array([], pa.int8()),
]


def summary_of(*parts):
    """Return the merged summary of the parts, each by way of JSON without NaN."""
    merged = Summary(parts[0].type)
    for part in parts:
        one = Summary(part.type)
        one.add(part)
        told = json.loads(json.dumps(one.told(), allow_nan=False))
        merged.merge(Summary.read(told, part.type))
    return merged


@pytest.mark.parametrize("column", COLUMNS, ids=lambda one: str(one.type))
def test_a_summary_is_the_same_for_any_split(column):
    """Of every type: rows, nulls, sum, extremes, distinct and lengths of two parts are the whole's.

    The bytes are not: what buffers a slice has is pyarrow's own count.
    """
    for cut in range(len(column) + 1):
        split = summary_of(column[:cut], column[cut:]).told()
        assert summary_of(column).told() | {"bytes": 0} == split | {"bytes": 0}


@pytest.mark.parametrize("column", COLUMNS, ids=lambda one: str(one.type))
def test_a_summary_is_what_pyarrow_counts(column):
    """Rows, nulls, extremes and the count of distinct values are those of pyarrow.compute."""
    found = summary_of(column)
    assert (len(column), column.null_count) == (found.rows, found.nulls)
    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    if pa.types.is_float16(column.type):
        plain = column.cast(pa.float32())
    if not (pa.types.is_nested(column.type) or pa.types.is_string_view(column.type)):
        assert len(plain.drop_null().unique()) == found.distinct.estimate()
    if found.extremes is not None and not pa.types.is_duration(column.type):
        told = pc.min_max(plain if plain.type != pa.string_view() else plain.cast(pa.string()))
        assert [told["min"].as_py(), told["max"].as_py()] == found.extremes.to_pylist()


def test_sums_of_integers_are_exact():
    """They do not wrap at 64 bits, as pyarrow's do."""
    assert 3 * (2**64 - 1) == summary_of(pa.array([2**64 - 1] * 3, pa.uint64())).total
    assert -(2**63) * 2 + 1 == summary_of(pa.array([-(2**63), -(2**63), 1])).total


def test_a_union_has_no_count_of_distinct_values():
    """What has no canonical encoding is told as unknown, in a merged summary too."""
    union = pa.UnionArray.from_sparse(
        pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]
    )
    assert summary_of(union).distinct is None
    assert (2, None) == (summary_of(union, union).nulls + 2, summary_of(union, union).distinct)


# ---- packing of one table


def tables(most=40, length=30):
    """Draw tables of two columns of lists that agree on lengths."""
    rows = st.lists(st.lists(st.integers(0, 99), max_size=length), max_size=most)
    return rows.map(
        lambda lists: pa.table(
            {
                "input_ids": pa.array(lists, pa.list_(pa.int32())),
                "labels": pa.array([[-one for one in row] for row in lists], pa.list_(pa.int64())),
            }
        )
    )


@given(
    tables(),
    st.integers(1, 40),
    st.sampled_from(sorted(set(_choices.STRATEGIES) - {"multipack"})),
    st.sampled_from(_choices.OVERLONG[1:]),
)
def test_packed_rows_are_those_of_pack_table(table, length, strategy, overlong):
    """Columns are those of kernels' pack_table; position ids restart with each sequence."""
    recipe = _packs.Recipe(length, strategy, overlong, cu_seqlens=True)
    made, tally = _packs.packed(table, recipe)
    named = _choices.STRATEGIES[strategy]
    expected = pack_table(table, length, strategy=named, overlong=overlong)
    assert expected.equals(made.select(expected.column_names))
    for row in made.to_pylist() if strategy != "wrapped" else ():
        sizes = row["seq_lengths"]
        assert [i for size in sizes for i in range(size)] == row["position_ids"]
        assert [sum(sizes[:i]) for i in range(len(sizes) + 1)] == row["cu_seqlens"]
    _is_tallied(table, made, tally)


def _is_tallied(table, made, tally):
    counts = [len(row) for row in table.column("input_ids").to_pylist()]
    kept = [len(row) for row in made.column("input_ids").to_pylist()]
    assert (len(counts), counts.count(0), sum(counts)) == (
        tally.rows,
        tally.empty,
        tally.lost + tally.tokens,
    )
    assert (len(kept), sum(kept)) == (tally.bins, tally.tokens)


@given(tables(), st.integers(1, 40), st.sampled_from(_choices.OVERLONG[1:]))
def test_multipack_has_the_bins_of_multipack(table, length, overlong):
    """Rows within the length are in the bins of pack_multipack; all tokens are kept or told."""
    made, tally = _packs.packed(table, _packs.Recipe(length, "multipack", overlong))
    _is_tallied(table, made, tally)
    rows = table.column("input_ids").to_pylist()
    cut = {
        "truncate": [row[:length] for row in rows if row],
        "drop": [row for row in rows if 0 < len(row) <= length],
        "split": [row[i : i + length] for row in rows for i in range(0, len(row), length)],
    }[overlong]
    bins = pack_multipack([len(row) for row in cut], length).tolist()
    assert [[one for i in items for one in cut[i]] for items in bins] == (
        made.column("input_ids").to_pylist()
    )


@given(tables(length=10), st.integers(10, 40))
def test_padded_rows_have_one_length(table, length):
    """Each column is filled up with its own value, and keeps its type."""
    pad = {"input_ids": 7, "labels": -100, "position_ids": 0}
    made, _ = _packs.packed(table, _packs.Recipe(length, pad=pad))
    plain, _ = _packs.packed(table, _packs.Recipe(length))
    for name, value in pad.items():
        rows = plain.column(name).to_pylist()
        padded = [row + [value] * (length - len(row)) for row in rows]
        assert padded == made.column(name).to_pylist()
        assert plain.column(name).type == made.column(name).type


@pytest.mark.parametrize("strategy", ["bfd", "multipack"])
def test_an_overlong_row_is_an_error_that_names_it(strategy):
    """Where it is not said what becomes of it."""
    table = pa.table({"input_ids": [[1], [1, 2, 3]]})
    with pytest.raises(ValueError, match="row 1 has 3 values"):
        _packs.packed(table, _packs.Recipe(2, strategy))


def test_only_lists_of_integers_are_padded():
    """A padding value is an integer."""
    table = pa.table({"x": [["a"], ["b"]]})
    with pytest.raises(TypeError, match="no list of integers"):
        _packs.packed(table, _packs.Recipe(4, pad={"x": 0, "position_ids": 0}))
    with pytest.raises(TypeError, match="int64 is no list"):
        _packs.packed(pa.table({"x": [1]}), _packs.Recipe(4))


# ---- tokenizing of one batch


def trained(special=("<s>", "</s>")):
    """Return a small byte-level BPE tokenizer."""
    tok = tokenizers.Tokenizer(tokenizers.models.BPE())
    tok.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(special),
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tok.train_from_iterator(["hello world this is a text", "another text of words"] * 5, trainer)
    return tok


PLAIN = trained()
START = PLAIN.token_to_id("<s>")
END = PLAIN.token_to_id("</s>")


def framed():
    """Return the same with a template that puts <s> in front."""
    tok = tokenizers.Tokenizer.from_str(PLAIN.to_str())
    tok.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", START)]
    )
    return tok


texts = st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=8)


@given(texts)
def test_ids_are_those_of_the_tokenizer(words):
    """As Tokenizer.encode gives them one by one."""
    found = _tokens.Encoder(framed().to_str(), _tokens.Recipe()).encode(words)
    assert [framed().encode(one).ids for one in words] == found.ids
    assert (list(range(len(words))), 0, 0) == (found.texts, found.overlong, found.lost)


@given(texts, st.integers(2, 12))
@settings(max_examples=50)
def test_what_is_cut_off_is_counted(words, most):
    """Truncated rows are those of enable_truncation, and the lost tokens are counted."""
    recipe = _tokens.Recipe(max_length=most)
    found = _tokens.Encoder(framed().to_str(), recipe).encode(words)
    cutting = framed()
    cutting.enable_truncation(most)
    whole = [framed().encode(one).ids for one in words]
    assert [cutting.encode(one).ids for one in words] == found.ids
    assert sum(len(ids) > most for ids in whole) == found.overlong
    assert sum(max(0, len(ids) - most) for ids in whole) == found.lost


@given(texts, st.integers(4, 12), st.integers(0, 2))
@settings(max_examples=50)
def test_split_texts_lose_nothing(words, most, stride):
    """Each piece but the first repeats ``stride`` tokens; without these all tokens are there."""
    recipe = _tokens.Recipe(max_length=most, overlong="split", stride=stride, eos="</s>")
    found = _tokens.Encoder(PLAIN.to_str(), recipe).encode(words)
    assert all(ids[-1] == END and len(ids) <= most for ids in found.ids)
    joined = [[] for _ in words]
    for place, ids in zip(found.texts, found.ids, strict=True):
        joined[place] += ids[stride if joined[place] else 0 : -1]
    assert [PLAIN.encode(one).ids for one in words] == joined


@pytest.mark.parametrize(
    ("told", "bos", "eos", "expected"),
    [
        (PLAIN, None, None, []),
        (PLAIN, "<s>", "</s>", [START, END]),
        (framed(), "<s>", None, [START]),  # there already
        (framed(), None, "<s>", [START, START]),  # in front is not behind
    ],
)
def test_tokens_are_added_once(told, bos, eos, expected):
    """A token that the tokenizer's own template adds is not added again."""
    encoder = _tokens.Encoder(told.to_str(), _tokens.Recipe(bos=bos, eos=eos))
    assert [expected] == encoder.encode([""]).ids


def test_what_the_file_sets_of_padding_and_truncation_is_unset():
    """A tokenizer.json that truncates and pads would do so unasked."""
    tok = framed()
    tok.enable_truncation(2)
    tok.enable_padding(length=50)
    found = _tokens.Encoder(tok.to_str(), _tokens.Recipe()).encode(["hello world"])
    assert [framed().encode("hello world").ids] == found.ids


def test_overlong_texts_are_dropped_or_an_error_where_asked():
    """Dropped ones are counted with their tokens; an error names the text."""
    words = ["hello", "another text of words"]
    whole = [PLAIN.encode(one).ids for one in words]
    recipe = _tokens.Recipe(max_length=len(whole[0]), overlong="drop")
    found = _tokens.Encoder(PLAIN.to_str(), recipe).encode(words)
    assert ([whole[0]], 1, len(whole[1])) == (found.ids, found.overlong, found.lost)
    failing = _tokens.Recipe(max_length=len(whole[0]), overlong="error")
    with pytest.raises(_tokens.OverlongError, match="over max_length") as caught:
        _tokens.Encoder(PLAIN.to_str(), failing).encode(words)
    assert 1 == caught.value.place


@pytest.mark.parametrize(
    ("recipe", "part"),
    [
        (_tokens.Recipe(eos="<end>"), "no token '<end>'"),
        (_tokens.Recipe(max_length=1), "room for 0 tokens"),
        (_tokens.Recipe(max_length=3, overlong="split", stride=2), "stride is 2"),
    ],
)
def test_recipes_that_cannot_be_followed_are_errors(recipe, part):
    """They say what is wrong before a text is read."""
    with pytest.raises(DataError, match=part):
        _tokens.Encoder(framed().to_str(), recipe)


def test_what_is_no_tokenizer_is_told():
    """The message is that of tokenizers."""
    with pytest.raises(DataError, match=r"no tokenizer\.json"):
        _tokens.Encoder("{}", _tokens.Recipe())


def test_the_switch_of_tokenizers_is_put_back(monkeypatch):
    """TOKENIZERS_PARALLELISM is set while texts are encoded, unless the user has set it."""
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    with _tokens.serial():
        assert "false" == _tokens.os.environ["TOKENIZERS_PARALLELISM"]
    assert "TOKENIZERS_PARALLELISM" not in _tokens.os.environ
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    with _tokens.serial():
        assert "true" == _tokens.os.environ["TOKENIZERS_PARALLELISM"]
    assert "true" == _tokens.os.environ["TOKENIZERS_PARALLELISM"]
