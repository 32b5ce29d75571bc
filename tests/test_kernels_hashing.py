"""Digests of rows, against hashlib, xxhash and the canonical encoding in Python."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import _columns, _loading, hashing
from shimhub.kernels._reference import hashing as reference

ANY_THREADS = [0, 1, 2, 5]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def sha256(rows) -> list[str]:
    """Return hashlib's answer."""
    return [
        hashlib.sha256(row.encode() if isinstance(row, str) else row).hexdigest() for row in rows
    ]


def expected(data, algorithm="sha256", seed=0):
    """Return what the reference answers."""
    return reference.digests(hashing.as_rows(data), algorithm, seed).tolist()


def found(data, **options):
    """Return the digests as lists."""
    return kernels.hash_rows(data, **options).tolist()


@pytest.fixture
def every_lane():
    """Yield a function that runs a call with each subset of lanes; lanes are restored."""
    native = _loading.native()
    if native is None:
        pytest.skip("the native library is not here")
    before = native.lib.shimhub_lanes()

    def run(call):
        for mask in range(before + 1):
            if mask & ~before:
                continue
            native.lib.shimhub_lanes_use(mask)
            yield call()

    yield run
    native.lib.shimhub_lanes_use(before)


@given(st.lists(TEXT | st.binary()))
def test_digests_of_lists_are_hashlibs(rows):
    """Strings of every width of characters, and bytes, have the digests of their UTF-8."""
    assert sha256(rows) == kernels.hash_rows(rows, output="hex")
    assert sha256(rows) == kernels.hash_rows(tuple(rows), output="hex", threads=2)


def test_long_stretches_and_mixtures_are_utf8():
    """A character of each width anywhere within 30 others of each is encoded as by Python."""
    parts = [
        "a",
        "\x7f",
        "\x80",
        "é",
        "\u07ff",
        "\u0800",
        "日",
        "\uffff",
        "\U00010000",
        "\U0010ffff",
    ]
    rows = [
        around * at + part + around * (30 - at)
        for part in parts
        for around in parts
        for at in range(31)
    ]

    assert sha256(rows) == kernels.hash_rows(rows, output="hex")


def test_digests_are_those_of_xxhash():
    """XXH3 with a seed is what the xxhash package says, in its canonical order of bytes."""
    xxhash = pytest.importorskip("xxhash")
    rows = ["x" * size for size in (0, 1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 5000)]

    for seed in (0, 1, 2**64 - 1):
        digests = [xxhash.xxh3_128_hexdigest(row.encode(), seed) for row in rows]
        assert digests == kernels.hash_rows(rows, algorithm="xxh3_128", seed=seed, output="hex")


@pytest.mark.parametrize("algorithm", ["sha256", "xxh3_128"])
def test_all_lanes_and_threads_agree(every_lane, algorithm):
    """Every instruction set and count of threads gives the bytes of the reference."""
    rows = [chr(97 + i % 700) * (i * 7 % 1000) for i in range(5000)]
    table = {"a": np.arange(5000) % 7, "b": np.linspace(0, 1, 5000)}
    for data in (rows, table):
        answer = kernels.hash_rows(data, algorithm=algorithm, seed=3).tolist()
        assert expected(data, algorithm, 3)[::100] == answer[::100]
        for threads in ANY_THREADS:
            for one in every_lane(
                lambda data=data, threads=threads: found(
                    data, algorithm=algorithm, seed=3, threads=threads
                )
            ):
                assert answer == one


def test_shapes_and_dtypes():
    """Digests are an array of bytes with a row each; no rows are an array of the same width."""
    for algorithm, size in (("sha256", 32), ("xxh3_128", 16)):
        digests = kernels.hash_rows(["a", "b"], algorithm=algorithm)
        assert ((2, size), np.dtype(np.uint8)) == (digests.shape, digests.dtype)
        assert (0, size) == kernels.hash_rows([], algorithm=algorithm).shape
        assert [] == kernels.hash_rows([], algorithm=algorithm, output="hex")


def test_strings_do_not_grow():
    """Hashing leaves no UTF-8 copy within a string, as str.encode's cache would."""
    import sys

    rows = ["é" * 1000, "日" * 1000, "😀" * 1000]
    before = [sys.getsizeof(row) for row in rows]
    kernels.hash_rows(rows)

    assert before == [sys.getsizeof(row) for row in rows]


