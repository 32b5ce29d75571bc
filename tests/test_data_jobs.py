"""Statistics, tokenizing and packing: each against what pyarrow, tokenizers or kernels answer."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow")
pc = pytest.importorskip("pyarrow.compute")
pq = pytest.importorskip("pyarrow.parquet")
tokenizers = pytest.importorskip("tokenizers")

from shimhub import data  # noqa: E402
from shimhub.data import DataError, runners  # noqa: E402
from shimhub.data._model import FORMATS  # noqa: E402
from shimhub.data.jobs import _choices, _estimates  # noqa: E402
from shimhub.data.measuring import _packs, _tokens  # noqa: E402
from shimhub.data.measuring._sketches import Distinct, Lengths  # noqa: E402
from shimhub.data.measuring._summaries import Summary, hashes_of  # noqa: E402
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


# ---- jobs: the same for any runner


def written(folder):
    """Return the files of a folder by name, as bytes."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def rows_written(folder):
    """Return the rows of all Parquet files of a folder, by their names."""
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])


@pytest.fixture
def corpus(tmp_path):
    """Two files of texts with numbers, one of them compressed."""
    rows = [{"id": i, "text": f"hello world {i} " * (i % 9), "group": i % 3} for i in range(400)]
    lines = [json.dumps(row) + "\n" for row in rows]
    (tmp_path / "a.jsonl").write_text("".join(lines[:300]))
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.writelines(lines[300:])
    return [tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"], rows


@pytest.fixture
def tokens(tmp_path):
    """A folder of token lists that tokenize has written, in several parts."""
    rows = [
        {"input_ids": list(range(i % 40)), "labels": [-1] * (i % 40), "id": i} for i in range(500)
    ]
    for part in range(4):
        kinds = pa.schema(
            [("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(pa.int64())), ("id", "int64")]
        )
        table = pa.Table.from_pylist(rows[part * 125 : part * 125 + 125], schema=kinds)
        pq.write_table(table, tmp_path / f"{part}.parquet", row_group_size=50)
    return sorted(tmp_path.glob("*.parquet")), rows


SPREADS = [{"workers": 1}, {"workers": 2, "shards": 3}]


@pytest.mark.parametrize("job", ["stats", "tokenize", "pack"])
def test_any_workers_and_shards_write_the_same_bytes(job, corpus, tokens, tmp_path):
    """How many processes and shards do the work is not seen in any file of the output."""
    found = []
    for number, spread in enumerate(SPREADS):
        out = tmp_path / f"out-{number}"
        if job == "stats":
            data.stats(corpus[0], out, block_bytes=2000, **spread)
        elif job == "tokenize":
            data.tokenize(corpus[0], out, tokenizer=PLAIN, block_bytes=2000, **spread)
        else:
            data.pack(tokens[0], out, length=64, block_bytes=3000, **spread)
        found.append(written(out))
    assert found[0] == found[1]
    assert "_manifest.json" in found[0]
    assert "stats" == job or 2 <= len([name for name in found[0] if name.startswith("part-")])


# ---- stats


def test_stats_are_what_pyarrow_counts(corpus):
    """Rows, extremes, means, distinct values and lengths of all files together."""
    files, rows = corpus
    table = pa.Table.from_pylist(rows)
    found = data.stats(files, block_bytes=2000, workers=1)
    assert (2, 400, 0, 400, True) == (
        found.files,
        found.rows,
        found.skipped,
        found.distinct_rows,
        found.is_exact,
    )
    columns = {one.name: one for one in found.columns}
    assert ["id", "text", "group"] == list(columns)
    for name, column in columns.items():
        ends = pc.min_max(table[name]).as_py()
        assert ends == {"min": column.least, "max": column.greatest}
        assert len(table[name].unique()) == column.distinct
        assert (table.num_rows, 0) == (column.rows, column.nulls)
    assert pc.mean(table["id"]).as_py() == columns["id"].mean
    letters = pc.utf8_length(table["text"])
    told = columns["text"].lengths
    assert pc.min_max(letters).as_py() == {"min": told["least"], "max": told["most"]}
    for name in ("1%", "25%", "50%", "75%", "95%", "99%"):
        exact = np.quantile(letters.to_numpy(), float(name[:-1]) / 100, method="inverted_cdf")
        assert exact == told[name]


def test_stats_choose_columns_and_keep_types(tmp_path):
    """Values are Python's, whatever their type; the duplicates are of the columns that are read."""
    day = dt.date(2020, 2, 3)
    table = pa.table({"day": [day, day], "x": [1.5, float("nan")], "n": pa.nulls(2)})
    pq.write_table(table, tmp_path / "t.parquet")
    found = data.stats(tmp_path / "t.parquet", columns=["day"], workers=1)
    (column,) = found.columns
    assert (day, day, 1, 1) == (
        column.least,
        column.greatest,
        column.distinct,
        found.distinct_rows,
    )
    x = data.stats(tmp_path / "t.parquet", columns=["x", "n"], workers=1).columns
    assert (1.5, 1.5, 1.5, 1, 0) == (x[0].least, x[0].greatest, x[0].mean, x[0].nans, x[0].nulls)
    assert (2, None, 0) == (x[1].nulls, x[1].least, x[1].distinct)


def test_stats_of_nanoseconds_need_no_pandas(tmp_path):
    """A time that Python's have no digits for is told as text."""
    times = pa.array([1_600_000_000_000_000_001], pa.timestamp("ns"))
    pq.write_table(pa.table({"t": times}), tmp_path / "t.parquet")
    (column,) = data.stats(tmp_path / "t.parquet", workers=1).columns
    assert str(column.least).endswith(".000000001")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([10**13], pa.timestamp("s")), f"<value out of range: {10**13}>"),
        (pa.array([10**9], pa.date32()), f"<value out of range: {10**9}>"),
        (pa.array([10**17], pa.duration("s")), f"{10**17} s"),
        (pa.array([b"a\xff"]).view(pa.string()), "a\\xff"),
    ],
    ids=["timestamp", "date", "duration", "no UTF-8"],
)
def test_stats_of_values_that_python_has_not_are_text(array, expected, tmp_path):
    """Years beyond 9999, durations beyond its days, and bytes that are no text."""
    table = pa.table({"x": array})
    with pa.ipc.new_file(str(tmp_path / "x.arrow"), table.schema) as writer:
        writer.write_table(table)
    (column,) = data.stats(tmp_path / "x.arrow", workers=1).columns
    assert expected == column.least == column.greatest


