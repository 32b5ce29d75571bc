"""MinHash, LSH keys and groups of similar texts."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import _loading, similarity
from shimhub.kernels._reference import minhash as reference

SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"
TEXT = st.text(st.sampled_from("abé日😀\u200b\xc2" + SPACES), max_size=40) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=40
)
NGRAMS = st.integers(1, 9) | st.just(256)
PERMUTATIONS = st.integers(1, 40) | st.sampled_from([127, 128, 129])


@pytest.fixture(scope="module")
def pa():
    """Return pyarrow."""
    return pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def native():
    """Return the native library; lanes are restored."""
    found = _loading.native()
    if found is None:
        pytest.skip("the native library is not here")
    before = found.lib.shimhub_lanes()
    yield found
    found.lib.shimhub_lanes_use(before)


def lane_masks(native):
    """Return every subset of lanes that can run here."""
    here = native.lib.shimhub_lanes_here()
    return [mask for mask in range(here + 1) if mask & 1 and not mask & ~here]


@settings(deadline=None)
@given(st.lists(TEXT, max_size=8), st.sampled_from(["char", "word"]), NGRAMS, PERMUTATIONS)
def test_signatures_of_texts_are_the_references(texts, unit, ngram, num_perm):
    """str, and its UTF-8 as bytes, have the reference's signatures, on any number of threads."""
    encoded = [text.encode() for text in texts]
    expected = reference.texts(encoded, unit, ngram, 3, num_perm)
    told = {"unit": unit, "ngram": ngram, "num_perm": num_perm, "seed": 3}
    for found in (kernels.minhash(texts, **told), kernels.minhash(encoded, threads=3, **told)):
        assert (np.uint32, expected.shape) == (found.dtype, found.shape)
        assert np.array_equal(expected, found)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=6), st.sampled_from(["char", "word"]), NGRAMS)
def test_bytes_need_not_be_text(texts, unit, ngram):
    """Characters and words are defined for any bytes."""
    expected = reference.texts(texts, unit, ngram, 1, 16)
    found = kernels.minhash(texts, unit=unit, ngram=ngram, num_perm=16)
    assert np.array_equal(expected, found)


@settings(deadline=None)
@given(st.lists(st.lists(TEXT | st.binary(max_size=300), max_size=8), max_size=6), NGRAMS)
def test_signatures_of_tokens_are_the_references(texts, ngram):
    """Lists and tuples of str and bytes, and other iterables, are taken as they are."""
    encoded = [[one if isinstance(one, bytes) else one.encode() for one in row] for row in texts]
    expected = reference.tokens(encoded, ngram, 1, 33)
    told = {"unit": "token", "ngram": ngram, "num_perm": 33}
    assert np.array_equal(expected, kernels.minhash(texts, **told))
    assert np.array_equal(expected, kernels.minhash(map(tuple, texts), **told))
    assert np.array_equal(expected, kernels.minhash([iter(row) for row in texts], **told))


@settings(deadline=None)
@given(st.lists(TEXT, max_size=8), NGRAMS)
def test_words_are_those_of_split(texts, ngram):
    """unit="word" is unit="token" of str.split()."""
    split = [text.split() for text in texts]
    expected = kernels.minhash(split, unit="token", ngram=ngram, num_perm=8)
    assert np.array_equal(expected, kernels.minhash(texts, unit="word", ngram=ngram, num_perm=8))


@pytest.mark.parametrize("unit", ["char", "word"])
@pytest.mark.parametrize("ngram", [1, 3, 5, 8, 9])
def test_lanes_agree(native, unit, ngram):
    """Long texts, ASCII and not, have the same signatures with any lanes and threads."""
    draw = np.random.default_rng(ngram)
    letters = np.array(list("abcdefg     é\n日"))
    texts = ["".join(letters[draw.integers(0, 12 + row % 2 * 3, 50 * row)]) for row in range(40)]
    expected = None
    for mask in lane_masks(native):
        native.lib.shimhub_lanes_use(mask)
        for threads in (0, 1, 3):
            found = kernels.minhash(texts, unit=unit, ngram=ngram, threads=threads, num_perm=130)
            expected = found if expected is None else expected
            assert np.array_equal(expected, found)


