"""Parquet: shimhub.data.formats._parquet beside pyarrow's own reader."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import random
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="data needs pyarrow")
pytest.importorskip("hypothesis", reason="properties are drawn by it")

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.data import DataError, DecodeError, FormatError, LimitError
from shimhub.data._model import Options, Skipped, Source, Span
from shimhub.data.formats import _parquet, _thrift
from tests import data_binary as lab

CODECS = ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]


def wrote(path, table, **options):
    """Write the table, and return it as a source."""
    pq.write_table(table, path, **options)
    return lab.source(path, "parquet")


@pytest.fixture
def numbers(tmp_path):
    """Four row groups of five rows, with checksums."""
    table = pa.table({"n": range(20), "text": [f"row {i}" for i in range(20)]})
    return wrote(
        tmp_path / "numbers.parquet", table, row_group_size=5, write_page_checksum=True
    ), table


def damaged(source, group, column=0):
    """Flip a byte in the data of a row group."""
    chunk = pq.read_metadata(source.path).row_group(group).column(column)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data = bytearray(Path(source.path).read_bytes())
    data[start + chunk.total_compressed_size - 2] ^= 1
    Path(source.path).write_bytes(data)


@pytest.mark.parametrize("name", lab.parquet_columns())
@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_every_type_is_as_pyarrow_reads_it(tmp_path, name, batch_size):
    """Values and types are those of read_table, whatever the size of a batch."""
    table = pa.table({name: lab.parquet_columns()[name]})
    source = wrote(tmp_path / "one.parquet", table, row_group_size=4)
    expected = pq.read_table(source.path)
    found = lab.read(source, batch_size=batch_size)
    assert expected.schema == found.schema == _parquet.schema(source, Options())
    assert expected.to_pylist() == found.to_pylist() or name in {"half", "float", "double"}
    assert repr(expected.to_pylist()) == repr(found.to_pylist())


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_every_codec_is_read(tmp_path, codec, version):
    """All that pyarrow compresses with, in pages of both versions, with checksums."""
    table = pa.table(lab.parquet_columns()).drop_columns(["half", "float", "double"])
    source = wrote(
        tmp_path / "c.parquet",
        table,
        compression=codec,
        data_page_version=version,
        write_page_checksum=True,
    )
    assert pq.read_table(source.path).equals(lab.read(source))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(0, 40),
    group=st.integers(1, 15),
    batch=st.integers(1, 50),
    span=st.integers(1, 5000),
    columns=st.sampled_from([None, ("n",), ("m", "n"), ()]),
)
def test_how_it_is_split_does_not_show(tmp_path_factory, rows, group, batch, span, columns):
    """Row groups, spans and batches of any size have the same rows in the same order."""
    texts = [[{"role": "user", "content": str(i)}] * (i % 3) for i in range(rows)]
    kind = pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))
    table = pa.table({"n": pa.array(range(rows), pa.int64()), "m": pa.array(texts, kind)})
    source = wrote(tmp_path_factory.mktemp("p") / "s.parquet", table, row_group_size=group)
    found = lab.read(source, columns=columns, batch_size=batch, span=span)
    assert (table if columns is None else table.select(list(columns))).equals(found)
    assert rows == found.num_rows or columns == ()


def test_parts_tell_their_first_row_in_the_span(numbers):
    """Each span counts from 0, and no batch is larger than asked."""
    source, _table = numbers
    parts = list(_parquet.batches(source, Span(1, 3), Options(batch_size=4)))
    assert [0, 4, 8] == [part.first for part in parts]
    assert [4, 4, 2] == [part.batch.num_rows for part in parts]
    assert 5 == parts[0].batch.column("n")[0].as_py()


def test_spans_are_row_groups_by_bytes(numbers):
    """They cover all groups without gaps; a span has one at least."""
    source, _table = numbers
    ends = [Span(0, 1), Span(1, 2), Span(2, 3), Span(3, 4)]
    assert ends == _parquet.spans(source, 1, Options())
    assert [Span(0, 4)] == _parquet.spans(source, 1 << 20, Options())


def test_columns_come_in_the_order_asked_and_the_others_are_not_read(tmp_path):
    """Names with dots are names of columns, not paths into structs; none is a choice, too."""
    table = pa.table(
        {"a.b": [1, 2], "a": [{"b": 3, "c": 4}] * 2, "b": ["x", "y"], "": [5, 6], "a.": [7, 8]}
    )
    source = wrote(tmp_path / "dots.parquet", table)
    for columns in [("b", "a.b"), ("a",), ("a.b",), ("a.", ""), ("a", "a.b")]:
        assert table.select(list(columns)).equals(lab.read(source, columns=columns))
    parts = list(_parquet.batches(source, Span(), Options(columns=())))
    assert [([], 2)] == [(part.batch.schema.names, part.batch.num_rows) for part in parts]


def test_damage_in_a_column_that_is_not_asked_for_is_not_met(numbers):
    """Columns are pushed down to pyarrow: the pages of the others stay unread."""
    source, table = numbers
    damaged(source, 1, column=1)
    assert table.select(["n"]).equals(lab.read(source, columns=("n",)))
    with pytest.raises(DecodeError, match="CRC"):
        lab.read(source)


def test_an_unknown_column_is_named_with_the_nearest(numbers):
    """So that a typo is seen."""
    with pytest.raises(DataError, match=r"no column 'texts' \(did you mean 'text'\?\)"):
        list(_parquet.batches(numbers[0], Span(), Options(columns=("texts",))))


def test_columns_of_one_name_are_an_error(tmp_path):
    """A row cannot hold both, and pyarrow would give one of them."""
    table = pa.table([pa.array([1]), pa.array([2])], names=["x", "x"])
    source = wrote(tmp_path / "twice.parquet", table)
    with pytest.raises(FormatError, match="several columns are named 'x'"):
        list(_parquet.batches(source, Span(), Options()))


@pytest.mark.parametrize(
    "table",
    [
        pa.table({}),
        pa.table({"a": pa.array([], pa.int8())}),
        pa.table({"a": pa.array([], pa.struct({"b": pa.string()}))}),
    ],
)
def test_nothing_is_read_as_nothing(tmp_path, table):
    """Files without columns or rows have their schema, and no batches."""
    source = wrote(tmp_path / "none.parquet", table)
    assert table.schema == _parquet.schema(source, Options())
    assert 0 == lab.read(source).num_rows


def test_a_file_without_row_groups_is_read_as_nothing(tmp_path):
    """Writers that were opened and closed leave such."""
    path = tmp_path / "groups.parquet"
    pq.ParquetWriter(path, pa.schema({"a": pa.int8()})).close()
    assert 0 == pq.read_metadata(path).num_row_groups
    assert [Span(0, 0)] == _parquet.spans(lab.source(path, "parquet"), 1, Options())
    assert 0 == lab.read(lab.source(path, "parquet")).num_rows


def test_a_pandas_index_is_a_column_like_others(tmp_path):
    """Nothing of what is stored is dropped; a range is stored as metadata alone."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2]}, index=pandas.Index(["x", "y"], name="key"))
    frame.to_parquet(tmp_path / "index.parquet")
    frame.reset_index(drop=True).to_parquet(tmp_path / "range.parquet")
    found = lab.read(lab.source(tmp_path / "index.parquet", "parquet"))
    assert {"a": [1, 2], "key": ["x", "y"]} == found.to_pydict()
    assert frame.equals(found.to_pandas())
    assert ["a"] == lab.read(lab.source(tmp_path / "range.parquet", "parquet")).column_names


