"""Arrow IPC files, streams and Feather: shimhub.data.formats._ipc beside pyarrow's own reader."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="data needs pyarrow")
pytest.importorskip("hypothesis", reason="properties are drawn by it")

import pyarrow as pa
import pyarrow.feather
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.data import DataError, DecodeError, FormatError, LimitError
from shimhub.data._model import Options, Skipped, Source, Span
from shimhub.data.formats import _ipc
from tests import data_binary as lab
from tests import fuzz_data_binary as fuzz

MAKERS = {"file": pa.ipc.new_file, "stream": pa.ipc.new_stream}
CODECS = [None, "lz4", "zstd"]


def wrote(path, table, kind="stream", rows=4, **options):
    """Write the table in record batches of so many rows, and return it as a source."""
    asked = pa.ipc.IpcWriteOptions(**options)
    with MAKERS[kind](str(path), table.schema, options=asked) as writer:
        for batch in table.to_batches(max_chunksize=rows) if isinstance(table, pa.Table) else table:
            writer.write_batch(batch)
    return lab.source(path, "arrow")


def oracle(path, kind):
    """Return the rows as pyarrow reads them."""
    with pa.memory_map(str(path)) as file:
        return (pa.ipc.open_file if kind == "file" else pa.ipc.open_stream)(file).read_all()


@pytest.fixture(params=MAKERS)
def numbers(request, tmp_path):
    """Four record batches of five rows, and what kind of file it is."""
    table = pa.table({"n": range(20), "text": [f"row {i}" for i in range(20)]})
    return wrote(tmp_path / "n.arrow", table, request.param, rows=5), table, request.param


def overwritten(source, old, new, count=1):
    """Replace bytes that are there so often."""
    data = Path(source.path).read_bytes()
    assert count == data.count(old)
    Path(source.path).write_bytes(data.replace(old, new))


def damaged(source):
    """Let an offset of the second batch's text point outside of it."""
    length = len("row 5")
    old = struct.pack("<3i", 0, length, 2 * length)
    data = Path(source.path).read_bytes()
    second = data.index(old, data.index(old) + 1)
    made = data[:second] + struct.pack("<3i", 0, 1 << 30, 2 * length) + data[second + 12 :]
    Path(source.path).write_bytes(made)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("codec", [None, "zstd"])
@pytest.mark.parametrize("name", lab.ipc_columns())
def test_every_type_is_as_pyarrow_reads_it(tmp_path, name, kind, codec):
    """Values and types are those of read_all, for each codec."""
    column = lab.ipc_columns()[name]
    rows = 6 if name in {"dictionary", "lists_of_codes"} else 4
    source = wrote(tmp_path / "a", pa.table({name: column}), kind, rows, compression=codec)
    expected = oracle(source.path, kind)
    found = lab.read(source)
    assert expected.schema == found.schema == _ipc.schema(source, Options())
    assert repr(expected.to_pylist()) == repr(found.to_pylist())


@pytest.mark.parametrize("codec", ["uncompressed", "lz4", "zstd"])
def test_feather_2_is_an_arrow_file(tmp_path, codec):
    """Whatever it is compressed with; columns that are not asked for are not decompressed."""
    table = pa.table(lab.parquet_columns())
    pyarrow.feather.write_feather(table, tmp_path / "t.feather", compression=codec, chunksize=4)
    source = lab.source(tmp_path / "t.feather", "arrow")
    found = lab.read(source, span=1)
    assert repr(pyarrow.feather.read_table(source.path).to_pylist()) == repr(found.to_pylist())
    columns = ("string", "dictionary", "int8")
    some = lab.read(source, columns=columns)
    assert columns == tuple(some.column_names)
    assert table.select(list(columns)).to_pylist() == some.to_pylist()