def test_empty_and_short_texts():
    """No units: all entries are the largest; fewer than ngram: the one shingle of them all."""
    found = kernels.minhash(["", "ab", "ab"], ngram=5, num_perm=4)
    assert [2**32 - 1] * 4 == found[0].tolist()
    assert np.array_equal(found[1], found[2])
    assert np.array_equal(found[1], kernels.minhash(["ab"], ngram=2, num_perm=4)[0])
    assert [2**32 - 1] * 4 == kernels.minhash([" \n"], unit="word", num_perm=4)[0].tolist()
    assert (0, 128) == kernels.minhash([]).shape
    assert (0, 3) == kernels.minhash([], unit="token", num_perm=3).shape


@settings(deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=9), st.data())
def test_columns_have_the_signatures_of_their_rows(pa, texts, data):
    """Arrow's strings and lists, sliced, in chunks, with either width of offsets."""
    start = data.draw(st.integers(0, len(texts)))
    wide = data.draw(st.booleans())
    strings = pa.array(texts, pa.large_string() if wide else pa.string())
    column = pa.chunked_array([strings[start:], strings[:start]])
    told = {"ngram": 2, "num_perm": 20}
    expected = kernels.minhash(texts[start:] + texts[:start], **told)
    assert np.array_equal(expected, kernels.minhash(column, **told))
    words = [text.split("a") for text in texts]
    kind = pa.large_list(strings.type) if wide else pa.list_(strings.type)
    lists = pa.array(words, kind)[start:]
    expected = kernels.minhash(words[start:], unit="token", **told)
    assert np.array_equal(expected, kernels.minhash(lists, unit="token", **told))


def test_numpys_strings_are_columns():
    """Arrays of U and S are taken, too."""
    texts = ["some text", "日本", ""]
    expected = kernels.minhash(texts, num_perm=8)
    assert np.array_equal(expected, kernels.minhash(np.array(texts), num_perm=8))


@pytest.mark.parametrize(
    ("texts", "unit", "error", "message"),
    [
        (["a", None], "char", TypeError, r"texts\[1\]: NoneType, want str or bytes"),
        (["a", 1], "word", TypeError, r"texts\[1\]: int, want str or bytes"),
        (["a", "\ud800"], "char", ValueError, r"texts\[1\]: a lone surrogate"),
        ("abc", "char", TypeError, "texts: one str, want a list of texts"),
        (b"abc", "char", TypeError, "texts: one bytes, want a list of texts"),
        (["abc"], "token", TypeError, r"texts\[0\]: str, want a sequence"),
        ([["a"], None], "token", TypeError, r"texts\[1\]: NoneType, want a sequence"),
        ([["a", 2.5]], "token", TypeError, r"texts\[0\]\[1\]: float, want str or bytes"),
        ([["é", "\udc00"]], "token", ValueError, r"texts\[0\]\[1\]: a lone surrogate"),
        (
            np.arange(3),
            "char",
            TypeError,
            "texts: a column of values of a fixed size, want",
        ),
        (np.array(["a"]), "token", TypeError, "texts: a column of strings, want lists of strings"),
    ],
)
def test_what_is_no_text_is_refused(texts, unit, error, message, monkeypatch):
    """The place is named, with the native library and without."""
    for _ in range(2):
        with pytest.raises(error, match=message):
            kernels.minhash(texts, unit=unit)
        monkeypatch.setattr(_loading, "native", lambda: None)


def test_nulls_are_refused(pa):
    """The row is named, counted over chunks and slices."""
    column = pa.chunked_array([["a", "b"], ["c", None]])
    with pytest.raises(ValueError, match=r"texts\[3\]: null"):
        kernels.minhash(column)
    with pytest.raises(ValueError, match=r"texts\[1\]: null"):
        kernels.minhash(pa.array(["a", "b", None])[1:])
    with pytest.raises(ValueError, match=r"texts\[1\]: null"):
        kernels.minhash(pa.array([["a"], None]), unit="token")
    with pytest.raises(ValueError, match=r"words of texts\[1\]: null"):
        kernels.minhash(pa.array([["a", None]]), unit="token")