@pytest.mark.parametrize("threads", ANY_THREADS)
def test_lone_surrogates_name_the_row(threads):
    """A string without UTF-8 is a ValueError with the first such row, on any threads."""
    rows = ["a"] * 5000 + ["b\udc00"] + ["日\ud800"] * 5000

    with pytest.raises(ValueError, match=r"data\[5000\]: a lone surrogate"):
        kernels.hash_rows(rows, threads=threads)


@pytest.mark.parametrize("threads", ANY_THREADS)
@pytest.mark.parametrize("wrong", [None, 1, 1.5, ["a"]])
def test_other_objects_name_the_row(threads, wrong):
    """A row that is neither str nor bytes is a TypeError with its place and type."""
    rows = ["a"] * 3000 + [wrong]

    with pytest.raises(TypeError, match=rf"data\[3000\]: {type(wrong).__name__}, want str or byt"):
        kernels.hash_rows(rows, threads=threads)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algorithm": "md5"}, "algorithm: 'md5', want one of sha256, xxh3_128"),
        ({"seed": -1}, "seed: -1, want 0 to"),
        ({"seed": 2**64}, "seed: 18446744073709551616, want 0 to"),
        ({"threads": -1}, "threads: -1, want 0"),
        ({"output": "text"}, "output: 'text', want 'digest' or 'hex'"),
    ],
)
def test_wrong_options_are_named(options, message):
    """An option that is none of its values is a ValueError."""
    with pytest.raises(ValueError, match=message):
        kernels.hash_rows(["a"], **options)


def test_subclasses_are_what_they_hold():
    """Subclasses of str, bytes and list are read as their base."""

    class Text(str):
        __slots__ = ()

    class Rows(list):
        pass

    assert sha256(["a", "é"]) == kernels.hash_rows(Rows([Text("a"), np.str_("é")]), output="hex")


def test_columns_of_strings_have_the_digests_of_their_bytes():
    """A column of strings answers as a list of them does; null is all zeros, and empty is not."""
    pa = pytest.importorskip("pyarrow")
    rows = ["a", "", "日本", "x" * 999]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        assert sha256(rows) == kernels.hash_rows(pa.array(rows, kind), output="hex")
    digests = kernels.hash_rows(pa.array(["", None]), output="hex")
    assert [hashlib.sha256(b"").hexdigest(), "00" * 32] == digests
    assert sha256(["a", "é"]) == kernels.hash_rows(np.array(["a", "é"]), output="hex")


def test_a_row_is_encoded_as_documented():
    """The bytes that are hashed of a row, written out."""
    (column,) = _columns.rows({"n": np.array([258], dtype=np.int32), "f": np.array([-0.0])})
    count = (8).to_bytes(8, "little")
    row = b"\0\6" + (2).to_bytes(8, "little")
    row += b"\0\1" + (4).to_bytes(8, "little") + b"\2\1\0\0"
    row += b"\0\2" + count + bytes(8)

    assert row == reference.encode(column, 0, 1)
    assert [hashlib.sha256(row).hexdigest()] == kernels.hash_rows(
        {"n": np.array([258], dtype=np.int32), "f": np.array([-0.0])}, output="hex"
    )


def test_numbers_are_hashed_by_value():
    """Every NaN is one, zeros have no sign, in each width; other bits count."""
    for width in (2, 4, 8):
        floats = np.array([0.0, 1.0, np.nan, np.nan], dtype=f"f{width}")
        same = np.array([-0.0, 1.0, np.nan, np.nan], dtype=f"f{width}")
        same.view(f"u{width}")[2:] |= 1
        same.view(f"i{width}")[3] |= np.iinfo(f"i{width}").min
        assert found(floats) == found(same) == expected(same)
        assert 3 == len({tuple(digest) for digest in found(floats)})


def test_values_that_look_alike_differ():
    """Null, empty, and values that run into each other have digests of their own."""
    pa = pytest.importorskip("pyarrow")
    kind = pa.struct({"a": pa.list_(pa.string()), "b": pa.string()})
    rows = [
        None,
        {"a": None, "b": None},
        {"a": [], "b": None},
        {"a": None, "b": ""},
        {"a": [], "b": ""},
        {"a": [None], "b": ""},
        {"a": [""], "b": ""},
        {"a": ["", ""], "b": ""},
        {"a": ["ab"], "b": "c"},
        {"a": ["a"], "b": "bc"},
        {"a": ["a", "b"], "b": "c"},
        {"a": ["a", None], "b": "bc"},
    ]
    digests = kernels.hash_rows(pa.array(rows, kind), output="hex")

    assert len(rows) == len(set(digests))