@pytest.mark.parametrize("keep", [0, 3, 4, 8, 12, 300, -1, -8, -9])
def test_a_truncated_file_is_named(numbers, keep):
    """The footer is at the end, so that nothing can be read; it is never taken for an empty one."""
    source, _table = numbers
    Path(source.path).write_bytes(Path(source.path).read_bytes()[:keep])
    with pytest.raises(DecodeError, match=source.path):
        _parquet.schema(source, Options())
    with pytest.raises(DecodeError, match=source.path):
        list(_parquet.batches(source, Span(), Options()))


def test_a_missing_file_is_not_found(tmp_path):
    """It is no damage."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        _parquet.schema(lab.source(tmp_path / "nowhere.parquet", "parquet"), Options())


def test_a_damaged_page_is_named_with_its_row(numbers):
    """Checksums that the file has are verified; the row is the file's, not the span's."""
    source, _table = numbers
    damaged(source, 2)
    with pytest.raises(DecodeError, match=r"row 10: .*CRC") as caught:
        list(_parquet.batches(source, Span(2, 4), Options()))
    assert (source.path, 10) == (caught.value.path, caught.value.row)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_a_damaged_row_group_is_skipped_as_a_whole(numbers, batch_size):
    """It is counted, and the same rows are left out whatever the batches' size."""
    source, table = numbers
    damaged(source, 1)
    skipped = Skipped()
    found = lab.read(source, on_error="skip", skipped=skipped, batch_size=batch_size)
    assert pa.concat_tables([table.slice(0, 5), table.slice(10)]).equals(found)
    assert (5, {source.path: 5}) == (skipped.rows, skipped.files)
    assert ["DecodeError"] == [type(error).__name__ for error in skipped.first]


def test_rows_of_a_skipped_group_count_where_parts_begin(numbers):
    """A part's place in its span is that in the file."""
    source, _table = numbers
    damaged(source, 1)
    parts = _parquet.batches(source, Span(0, 3), Options(on_error="skip", batch_size=3))
    assert [0, 3, 10, 13] == [part.first for part in parts]