@pytest.mark.parametrize(
    ("told", "error", "message"),
    [
        ({"num_perm": 0}, ValueError, "num_perm: 0, want 1 to 65536"),
        ({"num_perm": 65537}, ValueError, "num_perm: 65537"),
        ({"num_perm": "8"}, TypeError, "num_perm: str, want an integer"),
        ({"ngram": 0}, ValueError, "ngram: 0, want 1 to 256"),
        ({"ngram": 2.5}, TypeError, "ngram: float, want an integer"),
        ({"ngram": 257}, ValueError, "ngram: 257"),
        ({"seed": -1}, ValueError, "seed: -1"),
        ({"seed": 2**64}, ValueError, "seed: 18446744073709551616"),
        ({"threads": -1}, ValueError, "threads: -1"),
        ({"unit": "line"}, ValueError, "unit: 'line', want one of char, word, token"),
    ],
)
def test_arguments_out_of_their_range(told, error, message):
    """Each is named with what it may be."""
    with pytest.raises(error, match=message):
        kernels.minhash(["a"], **told)


def sets_of(similarity, count, draw):
    """Return two lists of `count` words in all, with that Jaccard similarity."""
    words = [str(one) for one in draw.integers(0, 2**60, count)]
    shared = round(similarity * count)
    own = (count - shared) // 2
    return words[: shared + own], words[:shared] + words[shared + own : shared + 2 * own]


@pytest.mark.parametrize("exact", [0.1, 0.5, 0.9])
def test_estimates_are_as_exact_as_those_of_independent_permutations(exact):
    """Errors of 400 pairs have mean 0, and the binomial's deviation; none is beyond 5 of them."""
    draw = np.random.default_rng(int(exact * 10))
    pairs = [sets_of(exact, 200, draw) for _ in range(400)]
    a, b = (kernels.minhash(side, unit="token", ngram=1) for side in zip(*pairs, strict=True))
    errors = (kernels.jaccard(a, b) - exact) / np.sqrt(exact * (1 - exact) / 128)
    assert abs(errors.mean()) < 4 / np.sqrt(400)
    assert 0.88 < errors.std() < 1.12
    assert np.abs(errors).max() < 5


@settings(deadline=None)
@given(st.integers(1, 30), st.sampled_from([1, 2, 3, 4, 6, 12]), st.integers(0, 2**64 - 1))
def test_keys_are_the_references(rows, bands, seed):
    """Keys of bands of every size, from any layout of the signatures."""
    wide = np.random.default_rng(rows).integers(0, 2**32, (2 * rows, 12), dtype=np.uint32)
    expected = reference.lsh_bands(wide[::2], bands, seed)
    assert np.array_equal(expected, kernels.lsh_bands(wide[::2], bands, seed=seed))
    columns = np.asfortranarray(wide[::2])
    assert np.array_equal(expected, kernels.lsh_bands(columns, bands, seed=seed))


def test_long_bands_and_no_rows():
    """A band of more than 240 bytes is hashed by the lanes; no signatures have no keys."""
    table = np.random.default_rng(0).integers(0, 2**32, (5, 256), dtype=np.uint32)
    assert np.array_equal(reference.lsh_bands(table, 2, 1), kernels.lsh_bands(table, 2, seed=1))
    assert (0, 4) == kernels.lsh_bands(table[:0], 4).shape