def test_feather_1_is_an_error_with_the_cure(tmp_path):
    """Support for it ends in pyarrow itself."""
    (tmp_path / "old.feather").write_bytes(b"FEA1" + bytes(40) + b"FEA1")
    with pytest.raises(FormatError, match=r"write_feather\(pyarrow.feather.read_table"):
        _ipc.schema(lab.source(tmp_path / "old.feather", "arrow"), Options())


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 40),
    group=st.integers(1, 15),
    span=st.integers(1, 3000),
    kind=st.sampled_from(list(MAKERS)),
    codec=st.sampled_from(CODECS),
    columns=st.sampled_from([None, ("n",), ("m", "n"), ("code",), ()]),
    is_coded=st.booleans(),
)
def test_how_it_is_split_does_not_show(
    tmp_path_factory, rows, group, span, kind, codec, columns, is_coded
):
    """Record batches and spans of any size have the same rows in the same order."""
    texts = [[{"role": "user", "content": str(i)}] * (i % 3) for i in range(rows)]
    messages = pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))
    codes = pa.array([str(i % 3) for i in range(rows)], pa.string())
    table = pa.table(
        {
            "n": pa.array(range(rows), pa.int64()),
            "m": pa.array(texts, messages),
            "code": codes.dictionary_encode() if is_coded else codes,
        }
    )
    path = tmp_path_factory.mktemp("i") / "s.arrow"
    source = wrote(path, table, kind, group, compression=codec)
    found = lab.read(source, columns=columns, span=span)
    expected = table if columns is None else table.select(list(columns))
    assert expected.to_pylist() == found.to_pylist() or columns == ()
    first = [part.first for part in _ipc.batches(source, Span(), Options(columns=columns))]
    assert list(range(0, rows, group)) == first


def test_spans_of_a_file_are_batches_and_of_a_stream_bytes(numbers):
    """They cover all without gaps, and each begins with a message."""
    source, table, kind = numbers
    found = _ipc.spans(source, 1, Options())
    assert [0, *(span.stop for span in found[:-1])] == [span.start for span in found]
    assert ([4, None][kind == "stream"], 4) == (found[-1].stop, len(found))
    last = pa.Table.from_batches([part.batch for part in _ipc.batches(source, found[2], Options())])
    assert table.slice(10, 5).equals(last)
    assert 1 == len(_ipc.spans(source, 1 << 30, Options()))


def test_dictionaries_may_be_replaced_in_a_stream(tmp_path):
    """Each batch has the dictionary that was the last before it."""
    kind = pa.dictionary(pa.int8(), pa.string())
    batches = [
        pa.record_batch({"a": pa.array(values).dictionary_encode().cast(kind)})
        for values in (["x", "y", "x"], ["z", "z"], ["y", None, "w"])
    ]
    source = wrote(tmp_path / "replaced", _Batches(batches), unify_dictionaries=False)
    found = [part.batch.column("a").to_pylist() for part in _ipc.batches(source, Span(), Options())]
    assert [["x", "y", "x"], ["z", "z"], ["y", None, "w"]] == found
    assert [Span()] == _ipc.spans(source, 1, Options())


@pytest.mark.parametrize("kind", MAKERS)
def test_dictionaries_may_grow(tmp_path, kind):
    """Deltas are added to the dictionary before."""
    codes = pa.dictionary(pa.int8(), pa.string())
    batches = [
        pa.record_batch(
            {"a": pa.DictionaryArray.from_arrays(pa.array(at, pa.int8()), texts).cast(codes)}
        )
        for at, texts in (([0, 1], ["x", "y"]), ([2, 0], ["x", "y", "z"]))
    ]
    source = wrote(tmp_path / "grown", _Batches(batches), kind, emit_dictionary_deltas=True)
    found = [part.batch.column("a").to_pylist() for part in _ipc.batches(source, Span(), Options())]
    assert [["x", "y"], ["z", "x"]] == found


class _Batches(list):
    """Batches that are written as they are."""

    @property
    def schema(self):
        return self[0].schema


def test_columns_of_one_name_are_an_error(tmp_path):
    """A row cannot hold both."""
    table = pa.table([pa.array([1]), pa.array([2])], names=["x", "x"])
    source = wrote(tmp_path / "twice.arrow", table)
    with pytest.raises(FormatError, match="several columns are named 'x'"):
        list(_ipc.batches(source, Span(), Options()))


def test_an_unknown_column_is_named(numbers):
    """With the nearest."""
    with pytest.raises(DataError, match=r"no column 'texts' \(did you mean 'text'\?\)"):
        list(_ipc.batches(numbers[0], Span(), Options(columns=("texts",))))


@pytest.mark.parametrize("table", [pa.table({}), pa.table({"a": pa.array([], pa.string())})])
@pytest.mark.parametrize("kind", MAKERS)
def test_nothing_is_read_as_nothing(tmp_path, table, kind):
    """Files without columns or rows have their schema."""
    source = wrote(tmp_path / "none.arrow", table, kind)
    assert table.schema == lab.read(source).schema
    assert 0 == lab.read(source).num_rows