def test_stats_are_kept_in_a_folder(corpus, tmp_path):
    """``stats.json`` has what the function returns; the same call again reads it."""
    found = data.stats(corpus[0], tmp_path / "out", workers=1)
    told = json.loads((tmp_path / "out" / "stats.json").read_text())
    assert found.rows == told["rows"]
    assert found == data.stats(corpus[0], tmp_path / "out", workers=1)


def test_skipped_rows_are_counted(tmp_path):
    """What cannot be read is left out where that is asked for, and told."""
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    with pytest.raises(data.DecodeError, match="line 2"):
        data.stats(tmp_path / "a.jsonl", workers=1)
    found = data.stats(tmp_path / "a.jsonl", on_error="skip", workers=1)
    assert (2, 1) == (found.rows, found.skipped)


def test_statistics_of_nothing_that_could_be_read_are_an_error(tmp_path):
    """As all jobs and readers tell it; a file without rows has some of none."""
    (tmp_path / "a.jsonl").write_text("{oops\n[1]\n")
    with pytest.raises(data.DecodeError, match=r"no row that could be read.*a\.jsonl, line 1"):
        data.stats(tmp_path / "a.jsonl", on_error="skip", workers=1)
    (tmp_path / "b.jsonl").write_text("")
    assert 0 == data.stats(tmp_path / "b.jsonl", on_error="skip", workers=1).rows