def test_signatures_of_other_shapes_are_refused():
    """The dtype is uint32, the shape (n, num_perm), and bands divide num_perm."""
    table = np.zeros((2, 12), dtype=np.uint32)
    for bands in (0, 5, 24, -1):
        with pytest.raises(ValueError, match=r"bands: -?[0-9]+, want a divisor of the 12"):
            kernels.lsh_bands(table, bands)
    with pytest.raises(TypeError, match="signatures: dtype int64, want uint32"):
        kernels.lsh_bands(table.astype(np.int64), 2)
    with pytest.raises(ValueError, match=r"signatures: shape \(12,\)"):
        kernels.lsh_bands(table[0], 2)
    with pytest.raises(TypeError, match="bands: float"):
        kernels.lsh_bands(table, 2.0)
    with pytest.raises(ValueError, match="12 and 6 permutations"):
        kernels.jaccard(table, table[:, :6])
    with pytest.raises(ValueError, match="signatures_b: a single number"):
        kernels.jaccard(table, np.uint32(1))


def test_jaccard_broadcasts():
    """One signature against many; equal ones have 1."""
    table = kernels.minhash(["some text here", "some text there", "else"], num_perm=64)
    found = kernels.jaccard(table[0], table)
    assert ((3,), 1.0) == (found.shape, found[0])
    assert found[0] > found[1] > found[2]
    assert (3, 3) == kernels.jaccard(table[:, None], table).shape
    assert 1.0 == kernels.jaccard(table[0], table[0])


def test_groups_of_near_duplicates():
    """Copies with a word changed come together, whatever lies between them; others stay alone."""
    draw = np.random.default_rng(2)
    words = np.array([f"word{one}" for one in range(5000)])
    bases = [list(words[draw.integers(0, 5000, 100)]) for _ in range(50)]
    texts = [" ".join(base) for base in bases]
    texts += [" ".join([*base[:99], "changed"]) for base in bases[::-1]]
    found = similarity.near_duplicates(kernels.minhash(texts), threshold=0.7)
    assert [*range(50), *range(49, -1, -1)] == found.tolist()
    assert np.int64 == found.dtype


def test_groups_are_joined_through_others():
    """A is like B and B like C: one group, named by its first text."""
    base = [str(one) for one in range(100)]
    texts = [base[:80], base[10:90], base[20:100], ["other"]]
    signatures = kernels.minhash(texts, unit="token", ngram=1, num_perm=256)
    assert kernels.jaccard(signatures[0], signatures[2]) < 0.7
    found = kernels.near_duplicates(signatures, threshold=0.7, bands=128)
    assert [0, 0, 0, 3] == found.tolist()


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=12))
def test_groups_of_equal_texts_are_exact(texts):
    """With threshold 1, each text's group is named by its first copy."""
    signatures = kernels.minhash(texts, num_perm=16)
    expected = [texts.index(text) for text in texts]
    assert expected == kernels.near_duplicates(signatures, threshold=1).tolist()


def test_thresholds():
    """Bands are the fewest that find pairs from the threshold on; others are refused."""
    assert [16, 32, 1, 128] == [similarity.bands_for(at, 128) for at in (0.8, 0.5, 1, 0.001)]
    for wrong in (0, -1, 1.01, float("nan")):
        with pytest.raises(ValueError, match="threshold: "):
            kernels.near_duplicates(np.zeros((1, 4), np.uint32), threshold=wrong)


SCRIPT = """
import os, sys, zlib
from shimhub import kernels
texts = ["text %d, é" % (at % 7) * (at % 5) for at in range(50)]
def answer():
    signed = kernels.minhash(texts, threads=2), kernels.minhash(texts, unit="word", ngram=2)
    tokens = kernels.minhash([text.split() for text in texts], unit="token", ngram=2)
    keys, groups = kernels.lsh_bands(tokens, 8), kernels.near_duplicates(tokens, threshold=0.5)
    return zlib.crc32(b"".join(one.tobytes() for one in (*signed, tokens, keys, groups)))
print(answer(), kernels.available(), flush=True)
if "fork" in sys.argv:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    print(answer(), "parent" if child else "child", flush=True)
    os._exit(0)
"""