def test_an_empty_file_is_an_error(tmp_path):
    """It has no schema: it was never written to its end."""
    (tmp_path / "empty.arrow").write_bytes(b"")
    with pytest.raises(DecodeError, match="empty"):
        _ipc.schema(lab.source(tmp_path / "empty.arrow", "arrow"), Options())


def test_a_missing_file_is_not_found(tmp_path):
    """It is no damage."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        _ipc.schema(lab.source(tmp_path / "nowhere.arrow", "arrow"), Options())


def test_a_file_cut_off_anywhere_is_never_whole(numbers):
    """At each byte: an error; with skip, rows from the beginning, and what is missing is told."""
    source, table, _kind = numbers
    data = Path(source.path).read_bytes()
    for keep in range(0, len(data), 7):
        Path(source.path).write_bytes(data[:keep])
        with pytest.raises(DecodeError, match=source.path):
            lab.read(source)
        skipped = Skipped()
        try:
            found = lab.read(source, on_error="skip", skipped=skipped)
        except DecodeError:
            assert keep < 600, "where the schema is"
            continue
        assert 1 == len(skipped.first)
        assert table.slice(0, found.num_rows).equals(found)
        assert 0 == found.num_rows % 5


def test_a_stream_without_its_end_is_truncated(tmp_path):
    """Pyarrow takes it for whole; a writer that was killed leaves such."""
    source = wrote(tmp_path / "s.arrow", pa.table({"a": range(8)}))
    os.truncate(source.path, os.path.getsize(source.path) - 8)
    assert 8 == oracle(source.path, "stream").num_rows
    with pytest.raises(DecodeError, match="no end-of-stream marker: truncated"):
        lab.read(source)
    skipped = Skipped()
    assert 8 == lab.read(source, on_error="skip", skipped=skipped).num_rows
    assert (0, 0) == (skipped.rows, skipped.unread)
    assert "truncated" in str(skipped.first[0])


def test_bytes_after_the_end_are_not_dropped_in_silence(tmp_path):
    """Two streams in one file are not one stream: pyarrow reads the first."""
    source = wrote(tmp_path / "s.arrow", pa.table({"a": range(8)}))
    data = Path(source.path).read_bytes()
    Path(source.path).write_bytes(data * 2)
    with pytest.raises(DecodeError, match=f"{len(data)} bytes after the end of the stream"):
        lab.read(source)


def test_a_file_without_its_footer_is_read_as_the_stream_in_it(tmp_path):
    """Where errors are skipped; otherwise it is an error."""
    table = pa.table({"a": range(8), "b": ["x"] * 8})
    source = wrote(tmp_path / "f.arrow", table, "file")
    os.truncate(source.path, os.path.getsize(source.path) - 1)
    with pytest.raises(DecodeError, match="footer is missing: truncated"):
        lab.read(source)
    skipped = Skipped()
    assert table.equals(lab.read(source, on_error="skip", skipped=skipped))
    assert "after the end of the stream" in str(skipped.first[0])


def test_offsets_outside_of_their_buffer_are_an_error(numbers):
    """Pyarrow gives such a batch out, and crashes later; the place in the file is told."""
    source, table, kind = numbers
    damaged(source)
    assert 20 == oracle(source.path, kind).num_rows
    with pytest.raises(DecodeError, match=r"n\.arrow, byte \d+: .*offset"):
        lab.read(source)
    skipped = Skipped()
    found = lab.read(source, on_error="skip", skipped=skipped)
    assert pa.concat_tables([table.slice(0, 5), table.slice(10)]).equals(found)
    assert (5, 0, {source.path: 5}) == (skipped.rows, skipped.unread, skipped.files)
    parts = _ipc.batches(source, Span(), Options(on_error="skip"))
    assert [0, 10, 15] == [part.first for part in parts]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("columns", [None, ("text",)])
def test_offsets_that_a_codec_hides_are_looked_at(tmp_path, kind, codec, columns):
    """They are what was compressed, so no codec finds them wrong; in memory they are checked."""
    buffers = [None, pa.py_buffer(struct.pack("<3i", 0, 1 << 20, 4)), pa.py_buffer(b"text")]
    text = pa.Array.from_buffers(pa.string(), 2, buffers)
    table = [pa.record_batch({"n": [1, 2], "text": text})]
    schema = table[0].schema
    path = tmp_path / "n.arrow"
    with MAKERS[kind](path, schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as sink:
        sink.write_batch(table[0])
    with pytest.raises(DecodeError, match=r"n\.arrow, byte \d+: .*[Oo]ffset"):
        lab.read(lab.source(path, "arrow"), columns=columns)


def test_damage_in_a_column_that_is_not_asked_for_does_not_matter(numbers):
    """Its values are not looked at."""
    source, table, _kind = numbers
    damaged(source)
    assert table.select(["n"]).equals(lab.read(source, columns=("n",)))


@pytest.mark.parametrize("kind", MAKERS)
def test_codes_outside_of_their_dictionary_are_an_error(tmp_path, kind):
    """And in a stream, what follows is unread: its dictionaries are not known any more."""
    codes = pa.array(["a", "b", "c", "a"] * 2).dictionary_encode()
    table = pa.table({"code": codes, "n": pa.array([77] * 8, pa.int8())})
    source = wrote(tmp_path / "c.arrow", table, kind)
    first = struct.pack("<4i", 0, 1, 2, 0)
    data = Path(source.path).read_bytes()
    at = data.index(first)
    Path(source.path).write_bytes(data[:at] + struct.pack("<4i", 0, 1, 99, 0) + data[at + 16 :])
    with pytest.raises(DecodeError, match="byte"):
        lab.read(source)
    skipped = Skipped()
    found = lab.read(source, on_error="skip", skipped=skipped)
    assert {"file": (4, 4), "stream": (0, 8)}[kind] == (found.num_rows, skipped.rows)
    assert bool(skipped.unread) == (kind == "stream")


def test_the_wrong_kind_of_bytes_is_named(tmp_path):
    """Text, for example."""
    (tmp_path / "t.arrow").write_text('{"a": 1}\n' * 50, encoding="utf-8")
    with pytest.raises(DecodeError, match=r"t\.arrow"):
        _ipc.schema(lab.source(tmp_path / "t.arrow", "arrow"), Options())


def test_big_endian_data_is_read_as_numbers(tmp_path):
    """As pyarrow does: bytes are swapped, which reading a message by itself would not do."""
    source = wrote(tmp_path / "big", pa.table({"n": pa.array([1, 256], pa.int32())}))
    made = _as_big_endian(Path(source.path).read_bytes())
    Path(source.path).write_bytes(made)
    assert [1 << 24, 1 << 16] == oracle(source.path, "stream")["n"].to_pylist()
    assert [1 << 24, 1 << 16] == lab.read(source)["n"].to_pylist()


def _as_big_endian(data):
    """Say in the schema that the rest is big-endian: its field is behind the table's vtable."""
    made = bytearray(data)
    top = 8 + struct.unpack_from("<I", made, 8)[0]

    def slot(table, number):
        vtable = table - struct.unpack_from("<i", made, table)[0]
        return vtable + 4 + 2 * number

    header = top + struct.unpack_from("<H", made, slot(top, 2))[0]
    schema = header + struct.unpack_from("<I", made, header)[0]
    place = slot(schema, 0)
    assert 0 == struct.unpack_from("<H", made, place)[0], "little-endian is the default"
    # The two bytes behind the offset of the vtable in the table are padding or a short: 1 there.
    free = _one(made, schema)
    struct.pack_into("<H", made, place, free - schema)
    return bytes(made)