def test_an_unknown_option_is_an_error(corpus):
    """A word that nobody knows is no option of reading, either."""
    with pytest.raises(TypeError, match="colums"):
        data.stats(corpus[0], colums=["a"])


# ---- tokenize


def test_tokenize_writes_the_ids_of_the_tokenizer(corpus, tmp_path):
    """input_ids are those of Tokenizer.encode, with the columns that are kept, in order."""
    files, rows = corpus
    found = data.tokenize(
        files,
        tmp_path / "out",
        tokenizer=framed(),
        eos="</s>",
        keep=["id"],
        attention_mask=True,
        block_bytes=4000,
        workers=1,
    )
    made = rows_written(tmp_path / "out")
    ids = [[*framed().encode(row["text"]).ids, END] for row in rows]
    assert [row["id"] for row in rows] == made["id"].to_pylist()
    assert ids == made["input_ids"].to_pylist()
    assert [[1] * len(one) for one in ids] == made["attention_mask"].to_pylist()
    assert pa.list_(pa.int32()) == made.schema.field("input_ids").type
    assert (400, 400, sum(map(len, ids)), 0, 0) == (
        found.rows,
        found.written,
        found.tokens,
        found.overlong,
        found.lost,
    )


def test_tokenize_takes_a_path_or_a_folder(corpus, tmp_path):
    """A tokenizer.json, and a folder that has one, are read; the manifest has its hash alone."""
    (tmp_path / "tok").mkdir()
    PLAIN.save(str(tmp_path / "tok" / "tokenizer.json"))
    for number, path in enumerate([tmp_path / "tok", tmp_path / "tok" / "tokenizer.json"]):
        data.tokenize(corpus[0], tmp_path / f"{number}", tokenizer=path, workers=1)
    assert written(tmp_path / "0") == written(tmp_path / "1")
    manifest = json.loads((tmp_path / "0" / "_manifest.json").read_text())
    assert 64 == len(manifest["params"]["tokenizer_sha256"])


def test_tokenize_counts_what_is_cut_off(corpus, tmp_path):
    """Truncated texts and lost tokens are told; split ones keep all; dropped ones are counted."""
    files, rows = corpus
    sizes = [len(PLAIN.encode(row["text"]).ids) for row in rows]
    over = [size for size in sizes if size > 20]
    reports = {
        how: data.tokenize(
            files, tmp_path / how, tokenizer=PLAIN, max_length=20, overlong=how, workers=1
        )
        for how in ("truncate", "split", "drop")
    }
    cut, split, drop = reports["truncate"], reports["split"], reports["drop"]
    assert (len(over), sum(over) - 20 * len(over)) == (cut.overlong, cut.lost)
    assert (len(over), 0, sum(sizes)) == (split.overlong, split.lost, split.tokens)
    assert (len(over), sum(over), 400 - len(over)) == (drop.overlong, drop.lost, drop.written)
    with pytest.raises(data.DecodeError, match=r"a\.jsonl, row \d+: column 'text' has"):
        data.tokenize(
            files, tmp_path / "e", tokenizer=PLAIN, max_length=20, overlong="error", workers=1
        )