def answers(*arguments, **variables):
    """Return the words that the script prints."""
    run = [sys.executable, "-W", "error", "-c", SCRIPT, *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(
        run, capture_output=True, text=True, check=True, env=environment
    ).stdout.split()


@pytest.mark.usefixtures("native")
def test_without_the_library_and_after_a_fork():
    """The reference's bytes are the library's, in a child process, too."""
    expected, available = answers(SHIMHUB_NATIVE="0")
    assert "False" == available
    assert [expected, "True"] == answers(SHIMHUB_LANES="portable")
    assert sorted([*[expected] * 3, "True", "child", "parent"]) == sorted(answers("fork"))


@pytest.mark.usefixtures("native")
def test_threads_share_the_texts():
    """Calls at the same time give the same; a list may change under them."""
    texts = [f"text number {at} and é" for at in range(3000)]
    expected = kernels.minhash(texts[:2000])
    found = []

    def call():
        found.extend(kernels.minhash(texts, threads=2)[:2000] for _ in range(5))

    def change():
        for at in range(2000):
            texts.append(str(at))
            texts.pop()

    threads = [threading.Thread(target=one) for one in (call, call, change)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = [one for one in found if not np.array_equal(expected, one)]
    assert (10, []) == (len(found), wrong)


class Shrinks:
    """A text that empties the list of all texts while it is read."""

    def __init__(self, texts):
        self.texts = texts

    def __iter__(self):
        self.texts.clear()
        return iter(["a", "b"])


@pytest.mark.usefixtures("native")
def test_a_text_may_run_python():
    """The texts of a call are those that were there when it began."""
    texts = [["a", "b"]] * 3
    expected = kernels.minhash(texts * 2, unit="token", num_perm=4)[:4]
    texts.insert(1, Shrinks(texts))
    assert np.array_equal(expected, kernels.minhash(texts, unit="token", num_perm=4))


def resident():
    """Return the resident pages of this process."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1])


@pytest.mark.slow
@pytest.mark.usefixtures("native")
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads Linux's statm")
def test_nothing_leaks():
    """100,000 calls of three texts each, errors among them, leave the process as large."""
    texts, bad = ["some text", "日本 語", b"bytes"], [["é" * 50, "\ud800"]]

    def calls(count):
        for _ in range(count):
            kernels.minhash(texts, num_perm=4)
            kernels.minhash([texts], unit="token", num_perm=4)
            with pytest.raises(ValueError, match="surrogate"):
                kernels.minhash(bad, unit="token", num_perm=4)

    calls(2000)
    before = resident()
    calls(33_000)
    assert resident() - before < 256


@pytest.mark.parametrize("texts", [{"a": ["x", "y"]}, {"a"}, frozenset("a"), {"a": 1}.keys(), 5])
def test_names_and_sets_are_no_texts(texts):
    """A dict's items are names, those of a set have no order, a number none: all are refused."""
    with pytest.raises(TypeError, match=f"texts: {type(texts).__name__}, want a list or a column"):
        kernels.minhash(texts)


@pytest.mark.parametrize("wrong", ["0.5", None, True, [0.5]])
def test_thresholds_are_numbers(wrong):
    """Another type is named."""
    with pytest.raises(TypeError, match=f"threshold: {type(wrong).__name__}, want a float"):
        kernels.near_duplicates(np.zeros((1, 4), np.uint32), threshold=wrong)


def test_numpys_integers_are_integers():
    """num_perm, ngram and bands take NumPy's integers, and no bool."""
    plain = kernels.minhash(["abcdefg"], num_perm=4, ngram=3)
    same = kernels.minhash(["abcdefg"], num_perm=np.int32(4), ngram=np.int8(3))

    assert np.array_equal(plain, same)
    assert (1, 2) == kernels.lsh_bands(plain, np.int64(2)).shape
    assert [0] == kernels.near_duplicates(plain, threshold=np.float32(0.5)).tolist()
    for options in ({"num_perm": True}, {"ngram": True}):
        with pytest.raises(TypeError, match="bool, want an integer"):
            kernels.minhash(["a"], **options)
    with pytest.raises(TypeError, match="bands: bool, want an integer"):
        kernels.lsh_bands(plain, True)