def _one(made, schema):
    """Return a place behind the table at which the short 1 stands."""
    at = schema
    while struct.unpack_from("<H", made, at)[0] != 1:
        at += 2
    return at


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_bomb_is_refused_before_it_is_decompressed(tmp_path, codec):
    """Gigabytes of zeros in a few kilobytes; a larger max_ratio reads them."""
    zeros = pa.table({"zeros": pa.nulls(1 << 24, pa.int64()).fill_null(0)})
    source = wrote(tmp_path / "bomb", zeros, rows=1 << 24, compression=codec)
    ratio = zeros.nbytes / os.path.getsize(source.path)
    with pytest.raises(LimitError, match=r"bytes tell of \d+ bytes: .*max_ratio"):
        lab.read(source, max_ratio=int(ratio / 2))
    assert 1 << 24 == lab.read(source, max_ratio=int(ratio * 2)).num_rows


@pytest.mark.parametrize("kind", MAKERS)
def test_rows_that_take_no_bytes_are_limited(tmp_path, kind):
    """Billions of nulls are a few bytes."""
    many = pa.Array.from_buffers(pa.null(), (1 << 31) - 1, [None])
    source = wrote(tmp_path / "nulls", _Batches([pa.record_batch({"a": many})]), kind)
    with pytest.raises(LimitError, match=r"tell of 2147483647 values"):
        lab.read(source)
    source = wrote(tmp_path / "some", pa.table({"a": pa.nulls(1 << 20)}), kind, rows=1 << 20)
    assert 1 << 20 == lab.read(source).num_rows


