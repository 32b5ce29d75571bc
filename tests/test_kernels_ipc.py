"""Record batches of IPC: the library and the reference beside pyarrow's own full check."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("pyarrow", reason="Arrow's own check is the oracle")

import pyarrow as pa

from shimhub.data.formats import _array_checks
from shimhub.data.formats._ipc_fields import ipc_fields, is_free
from shimhub.kernels._reference import ipc as reference
from shimhub.kernels.ipc import IpcBatches
from tests import data_binary as lab
from tests import fuzz_data_binary as fuzz

OTHERS = {
    *("dictionary", "lists_of_codes", "map", "string_view", "binary_view", "list_view"),
    *("large_list_view", "dense_union", "sparse_union", "run_end"),
}
COLUMNS = {name: one for name, one in lab.ipc_columns().items() if name not in OTHERS}


def told(data, schema, at=0):
    """Return what both say of the message at a place: the same."""
    fields = ipc_fields(schema)
    found = IpcBatches(data, fields).at(at)
    expected = reference.batch(data, at, fields)
    if found is None:
        assert expected is None
        return None
    same = found.end, found.rows, found.most, found.decoded, bool(found.is_compressed)
    assert expected == same
    return same


def written(columns, rows=6, codec=None):
    """Return the message of some rows, and their schema."""
    batch = pa.record_batch({name: one.slice(0, rows) for name, one in columns.items()})
    sink, options = pa.BufferOutputStream(), pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    file = pa.BufferReader(sink.getvalue())
    pa.ipc.read_message(file)
    start = file.tell()
    pa.ipc.read_message(file)
    return sink.getvalue().to_pybytes()[start : file.tell()], batch.schema


@pytest.mark.parametrize("name", sorted(COLUMNS))
@pytest.mark.parametrize("rows", [0, 1, 6])
def test_what_pyarrow_wrote_is_certain(name, rows):
    """Of each type that is known, also without rows, and behind other bytes."""
    data, schema = written({name: COLUMNS[name]}, rows)
    end, found, most, decoded, is_compressed = told(b"before!!" + data, schema, 8)
    assert (8 + len(data), rows, False) == (end, found, is_compressed)
    assert most >= rows
    assert 0 <= decoded < len(data)


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_other_layouts_are_not_known(name):
    """They have dictionaries, or buffers that are not looked at."""
    assert ipc_fields(pa.schema([("a", lab.ipc_columns()[name].type)])) is None


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_of_compressed_batches_the_places_are_known(codec):
    """And how many bytes they say they become."""
    data, schema = written({"a": pa.array(["x" * 99] * 100)}, 100, codec)
    end, rows, _most, decoded, is_compressed = told(data, schema)
    assert (len(data), 100, True) == (end, rows, is_compressed)
    assert 0 <= decoded - (4 * 101 + 9900) < 64, "what does not get smaller is told as it is"


def test_the_longest_array_is_told():
    """It is a list's values here."""
    data, schema = written({"a": pa.array([[0] * 50, [1] * 51])}, 2)
    assert 101 == told(data, schema)[2]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pa.int8(), False),
        (pa.list_(pa.string()), False),
        (pa.struct([("a", pa.bool_())]), False),
        (pa.null(), True),
        (pa.binary(0), True),
        (pa.struct([]), True),
        (pa.list_(pa.int8(), 0), True),
        (pa.list_(pa.struct([])), True),
    ],
)
def test_rows_that_may_take_no_bytes(kind, expected):
    """They are the same as by the types."""
    schema = pa.schema([("a", kind)])
    assert expected == is_free(ipc_fields(schema)) == _array_checks.is_free(schema)


def accepted(data, schema):
    """Whether pyarrow's full check finds the batch right; None if it cannot be read at all."""
    try:
        batch = pa.ipc.read_record_batch(pa.py_buffer(data), schema)
    except (pa.ArrowException, OSError):
        return None
    try:
        _array_checks.check(batch)
    except pa.ArrowException:
        return False
    return True


@pytest.mark.parametrize("seed", range(4))
def test_what_is_certain_is_right(seed):
    """Of damaged batches the reference says the same, and pyarrow never finds them wrong."""
    rng, seen = random.Random(seed), {True: 0, False: 0, None: 0}
    names = [name for name in sorted(COLUMNS) if "int" not in name]
    for _ in range(400):
        some = {name: COLUMNS[name] for name in rng.sample(names, 3)}
        sound, schema = written(some)
        data, _places = fuzz.damage(sound, rng)
        if told(data, schema) is not None:
            found = accepted(data, schema)
            assert found is not False, (some, data)
            seen[found] += 1
    assert seen[True] > 20


@pytest.mark.parametrize("place", [-1, -(1 << 63), 1 << 40, (1 << 63) - 1])
def test_places_outside_of_the_file_have_no_batch(place):
    """Footers that are damaged tell of such."""
    data, schema = written({"a": pa.array([1])}, 1)
    assert told(data, schema, place) is None