def test_a_null_text_is_an_error_or_skipped(tmp_path):
    """A null has no tokens: it names its row, or is left out and counted where that is asked."""
    pq.write_table(pa.table({"text": ["a", None, "b"]}), tmp_path / "t.parquet")
    with pytest.raises(data.DecodeError, match=r"row 1: column 'text' is null"):
        data.tokenize(tmp_path / "t.parquet", tmp_path / "o", tokenizer=PLAIN, workers=1)
    found = data.tokenize(
        tmp_path / "t.parquet", tmp_path / "p", tokenizer=PLAIN, on_error="skip", workers=1
    )
    assert (3, 2, 1, 1) == (found.rows, found.written, found.nulls, found.skipped)


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"text": "nothing"}, DataError, "nothing"),
        ({"text": "id"}, DataError, "column of texts"),
        ({"keep": ["text"]}, DataError, "keep='text'"),
        ({"keep": ["input_ids"]}, DataError, "keep='input_ids'"),
        ({"overlong": "cut"}, DataError, "overlong='cut'"),
        ({"max_length": 0}, DataError, "max_length"),
        ({"stride": -1}, DataError, "stride"),
        ({"tokenizer": 3}, TypeError, "tokenizer= is int"),
        ({"tokenizer": __file__}, DataError, r"no tokenizer\.json"),
        ({"tokenizer": "/nowhere"}, FileNotFoundError, "nowhere"),
    ],
)
def test_what_tokenize_cannot_do_is_told_before(options, error, part, corpus, tmp_path):
    """Each message names the argument; nothing is written."""
    with pytest.raises(error, match=part):
        data.tokenize(corpus[0], tmp_path / "out", **({"tokenizer": PLAIN} | options))
    assert not (tmp_path / "out").exists()


def test_bytes_that_are_no_text_are_no_tokenizer(corpus, tmp_path):
    """A binary file in the place of tokenizer.json is told by its path."""
    (tmp_path / "t.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"t\.json: this is no tokenizer\.json"):
        data.tokenize(corpus[0], tmp_path / "out", tokenizer=tmp_path / "t.json")


def test_an_error_names_the_row_of_the_file(tmp_path):
    """In a later block, too; of lines, whose number nobody knows, the first byte of the block."""
    texts = [f"text {i}" for i in range(50)]
    texts[37] = None
    table = pa.table({"text": texts})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=5)
    for name, kind in (("f.arrow", pa.ipc.new_file), ("s.arrow", pa.ipc.new_stream)):
        with kind(str(tmp_path / name), table.schema) as writer:
            writer.write_table(table, max_chunksize=5)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    how = {"tokenizer": PLAIN, "block_bytes": 100, "workers": 1}
    for name, place in (
        ("t.parquet", "row 37"),
        ("f.arrow", "row 37"),
        ("s.arrow", r"row 2 of the block that begins at byte \d+"),
        ("a.jsonl", r"row \d of the block that begins at byte \d+"),
    ):
        with pytest.raises(data.DecodeError, match=rf"{name}(,|:) {place}: column 'text' is null"):
            data.tokenize(tmp_path / name, tmp_path / f"out-{name}.d", **how)


def test_a_type_that_changes_names_the_row_of_the_file(tmp_path):
    """Where a block's values do not fit the schema that was given, stats name the block's row."""
    table = pa.table({"n": list(range(20)) + [1 << 40] * 5})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=5)
    with pytest.raises(data.SchemaDriftError, match=r"t\.parquet, row 20: column 'n'"):
        data.stats(
            tmp_path / "t.parquet",
            schema=pa.schema([("n", pa.int32())]),
            block_bytes=50,
            workers=1,
        )


# ---- pack


def test_pack_packs_each_block_as_pack_table(tokens, tmp_path):
    """One block of all files is what kernels' pack_table makes of them; ids are left out, told."""
    files, rows = tokens
    found = data.pack(files, tmp_path / "out", length=64, workers=1)
    table = pa.concat_tables([pq.read_table(path) for path in files])
    expected = pack_table(table.select(["input_ids", "labels"]), 64)
    made = rows_written(tmp_path / "out")
    for name in expected.column_names:
        assert expected[name].to_pylist() == made[name].to_pylist()
    assert (500, ("id",), 1) == (found.rows, found.left_out, found.parts)
    assert sum(len(row["input_ids"]) for row in rows) == found.tokens
    assert found.tokens / (found.packed * 64) == found.fill