@pytest.mark.parametrize("scheme", ["memory", "file"])
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("is_coded", [False, True])
def test_remote_files_are_read_by_fsspec(tmp_path, scheme, kind, is_coded):
    """The same rows come from where fsspec opens."""
    fsspec = pytest.importorskip("fsspec")
    texts = pa.array(["a", "b"] * 5)
    table = pa.table({"n": range(10), "t": texts.dictionary_encode() if is_coded else texts})
    sink = io.BytesIO()
    with MAKERS[kind](sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    path = f"/{tmp_path.name}/r.arrow" if scheme == "memory" else str(tmp_path / "r.arrow")
    with fsspec.open(f"{scheme}://{path}", "wb") as file:
        file.write(sink.getvalue())
    source = Source(f"{scheme}://{path}", "arrow", is_remote=True)
    assert table.equals(lab.read(source, span=1))
    assert table.select(["t"]).equals(lab.read(source, columns=("t",)))


def test_a_file_that_gets_shorter_while_it_is_read_is_an_error(tmp_path):
    """It is looked at before each batch: a page that is gone ends the process otherwise."""
    source = wrote(tmp_path / "s.arrow", pa.table({"a": range(10000)}), rows=1000)
    parts = _ipc.batches(source, Span(), Options())
    assert 1000 == next(parts).batch.num_rows
    os.truncate(source.path, 4096)
    with pytest.raises(DecodeError, match="it became shorter while it was read"):
        next(parts)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_pages_that_were_read_are_let_go(tmp_path):
    """A mapped file of 128 MB takes less than half of that of the process, though all is read."""
    table = pa.table({"a": pa.array(range(1 << 17))})
    source = wrote(tmp_path / "big.arrow", pa.concat_tables([table] * 128), rows=1 << 17)
    code = """
        import sys
        from pathlib import Path
        import pyarrow.compute as pc
        from shimhub.data.formats import _ipc
        from shimhub.data._model import Options, Source, Span

        def resident():
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))

        first = resident()
        parts = _ipc.batches(Source(sys.argv[1], "arrow"), Span(), Options())
        most = max(resident() for part in parts if pc.sum(part.batch.column("a")))
        print(most - first)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), source.path]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=fuzz.ROOT)
    assert int(done.stdout) < 64 << 10


def test_truncation_and_bit_flips_never_crash_or_give_invalid_rows():
    """The format has no checksums: other values may come, but only such as are valid.

    A longer run of this is ``python -m tests.fuzz_data_binary``.
    """
    rng = random.Random(0)
    told = fuzz.in_children("ipc", [rng.randrange(1 << 30)], cases=100)
    assert [] == told.problems
    assert 100 == told.cases


def test_a_first_message_unlike_the_footer_is_passed_over(tmp_path):
    """The footer tells the columns of a file; pyarrow's file reader looks at no other schema."""
    table = pa.table({"name": ["a", "b"], "n": [1, 2]})
    source = wrote(tmp_path / "f.arrow", table, "file")
    data = Path(source.path).read_bytes()
    assert 2 == data.count(b"name\0")
    Path(source.path).write_bytes(data.replace(b"name\0", b"mame\0", 1))
    assert table.equals(lab.read(source))
    Path(source.path).write_bytes(data[:8] + bytes(16) + data[24:])
    assert table.equals(lab.read(source))


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_between_damaged_compressed_batches_is_read(tmp_path, kind):
    """Each is read by itself, also behind one that does not decompress."""
    rng = random.Random(0)
    table = pa.table({"text": [rng.randbytes(900).hex() for _ in range(12)]})
    source = wrote(tmp_path / "z.arrow", table, kind, rows=3, compression="zstd")
    frames = Path(source.path).read_bytes().split(b"\x28\xb5\x2f\xfd")
    second = [number for number, frame in enumerate(frames) if len(frame) > 2000][1]
    made = [b"\x28\xb5\x2f\xfd".join(some) for some in (frames[:second], frames[second:])]
    Path(source.path).write_bytes(b"none".join(made))
    skipped = Skipped()
    found = lab.read(source, on_error="skip", skipped=skipped)
    assert 3 == skipped.rows
    assert 9 == found.num_rows
    assert table.take([0, 1, 2, *range(6, 12)]).equals(found.combine_chunks())
