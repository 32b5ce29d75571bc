"""Packing of token sequences: equal to fast-axolotl's where that does not panic."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import _loading

np = pytest.importorskip("numpy")

SOME = settings(max_examples=60, deadline=None)
INT64 = st.integers(-(2**63), 2**63 - 1)
TOKENS = st.integers(0, 300) | INT64
SEQUENCES = st.lists(st.lists(TOKENS, max_size=8), max_size=12)


@contextmanager
def without_native():
    """Let the fallback answer, as where the library was not built."""
    os.environ["SHIMHUB_NATIVE"] = "0"
    _loading.load.cache_clear()
    try:
        yield
    finally:
        os.environ.pop("SHIMHUB_NATIVE")
        _loading.load.cache_clear()


@contextmanager
def way(native):
    """The library's way, or the fallback's."""
    if native:
        yield
        return
    with without_native():
        yield


def as_lists(arrays):
    """Arrays of the result as lists."""
    return {name: array.tolist() for name, array in arrays.items()}


@SOME
@given(SEQUENCES, st.integers(10, 24), INT64, INT64, INT64)
def test_rows_are_those_of_the_definition(sequences, length, pad, eos, label_pad):
    """Arrays and lists of the library and of the fallback are the same."""
    told = (sequences, length, pad, eos, label_pad)
    arrays = kernels.pack_sequences(*told)
    assert {(np.dtype(np.int64), length)} == {(a.dtype, a.shape[1]) for a in arrays.values()}
    assert as_lists(arrays) == kernels.pack_sequences(*told, lists=True)
    with without_native():
        assert as_lists(arrays) == kernels.pack_sequences(*told, lists=True)
        assert as_lists(arrays) == as_lists(kernels.pack_sequences(*told))


@SOME
@given(SEQUENCES, st.integers(10, 24), INT64, INT64, INT64)
def test_sequences_are_fast_axolotls(sequences, length, pad, eos, label_pad):
    """fast_axolotl 0.2.0's pack_sequences, on what it takes."""
    rival = pytest.importorskip("fast_axolotl")
    told = (sequences, length, pad, eos, label_pad)
    assert rival.pack_sequences(*told) == kernels.pack_sequences(*told, lists=True)


@SOME
@given(st.lists(st.lists(st.tuples(TOKENS, TOKENS, TOKENS), max_size=8), max_size=12), st.data())
def test_concatenation_is_fast_axolotls(rows, data):
    """Labels and masks of their own, nothing between sequences, and empty ones leave no row."""
    length = data.draw(st.integers(8, 20))
    fields = [[[item[field] for item in row] for row in rows] for field in range(3)]
    lists = kernels.concatenate_and_pack(*fields, length, 7, -5, lists=True)
    assert lists == as_lists(kernels.concatenate_and_pack(*fields, length, 7, -5))
    with without_native():
        assert lists == kernels.concatenate_and_pack(*fields, length, 7, -5, lists=True)
    rival = pytest.importorskip("fast_axolotl")
    assert rival.concatenate_and_pack(*fields, length, 7, -5) == lists


@pytest.mark.parametrize("native", [True, False])
def test_sequences_of_any_kind(native):
    """Tuples, arrays, ranges and bytes; True is 1, and NumPy's integers become ints."""
    rows = ((1, 2), np.array([3, 4], np.uint8), range(5, 7), b"\x07", [True, np.int64(9)])
    with way(native):
        for outer in (rows, list(rows), iter(rows)):
            found = kernels.pack_sequences(outer, 10, 0, -1, lists=True)
            ids = [[1, 2, -1, 0, 3, 4, -1, 0, 0, 0], [5, 6, -1, 0, 7, -1, 0, 0, 0, 0]]
            assert [*ids, [1, 9, -1, 0, 0, 0, 0, 0, 0, 0]] == found["input_ids"]
            assert {int} == {type(item) for row in found["input_ids"] for item in row}


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        (([[1], [1, 2, 3]], 4, 0, 1), ValueError, r"sequences\[1\]: 3 items with eos and pad"),
        (([], 0, 0, 1), ValueError, "max_length: 0 is less than 1"),
        (([[]], 1, 0, 1), ValueError, r"sequences\[0\]: 0 items with eos and pad do not fit"),
        (([[1], [2, 3.0]], 9, 0, 1), TypeError, r"sequences\[1\]\[1\]: 'float' object"),
        (([[1], [None]], 9, 0, 1), TypeError, r"sequences\[1\]\[0\]: 'NoneType' object"),
        (([[1], ["a"]], 9, 0, 1), TypeError, r"sequences\[1\]\[0\]: 'str' object"),
        (([[1], 5], 9, 0, 1), TypeError, r"sequences\[1\]: expected a sequence of integers"),
        (([[2**63]], 9, 0, 1), OverflowError, r"sequences\[0\]\[0\]: .* does not fit int64"),
        (([[1]], 9, 0.5, 1), TypeError, "pad_token_id: 'float' object"),
        (([[1]], 9, 0, None), TypeError, "eos_token_id: 'NoneType' object"),
        (([[1]], 2**63, 0, 1), OverflowError, "max_length: the value does not fit int64"),
    ],
)
def test_bad_sequences_are_named_by_their_place(told, error, words, lists, native):
    """Where fast-axolotl panics or says nothing of the place, an error tells it."""
    with way(native), pytest.raises(error, match=words):
        kernels.pack_sequences(*told, lists=lists)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (([[1]], [[1], [2]], [[1]]), "labels: 2 sequences, but input_ids has 1"),
        (([[1]], [[1]], [[]]), r"attention_masks\[0\]: 0 items, but input_ids\[0\] has 1"),
        (([[1] * 5], [[1] * 5], [[1] * 5]), r"input_ids\[0\]: 5 items do not fit max_length 4"),
    ],
)
def test_fields_that_disagree_are_refused(fields, words, native):
    """fast-axolotl cuts or shifts such rows without a word."""
    with way(native), pytest.raises(ValueError, match=words):
        kernels.concatenate_and_pack(*fields, 4, 0)