def arrow_rows():
    """Return a strategy of (type, rows) of nested Arrow arrays."""
    import pyarrow as pa

    leaves = st.sampled_from(
        [
            (pa.int8(), st.integers(-2, 2)),
            (pa.int64(), st.integers(-2, 2)),
            (pa.float32(), st.sampled_from([0.0, -0.0, 1.0, float("nan")])),
            (pa.float64(), st.sampled_from([0.0, -0.0, 1.0, float("nan")])),
            (pa.bool_(), st.booleans()),
            (pa.string(), st.sampled_from(["", "a", "é"])),
            (pa.large_binary(), st.sampled_from([b"", b"a", b"\0"])),
            (pa.null(), st.none()),
        ]
    )

    def nest(inner):
        lists = inner.map(lambda one: (pa.list_(one[0]), st.lists(st.none() | one[1], max_size=3)))
        fixed = inner.map(
            lambda one: (pa.list_(one[0], 2), st.lists(st.none() | one[1], min_size=2, max_size=2))
        )
        structs = st.lists(inner, min_size=1, max_size=2).map(
            lambda ones: (
                pa.struct([(f"f{i}", one[0]) for i, one in enumerate(ones)]),
                st.fixed_dictionaries({f"f{i}": st.none() | one[1] for i, one in enumerate(ones)}),
            )
        )
        return lists | fixed | structs

    kinds = st.recursive(leaves, nest, max_leaves=3)
    return kinds.flatmap(
        lambda one: st.tuples(st.just(one[0]), st.lists(st.none() | one[1], max_size=12))
    )


@given(st.data())
def test_digests_of_columns_are_the_references(data):
    """Any nested type, sliced and chunked anywhere, has the digests of the reference."""
    pa = pytest.importorskip("pyarrow")
    kind, rows = data.draw(arrow_rows())
    array = pa.array(rows, kind)
    start = data.draw(st.integers(0, len(rows)))
    middle = data.draw(st.integers(start, len(rows)))
    chunked = pa.chunked_array([array[start:middle], array[middle:]], kind)
    whole = expected(array)

    assert whole == found(array)
    assert whole[start:] == found(chunked, threads=2)
    assert expected(array, "xxh3_128", 9) == found(array, algorithm="xxh3_128", seed=9)


def test_tables_are_their_rows():
    """A table, its batches, other chunks and a dict of its columns have the same digests."""
    pa = pytest.importorskip("pyarrow")
    columns = {"a": pa.array([1, None, 3]), "b": pa.array(["x", "y", None])}
    table = pa.table(columns)
    chunked = pa.concat_tables([table[:1], table[1:]])

    assert found(table) == found(chunked) == found(columns) == expected(table)
    assert found(table) == found(pa.table({"other": columns["a"], "names": columns["b"]}))
    assert found(table) != found(table.select(["b", "a"]))


def test_wrong_offsets_are_told(monkeypatch):
    """The native library and the reference refuse columns that leave their buffers, by row."""
    bad = kernels.Ragged([1, 2, 3], [0, 2, 1])
    for _ in range(2):
        with pytest.raises(ValueError, match="data: offsets of row 1 fall"):
            kernels.hash_rows(bad)
        monkeypatch.setattr(_loading, "native", lambda: None)


def test_without_the_library_the_answers_are_the_same(monkeypatch):
    """The reference serves lists, columns and tables, as digests and as text."""
    table = {"a": np.array([1.0, np.nan]), "b": np.array(["x", ""])}
    cases = [["a", b"b", "é"], np.array(["a", ""]), np.array([[1], [2]]), table, []]
    with_it = [(found(case), kernels.hash_rows(case, output="hex")) for case in cases]
    fast = [found(case, algorithm="xxh3_128", seed=5) for case in cases]
    monkeypatch.setattr(_loading, "native", lambda: None)

    assert with_it == [(found(case), kernels.hash_rows(case, output="hex")) for case in cases]
    assert fast == [found(case, algorithm="xxh3_128", seed=5) for case in cases]
    with pytest.raises(ValueError, match=r"data\[1\]: a lone surrogate"):
        kernels.hash_rows(["a", "\ud800"])
    with pytest.raises(TypeError, match=r"data\[0\]: int, want str or bytes"):
        kernels.hash_rows([1])