def test_small_blocks_lose_little(tokens, tmp_path):
    """Blocks that are packed apart have the same tokens, and at most a row of each is less full."""
    whole = data.pack(tokens[0], tmp_path / "a", length=64, workers=1)
    parts = data.pack(tokens[0], tmp_path / "b", length=64, block_bytes=1, workers=1)
    assert (whole.tokens, whole.rows) == (parts.tokens, parts.rows)
    assert whole.packed <= parts.packed <= whole.packed + parts.parts


def test_overlong_rows_are_told_as_asked(tokens, tmp_path):
    """An error names file and row; the others are counted with what was lost."""
    files, rows = tokens
    sizes = [len(row["input_ids"]) for row in rows]
    with pytest.raises(data.DecodeError, match=r"0\.parquet, row 33: has 33 tokens"):
        data.pack(files, tmp_path / "e", length=32, workers=1)
    over = [size for size in sizes if size > 32]
    for how, lost in (
        ("split", 0),
        ("truncate", sum(over) - 32 * len(over)),
        ("drop", sum(over)),
    ):
        found = data.pack(files, tmp_path / how, length=32, overlong=how, workers=1)
        assert (len(over), lost) == (found.overlong, found.lost)
        assert sum(sizes) - lost == found.tokens


@pytest.mark.parametrize(
    ("table", "options", "part"),
    [
        ({"x": [[1]]}, {}, "no column 'input_ids'"),
        ({"x": [1]}, {"columns": ["x"]}, "no list"),
        ({"input_ids": [[1], None]}, {}, "row 1: is null in 'input_ids'"),
        ({"input_ids": [[1], [2]], "labels": [[1], [2, 3]]}, {}, "row 1: has 2 values"),
        ({"input_ids": [[1]], "seq_lengths": [[1]]}, {"columns": ["seq_lengths"]}, "packed"),
        ({"input_ids": [[1]]}, {"strategy": "best"}, "strategy='best'"),
        ({"input_ids": [[1]]}, {"length": 0}, "length=0"),
        ({"input_ids": [[1]], "x": [[1]]}, {"columns": ["input_ids", "x"], "pad": 0}, "'x'"),
    ],
)
def test_what_cannot_be_packed_is_told(table, options, part, tmp_path):
    """Each message names the column, row or argument."""
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=part):
        data.pack(
            tmp_path / "t.parquet", tmp_path / "out", **({"length": 8, "workers": 1} | options)
        )


def test_pads_are_known_for_what_trainers_use(tokens, tmp_path):
    """One number pads ids; labels are -100 there, and positions 0."""
    data.pack(tokens[0], tmp_path / "out", length=64, pad=7, workers=1)
    made = rows_written(tmp_path / "out").to_pylist()
    for row in made:
        used = sum(row["seq_lengths"])
        assert {64} == {len(row[name]) for name in ("input_ids", "labels", "position_ids")}
        assert [7] * (64 - used) == row["input_ids"][used:]
        assert [-100] * (64 - used) == row["labels"][used:]


def test_a_plot_is_a_picture_and_the_same_each_time(tokens, tmp_path):
    """Two runs draw the same PNG."""
    pytest.importorskip("matplotlib")
    for name in ("a", "b"):
        plot = tmp_path / f"{name}.png"
        data.pack(tokens[0], tmp_path / name, length=64, workers=1, plot=plot)
    assert b"\x89PNG" == (tmp_path / "a.png").read_bytes()[:4]
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# ---- info and head