def test_an_encrypted_file_is_named_as_such(tmp_path):
    """What could decrypt it is not known here, and pyarrow must not end the process."""
    encryption = pytest.importorskip("pyarrow.parquet.encryption")

    class Keys(encryption.KmsClient):
        def wrap_key(self, key_bytes, _master):
            return key_bytes.hex()

        def unwrap_key(self, wrapped, _master):
            return bytes.fromhex(wrapped)

    for plain in (True, False):
        config = encryption.EncryptionConfiguration(
            footer_key="f",
            column_keys={"c": ["a"]},
            plaintext_footer=plain,
            cache_lifetime=dt.timedelta(minutes=5),
        )
        factory = encryption.CryptoFactory(lambda _config: Keys())
        properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), config)
        table = pa.table({"a": [1, 2, 3]})
        source = wrote(tmp_path / "secret.parquet", table, encryption_properties=properties)
        with pytest.raises(FormatError, match="encrypted"):
            lab.read(source)


def test_what_so_few_bytes_cannot_mean_is_refused(tmp_path):
    """A file of billions of equal rows fits into a few bytes; a larger max_ratio reads them."""
    zeros = pa.nulls(1 << 22, pa.int8())
    path = tmp_path / "many.parquet"
    with pq.ParquetWriter(path, pa.schema({"zeros": pa.int8()})) as writer:
        writer.write_table(
            pa.table({"zeros": pa.chunked_array([zeros] * 5)}), row_group_size=5 << 22
        )
    source = lab.source(path, "parquet")
    with pytest.raises(LimitError, match=r"bytes tell of 20971520 rows: .*max_ratio"):
        lab.read(source, max_ratio=10)
    assert 5 << 22 == lab.read(source, batch_size=1 << 22).num_rows


def test_a_row_of_more_values_than_the_file_can_mean_is_refused(tmp_path):
    """Parquet stores millions of equal values of a list in a few bytes; they would be one batch."""
    items = pa.nulls((1 << 24) + 1, pa.int8()).fill_null(0)
    one = pa.ListArray.from_arrays(pa.array([0, len(items)], pa.int32()), items)
    source = wrote(tmp_path / "list.parquet", pa.table({"a": one}))
    with pytest.raises(LimitError, match=r"bytes tell of 16777217 values in a batch: .*max_ratio"):
        lab.read(source, max_ratio=10)
    assert 1 == lab.read(source, max_ratio=1 << 20).num_rows


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_remote_files_are_read_by_fsspec(tmp_path, scheme):
    """The same rows come from where fsspec opens."""
    fsspec = pytest.importorskip("fsspec")
    table = pa.table({"n": range(10)})
    path = f"/{tmp_path.name}/r.parquet" if scheme == "memory" else str(tmp_path / "r.parquet")
    with fsspec.open(f"{scheme}://{path}", "wb") as file:
        pq.write_table(table, file, row_group_size=3)
    source = Source(f"{scheme}://{path}", "parquet", is_remote=True)
    assert table.equals(lab.read(source, span=1))


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_what_is_compressed_as_a_whole_is_read(tmp_path, form):
    """Parquet and Arrow files inside gzip are decompressed once for each reader."""
    table, plain = pa.table({"n": range(10)}), tmp_path / f"a.{form}"
    if form == "parquet":
        pq.write_table(table, plain, row_group_size=3)
    else:
        pyarrow.feather.write_feather(table, plain, chunksize=3)
    path = tmp_path / f"a.{form}.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    assert table.equals(lab.read(Source(str(path), form, "gzip"), span=1))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DecodeError, match="truncated"):
        lab.read(Source(str(path), form, "gzip"))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 3))
def test_a_footer_of_any_bytes_is_damaged_or_has_numbers(footer, group):
    """Fields may be of other types than they should be."""
    file = pa.BufferReader(footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with contextlib.suppress(ValueError):
        assert isinstance(_parquet._Values(file).of(group), int)


@pytest.mark.parametrize("kind", [0x1B, 0x19, 0x1A])
def test_a_footer_cannot_declare_more_elements_than_it_has_bytes(kind):
    """A map, list or set of 2**62 booleans in a few bytes is an error, at once."""
    count = b"\xff" * 8 + b"\x3f"
    footer = bytes([kind]) + (count + b"\x11" if kind == 0x1B else b"\xf1" + count) + b"\0"
    with pytest.raises(ValueError, match=r"elements in \d+ bytes"):
        _thrift.Reader(footer).struct({})


def test_truncation_and_bit_flips_never_give_other_rows_silently():
    """With checksums on compressed pages: an error, or the rows that were written.

    The footer has no checksum: what it says of names and values' types may change. A longer run
    of this is ``python -m tests.fuzz_data_binary``.
    """
    from tests import fuzz_data_binary as fuzz

    rng = random.Random(0)
    told = fuzz.in_children("parquet", [rng.randrange(1 << 30)], cases=100)
    assert [] == told.problems
    assert 100 == told.cases