def test_rows_that_no_memory_holds():
    """A length that no memory holds is a MemoryError at once."""
    for lists in (True, False):
        with pytest.raises(MemoryError):
            kernels.pack_sequences([[1]], 2**62, 0, 1, lists=lists)


class Index:
    """An integer whose ``__index__`` does something else first."""

    def __init__(self, act):
        self.act = act

    def __index__(self):
        self.act()
        return 1


@pytest.mark.parametrize("lists", [True, False])
def test_sequences_that_change_while_they_are_read(lists):
    """An item may shorten, lengthen or refill any sequence: an error, or what was there."""
    for act in (list.clear, lambda row: row.append(1)):
        for which in (0, 1, 2):
            rows = [[5, 6], [], [7, 8]]
            rows[1] = [9, Index(lambda rows=rows, which=which, act=act: act(rows[which]))]
            if which == 0:
                found = kernels.pack_sequences(rows, 20, 0, -1, lists=lists)
                assert [5, 6, -1, 0, 9, 1, -1, 0, 7, 8] == list(found["input_ids"][0][:10])
                continue
            with pytest.raises(RuntimeError, match=rf"sequences\[{which}\] changed its size"):
                kernels.pack_sequences(rows, 20, 0, -1, lists=lists)
    rows: list[list[object]] = [[], [2]]
    rows[0].append(Index(rows.clear))
    found = kernels.pack_sequences(rows, 20, 0, -1, lists=lists)
    assert [1, -1, 0, 2, -1, 0] == list(found["input_ids"][0][:6])
    with pytest.raises(ZeroDivisionError):
        kernels.pack_sequences([[Index(lambda: 1 / 0)]], 20, 0, -1, lists=lists)


def test_lists_are_known_to_the_garbage_collector():
    """Rows that were hidden while they were filled are tracked when they are given."""
    import gc

    found = kernels.pack_sequences([[1, 2]], 8, 0, -1, lists=True)
    for rows in found.values():
        assert gc.is_tracked(rows)
        assert all(map(gc.is_tracked, rows))


@pytest.mark.slow
def test_no_leak():
    """Four thousand packings of 500 lists, and half as many errors, keep nothing."""
    rows = [list(range(i % 60)) for i in range(500)]
    odd = [*rows, [np.int64(7), True]]

    def work(rounds):
        for _ in range(rounds):
            for lists in (True, False):
                kernels.pack_sequences(odd, 128, 0, 1, lists=lists)
                kernels.concatenate_and_pack(rows, rows, rows, 128, 0, lists=lists)
                with pytest.raises(TypeError):
                    kernels.pack_sequences([*odd, [None]], 128, 0, 1, lists=lists)

    work(100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work(1_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_000


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("lists", [True, False])
def test_empty_sequences_are_closed_too(native, lists):
    """A sequence without tokens is its eos and pad, be it a list, a tuple or an array."""
    with way(native):
        for empty in ([], (), np.array([], int)):
            made = kernels.pack_sequences([[1], empty], 6, 0, 9, lists=lists)["input_ids"]
            assert [list(row) for row in made] == [[1, 9, 0, 9, 0, 0]]


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("length", [2**58, 2**62, 2**63 - 1])
def test_no_memory_is_said(length, lists, capfd):
    """The error names the argument, and nothing is left behind that complains."""
    with pytest.raises(MemoryError, match="max_length: no memory"):
        kernels.pack_sequences([[1], [2]], length, 0, 9, lists=lists)
    with pytest.raises(MemoryError, match="max_length: no memory"), without_native():
        kernels.pack_sequences([[1], [2]], length, 0, 9, lists=lists)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("native", [True, False])
def test_what_is_no_sequences_is_named(native):
    """The argument is named that cannot be iterated over, None too."""
    with way(native):
        with pytest.raises(TypeError, match="sequences: expected a list of sequences, got None"):
            kernels.pack_sequences(None, 4, 0, 1)
        with pytest.raises(TypeError, match="labels: expected a list of sequences, got NoneType"):
            kernels.concatenate_and_pack([[1]], None, [[1]], 4, 0)
        with pytest.raises(TypeError, match="max_length: 'float'"):
            kernels.pack_sequences([[1]], 4.5, 0, 1)