def test_info_tells_files_without_reading_them(corpus, tokens, tmp_path):
    """Rows and groups come from headers, and from reading where that is asked for."""
    for codec in (None, "zstd"):
        table = pq.read_table(tokens[0][0])
        options = pa.ipc.IpcWriteOptions(compression=codec)
        with pa.ipc.new_file(tmp_path / f"{codec}.arrow", table.schema, options=options) as writer:
            writer.write_table(table, 50)
    found = data.info(tokens[0][0]).files[0]
    assert ("parquet", "name", 125, 3, "snappy") == (
        found.format,
        found.told_by,
        found.rows,
        found.groups,
        found.codec,
    )
    for codec in (None, "zstd"):
        arrow = data.info(tmp_path / f"{codec}.arrow").files[0]
        assert (125, 3, codec) == (arrow.rows, arrow.groups, arrow.codec)
    lines = data.info(corpus[0])
    assert (None, "gzip") == (lines.rows, lines.files[1].compression)
    assert (400, [300, 100]) == (
        data.info(corpus[0], count=True).rows,
        [one.rows for one in data.info(corpus[0], count=True).files],
    )


def test_streams_and_dictionaries_are_counted_by_batches(tmp_path):
    """A message of a dictionary is none of rows."""
    table = pa.table({"a": pa.array(["x", "y"] * 50).dictionary_encode(), "b": range(100)})
    with pa.ipc.new_stream(tmp_path / "s.arrow", table.schema) as writer:
        writer.write_table(table, 30)
    found = data.info(tmp_path / "s.arrow").files[0]
    assert (100, 4, None) == (found.rows, found.groups, found.codec)


