"""How ``fast_axolotl`` reads files: its own tests' subjects, and the data that 0.2.0 loses."""

from __future__ import annotations

import gzip
import itertools
import json
import logging

import pytest

from tests.axolotl.served import served

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def fa():
    """The served package."""
    with served() as module:
        yield module


def _rows(batches):
    """Return the rows of batches of columns, whose lengths must agree."""
    rows = []
    for batch in batches:
        assert 1 == len({len(column) for column in batch.values()})
        rows += [dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)]
    return rows


def _written(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def _parquet(path, table):
    pa.parquet.write_table(table, path)
    return str(path)


# -- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("", "parquet"), ("x.parquet", "parquet", 0)])
def test_wrong_arguments_are_told_at_the_first_batch(fa, arguments):
    """An empty path and a batch of no rows are ValueErrors, and not before `next`."""
    batches = fa.streaming_dataset_reader(*arguments)
    with pytest.raises(ValueError, match=r"file_path|batch_size"):
        next(batches)
    with pytest.raises(ValueError, match="file_path"):
        list(fa.RustStreamingDataset("", "parquet"))


def test_a_missing_file_is_both_errors(fa, tmp_path):
    """A RuntimeError as 0.2.0 raises, and the FileNotFoundError that it documents."""
    path = str(tmp_path / "nonexistent.parquet")
    for kind in (RuntimeError, FileNotFoundError):
        with pytest.raises(kind, match="nonexistent"):
            next(fa.streaming_dataset_reader(path, ""))


def test_damage_and_unknown_types_are_both_errors(fa, tmp_path):
    """A RuntimeError as 0.2.0 raises, and the ValueError that it documents."""
    path = _written(tmp_path / "damaged.parquet", "PAR1 and no more")
    for kind, word in itertools.product((RuntimeError, ValueError), ("parquet", "none.such")):
        with pytest.raises(kind):
            next(fa.streaming_dataset_reader(path, word))


def test_the_type_may_be_left_out(fa, tmp_path):
    """As the documentation has it; "auto", "" and the name of the type do the same."""
    path = _parquet(tmp_path / "data.parquet", pa.table({"a": [1, 2, 3]}))
    expected = [{"a": [1, 2]}, {"a": [3]}]
    for words in ((), ("auto",), ("",), ("parquet",)):
        assert expected == list(fa.streaming_dataset_reader(path, *words, batch_size=2))
    assert [{"a": [1, 2, 3]}] == list(fa.streaming_dataset_reader(path))


def test_a_dataset_is_read_again_by_each_loop(fa, tmp_path):
    """Its arguments are its attributes; `with_format` gives itself."""
    path = _parquet(tmp_path / "data.parquet", pa.table({"a": [1, 2, 3]}))
    data = fa.RustStreamingDataset(path, "parquet", batch_size=2)
    assert (path, "parquet", 2) == (data.file_path, data.dataset_type, data.batch_size)
    assert (4, False) == (data.num_threads, data.dataset_keep_in_memory)
    assert [{"a": [1, 2]}, {"a": [3]}] == list(data) == list(data.with_format("torch"))
    made = fa.create_rust_streaming_dataset(path, "parquet", batch_size=100)
    assert (path, "parquet", 100) == (made.file_path, made.dataset_type, made.batch_size)
    assert isinstance(made, fa.RustStreamingDataset)


@pytest.mark.parametrize(
    ("size", "cfg", "expected"),
    [
        (1 << 30, {"dataset_use_rust_streaming": True, "sequence_len": 10_000}, True),
        ((1 << 30) - 1, {"dataset_use_rust_streaming": True, "sequence_len": 10_000}, False),
        (1 << 30, {"dataset_use_rust_streaming": True, "sequence_len": 9_999}, False),
        (1 << 30, {"dataset_use_rust_streaming": True}, False),
        (1 << 30, {"sequence_len": 10_000}, False),
        (
            1 << 30,
            {"dataset_use_rust_streaming": 1, "sequence_len": 1e5, "dataset_keep_in_memory": 1},
            False,
        ),
        (None, {"dataset_use_rust_streaming": True, "sequence_len": 10_000}, True),
    ],
)
def test_streaming_is_for_large_files_and_rows(fa, tmp_path, size, cfg, expected):
    """All of what 0.2.0 asks for; a file that cannot be seen counts as large, as there."""
    path = tmp_path / "data"
    if size is not None:
        with path.open("wb") as stream:
            stream.truncate(size)
    assert fa.should_use_rust_streaming(str(path), {}, cfg) is expected


def test_streaming_has_the_names_of_its_module(fa):
    """`fast_axolotl.streaming` has the five names, which are the package's own."""
    import fast_axolotl.streaming as module

    assert 5 == len(module.__all__)
    assert all(getattr(module, name) is getattr(fa, name) for name in module.__all__)


# -- files that 0.2.0 reads wrong -----------------------------------------------------------------


def test_a_missing_key_is_null(fa, tmp_path):
    """0.2.0 compacts columns, so that values move to other rows."""
    rows = [{"a": 1}, {"b": 2}, {"a": 3, "b": 4}]
    lines = _written(tmp_path / "x.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    whole = _written(tmp_path / "x.json", json.dumps(rows))
    expected = [{"a": 1, "b": None}, {"a": None, "b": 2}, {"a": 3, "b": 4}]
    for path in (lines, whole):
        assert expected == _rows(fa.streaming_dataset_reader(path))


@pytest.mark.parametrize("line", ['{"a": 1', "[1]", '{"a": nan}'])
def test_a_malformed_line_is_an_error(fa, tmp_path, line):
    """With its place; 0.2.0 leaves the row out with a warning."""
    path = _written(tmp_path / "x.jsonl", f'{{"a": 1}}\n{line}\n{{"a": 2}}\n')
    with pytest.raises(RuntimeError, match=r"line 2"):
        list(fa.streaming_dataset_reader(path))


def test_a_number_out_of_range_is_an_error(fa, tmp_path):
    """0.2.0 leaves out the row of `1e400`."""
    path = _written(tmp_path / "x.jsonl", '{"a": 0.5}\n{"a": 1e400}\n')
    with pytest.raises(RuntimeError, match=r"line 2.*1e400"):
        list(fa.streaming_dataset_reader(path))


def test_text_is_text(fa, tmp_path):
    """0.2.0 parses it as JSON lines, and yields nothing."""
    path = _written(tmp_path / "x.txt", "one\n\nthree\n")
    for words in ((), ("text",)):
        columns = list(fa.streaming_dataset_reader(path, *words))
        assert [{"text": ["one", "", "three"]}] == columns


def test_tabs_are_tabs(fa, tmp_path):
    """0.2.0 reads TSV with commas; also where its own `detect_format` says csv."""
    path = _written(tmp_path / "x.tsv", "a\tb,c\n1\t2,3\n")
    packed = tmp_path / "y.tsv.gz"
    packed.write_bytes(gzip.compress(b"a\tb,c\n1\t2,3\n"))
    for word in ("auto", "tsv", fa.detect_format(path)[0]):
        assert [{"a": "1", "b,c": "2,3"}] == _rows(fa.streaming_dataset_reader(path, word))
    for word in ("auto", "csv.gz", "csv"):
        assert [{"a": "1", "b,c": "2,3"}] == _rows(fa.streaming_dataset_reader(str(packed), word))


def test_cells_of_csv_are_what_is_written(fa, tmp_path):
    """0.2.0 guesses a type for each cell, and loses zeros, quotes, words and empty texts."""
    cells = ["00123", "1", "nan", "inf", "1e5", "True", ""]
    path = _written(tmp_path / "x.csv", 'a,b\n00123,"1"\nnan,inf\n1e5,True\n"",x\n')
    found = [cell for row in _rows(fa.streaming_dataset_reader(path)) for cell in row.values()]
    assert [*cells, "x"] == found


def test_two_columns_of_one_name_are_an_error(fa, tmp_path):
    """0.2.0 makes one column of them, twice as long as the others."""
    path = _written(tmp_path / "x.csv", "a,a,b\n1,2,3\n")
    with pytest.raises(RuntimeError, match=r"name 'a' twice"):
        list(fa.streaming_dataset_reader(path))


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_no_row_of_arrow_is_lost(fa, tmp_path, kind):
    """Batches have the rows that were asked for; 0.2.0 counts record batches, and loses rows."""
    path = tmp_path / "x.arrow"
    open_ = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with open_(path, pa.schema([("a", pa.int64())])) as writer:
        for start in range(0, 10, 2):
            writer.write_batch(pa.record_batch({"a": pa.array([start, start + 1])}))
    batches = list(fa.streaming_dataset_reader(str(path), "arrow", batch_size=3))
    assert [3, 3, 3, 1] == [len(batch["a"]) for batch in batches]
    assert list(range(10)) == [row["a"] for row in _rows(batches)]


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
def test_feather_is_read(fa, tmp_path, compression):
    """Also as pyarrow writes it by default, with lz4, which 0.2.0 cannot read."""
    feather = pytest.importorskip("pyarrow.feather")
    feather.write_feather(pa.table({"a": [1, 2]}), tmp_path / "x.feather", compression=compression)
    for words in ((), ("feather",)):
        path = str(tmp_path / "x.feather")
        assert [{"a": [1, 2]}] == list(fa.streaming_dataset_reader(path, *words))


def test_values_of_parquet_are_values(fa, tmp_path):
    """0.2.0 gives the debug text of integers, times, structs, chats and bytes."""
    messages = [[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]]
    columns = {
        "int8": pa.array([-1], pa.int8()),
        "uint64": pa.array([2**64 - 1], pa.uint64()),
        "time": pa.array([0], pa.timestamp("us")),
        "bytes": pa.array([b"\xff"]),
        "struct": pa.array([{"x": 1}]),
        "words": pa.array(["w"]).dictionary_encode(),
        "large": pa.array([[1, 2]], pa.large_list(pa.int32())),
        "messages": pa.array(messages),
    }
    table = pa.table(columns)
    path = _parquet(tmp_path / "x.parquet", table)
    assert table.to_pylist() == _rows(fa.streaming_dataset_reader(path))


def test_what_datasets_saves_is_read(fa, tmp_path):
    """A folder of `save_to_disk`, which no release of fast-axolotl can read."""
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "saved"
    datasets.Dataset.from_dict({"a": [1, 2, 3]}).save_to_disk(folder)
    for words in ((), ("hf_dataset",)):
        found = fa.streaming_dataset_reader(str(folder), *words, batch_size=2)
        assert [{"a": [1, 2]}, {"a": [3]}] == list(found)


def test_each_format_of_the_list_is_read(fa, tmp_path):
    """All that `list_supported_formats` names, by that name and without it."""
    table = pa.table({"text": ["a", "b"]})
    for word in fa.list_supported_formats():
        if word == "hf_dataset":
            continue
        base, _, packed = word.partition(".")
        path = tmp_path / f"x.{'txt' if base == 'text' else base}{'.' if packed else ''}{packed}"
        path.write_bytes(_packed(_bytes(base, table, tmp_path), packed))
        for asked in (word, base, "auto"):
            found = list(fa.streaming_dataset_reader(str(path), asked))
            assert [{"text": ["a", "b"]}] == found, (word, asked)


def _bytes(base, table, folder):
    if base in ("json", "jsonl"):
        lines = [json.dumps(row) for row in table.to_pylist()]
        return ("[" + ",".join(lines) + "]" if base == "json" else "\n".join(lines)).encode()
    if base in ("csv", "text"):
        return b"text\na\nb\n" if base == "csv" else b"a\nb\n"
    if base == "parquet":
        pa.parquet.write_table(table, folder / "made")
    else:
        with pa.ipc.new_file(folder / "made", table.schema) as writer:
            writer.write_table(table)
    return (folder / "made").read_bytes()


def _packed(content, packed):
    if not packed:
        return content
    return pa.compress(content, "gzip" if packed == "gz" else "zstd", asbytes=True)


def test_a_file_is_read_as_it_is_asked_for(fa, tmp_path):
    """The first batch comes before the rest is looked at; 0.2.0 reads all of the file."""
    good = "".join(f'{{"a": {number}}}\n' for number in range(1_000_000))
    path = _written(tmp_path / "x.jsonl", good + "no json\n")
    batches = fa.streaming_dataset_reader(path, batch_size=10)
    assert {"a": list(range(10))} == next(batches)
    batches.close()


def test_rows_are_not_lost_with_a_warning(fa, tmp_path, caplog):
    """What is left out is an error, not a line of log."""
    path = _written(tmp_path / "x.jsonl", '{"a": 1}\nno\n')
    with caplog.at_level(logging.DEBUG), pytest.raises(RuntimeError):
        list(fa.streaming_dataset_reader(path))
    assert not caplog.records