def test_info_tells_what_does_not_agree(tmp_path):
    """A wrong name, other columns and a damaged file are problems of theirs, and hide nothing."""
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "b.jsonl")
    pq.write_table(pa.table({"b": [1]}), tmp_path / "c.parquet")
    (tmp_path / "d.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-9])
    found = data.info([tmp_path / f"{name}" for name in ("a.parquet", "b.jsonl", "c.parquet")])
    told = [" ".join(one.problems) for one in found.files]
    assert ("", 3) == (told[0], found.rows)
    assert "named as jsonl" in told[1]
    assert "content" == found.files[1].told_by
    assert "'a'" in told[2]
    both = data.info([tmp_path / "d.parquet", tmp_path / "a.parquet"])
    assert (1, None) == (len(both.problems), both.rows)
    assert both.schema.equals(pa.schema([("a", pa.int64())]))


def test_info_knows_the_features_of_a_data_set(tmp_path):
    """What Hugging Face's metadata tells is there; other words under its key are not taken."""
    told = json.dumps({"info": {"features": {"a": {"dtype": "int64", "_type": "Value"}}}})
    for name, text in (("a", told), ("b", "[]"), ("c", "no JSON")):
        schema = pa.schema([("a", pa.int64())], {"huggingface": text})
        pq.write_table(pa.table({"a": [1]}, schema=schema), tmp_path / f"{name}.parquet")
    assert {"a"} == set(data.info(tmp_path / "a.parquet").features)
    assert data.info(tmp_path / "b.parquet").features is None
    assert data.info(tmp_path / "c.parquet").features is None


@given(st.integers(1, 12), st.integers(0, 8))
@settings(max_examples=10, deadline=None)
def test_head_has_the_first_rows(tmp_path_factory, n, there):
    """As many rows as are asked for, or as there are."""
    path = tmp_path_factory.mktemp("head") / "a.parquet"
    pq.write_table(pa.table({"a": pa.array(range(there), pa.int64())}), path)
    assert [{"a": i} for i in range(min(n, there))] == data.head(path, n)


# ---- folders of jobs


def test_a_folder_of_a_job_is_its_parts(corpus, tmp_path):
    """A report beside the parts is no data of them."""
    out = tmp_path / "out"
    data.tokenize(corpus[0], out, tokenizer=PLAIN, workers=1)
    (out / "notes.parquet").write_bytes((out / "part-00000.parquet").read_bytes())
    assert ["part-00000.parquet", "part-00001.parquet"] == [
        one.path.rpartition("/")[2] for one in data.info(out).files
    ]


def test_a_folder_of_a_job_is_whole(corpus, tmp_path):
    """A part that is gone or has another size, and a job that is not finished, are errors."""
    out = tmp_path / "out"
    data.tokenize(corpus[0], out, tokenizer=PLAIN, workers=1)
    part = out / "part-00000.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:-1])
    with pytest.raises(data.JobError, match=r"bytes, and _manifest\.json says"):
        data.info(out)
    part.unlink()
    with pytest.raises(data.JobError, match="is gone"):
        data.info(out)
    part.write_bytes(whole)
    (out / ".shimhub").mkdir()
    (out / ".shimhub" / "plan.json").write_text("{}")
    with pytest.raises(data.JobError, match="not finished"):
        data.info(out)


def test_statistics_are_no_data(corpus, tmp_path):
    """A folder of a job that writes no rows is told as such."""
    data.stats(corpus[0], tmp_path / "out", workers=1)
    with pytest.raises(DataError, match="written no data"):
        data.head(tmp_path / "out")


# ---- estimates


def test_a_dry_run_writes_nothing_and_tells_sizes(corpus, tokens, tmp_path):
    """Bytes and files are those of the inputs, rows where they are known; nothing is left."""
    before = sorted(tmp_path.iterdir())
    found = _estimates.estimate(data.pack, tokens[0], {"length": 64}, workers=2)
    assert (4, 500, 1) == (found.files, found.rows, found.workers)
    assert sum(path.stat().st_size for path in tokens[0]) == found.bytes
    assert min(found.seconds, found.memory, found.disk, found.sample) > 0
    lines = _estimates.estimate(data.tokenize, corpus[0], {"tokenizer": PLAIN}, out="o.parquet")
    assert lines.rows is None
    assert before == sorted(tmp_path.iterdir())


def test_a_dry_run_of_rows_that_are_longer_than_its_sample(tmp_path):
    """A sample that has no whole row is no error."""
    (tmp_path / "a.jsonl").write_text(f'{{"text": "{"a" * 300_000}"}}\n' * 2)
    assert 1 == _estimates.estimate(data.convert, tmp_path / "a.jsonl", {}).files


def test_a_dry_run_reads_as_the_job_does(tmp_path):
    """A sample that is written plainly is read plainly; options of other files are left out."""
    asked = {"delimiter": ";", "encoding": "utf-16", "columns": ["b"]}
    text = "a;b\n" + "1;x,y\n" * 50
    (tmp_path / "1.csv.gz").write_bytes(gzip.compress(text.encode("utf-16")))
    assert 1 == _estimates.estimate(data.convert, tmp_path / "1.csv.gz", asked).files
    pq.write_table(pa.table({"a": ["1"], "b": ["x"]}), tmp_path / "0.parquet")
    assert 2 == _estimates.estimate(data.convert, tmp_path, asked).files


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl.zst", "a.json", "a.arrow"])
def test_samples_are_of_the_format(name, corpus, tmp_path):
    """Whatever the format and compression, there is a sample that the job can read."""
    path = tmp_path / name
    if name == "a.json":
        path.write_text(json.dumps(corpus[1]))
    else:
        data.convert(corpus[0], path, workers=1)
    found = _estimates.estimate(data.convert, path, {"format": "parquet"})
    assert found.disk > 0


@given(st.lists(st.integers(1, 100), min_size=1, max_size=4, unique=True))
def test_estimates_are_lines(points):
    """Two points give their line; one point, or a falling line, nothing below 0."""
    x = points[0]
    assert (3, 5) == pytest.approx(_estimates._line(x, 3 * x + 5, x + 10, 3 * (x + 10) + 5))
    assert (2, 0) == _estimates._line(x, 1, x, 2 * x)
    assert (0, 1) == _estimates._line(x, 5, x + 10, 1)


# ---- words


def test_words_are_those_of_the_modules():
    """What the command line offers without pyarrow is what the jobs take."""
    assert list(_choices.RUNNERS) == list(runners.RUNNERS)
    assert {*FORMATS, "text"} - {"json"} == set(_choices.WRITTEN)
