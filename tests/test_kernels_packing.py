"""Packing of lengths: equal to the definitions, and to axolotl's and trl's own functions."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import _loading

np = pytest.importorskip("numpy")
packing = pytest.importorskip("shimhub.kernels.packing")
reference = pytest.importorskip("shimhub.kernels._reference.packing")

UNLIMITED = 2**63 - 1
LONG = settings(max_examples=100, deadline=None)


@contextmanager
def without_native():
    """Let the fallback answer, as where the library was not built."""
    before = os.environ.get("SHIMHUB_NATIVE")
    os.environ["SHIMHUB_NATIVE"] = "0"
    _loading.load.cache_clear()
    try:
        yield
    finally:
        os.environ.pop("SHIMHUB_NATIVE")
        if before is not None:
            os.environ["SHIMHUB_NATIVE"] = before
        _loading.load.cache_clear()


@contextmanager
def lanes(mask):
    """Leave only these lanes in use."""
    lib = _loading.native().lib
    before = lib.shimhub_lanes()
    assert lib.shimhub_lanes_use(mask) == lib.SHIMHUB_OK
    try:
        yield
    finally:
        lib.shimhub_lanes_use(before)


def lane_masks():
    """Every subset of the lanes that run here, the portable one in each."""
    here = _loading.native().lib.shimhub_lanes_here()
    return [mask for mask in range(here + 1) if mask & 1 and mask & here == mask]


def lognormal(count, seed=0):
    """Lengths as those of a real data set: mean 295, at most 2048."""
    sizes = np.random.default_rng(seed).lognormal(5.3, 0.85, count)
    return np.clip(sizes, 1, 2048).astype(np.int64)


def same(left, right):
    """Whether two results have the same bins, items and tokens."""
    return (
        np.array_equal(left.offsets, right.offsets)
        and np.array_equal(left.items, right.items)
        and left.tokens == right.tokens
    )


@st.composite
def problems(draw):
    """Lengths with options that ``pack`` takes; not all of them allow overlong items."""
    capacity = draw(st.sampled_from([1, 2, 9, 40, 2**20, 2**20 + 1, 2**31 - 1]))
    overlong = draw(st.sampled_from(packing.OVERLONG))
    longest = capacity if overlong == "error" else 2 * capacity
    lengths = draw(
        st.lists(st.integers(0, longest) | st.integers(0, 9 * longest // 20), max_size=60)
    )
    limit = st.none() | st.integers(1, 6)
    options = {
        "strategy": draw(st.sampled_from(packing.STRATEGIES)),
        "overlong": overlong,
        "max_items": draw(limit),
        "max_bins": draw(st.none() | st.integers(0, 6)),
        "group_size": draw(st.none() | st.integers(1, 20)),
    }
    return lengths, capacity, options


@LONG
@given(problems())
def test_bins_are_those_of_the_definitions(problem):
    """Every strategy, limit, group and rule for overlong items is the O(n^2) definition's."""
    lengths, capacity, options = problem
    found = kernels.pack(lengths, capacity, **options)
    limits = (options[name] for name in ("max_items", "max_bins", "group_size"))
    limits = (UNLIMITED if limit is None else limit for limit in limits)
    told = reference.Options(options["strategy"], options["overlong"], capacity, *limits)
    assert same(reference.pack(np.array(lengths, np.int64), told), found)


@LONG
@given(problems())
def test_bins_hold_what_they_may(problem):
    """No bin is over capacity or max_items, unless one overlong item is alone; no item is twice."""
    lengths, capacity, options = problem
    bins = kernels.pack(lengths, capacity, **options)
    assert len(np.unique(bins.items)) == len(bins.items)
    for one in bins.tolist():
        total = sum(min(lengths[item], capacity) for item in one)
        assert 0 < len(one) <= (options["max_items"] or UNLIMITED)
        assert total <= capacity
        assert len(one) == 1 or all(
            lengths[item] <= capacity or options["overlong"] == "truncate" for item in one
        )
    if options["max_bins"] is None and options["overlong"] != "drop":
        kept = range(len(lengths))
        if options["strategy"] == "best_fit_decreasing":
            kept = [item for item in kept if lengths[item]]
        assert sorted(bins.items.tolist()) == list(kept)


@pytest.mark.parametrize("strategy", packing.STRATEGIES)
@pytest.mark.parametrize("group_size", [None, 700])
def test_every_lane_gives_the_same_bins(strategy, group_size):
    """AVX-512, AVX2 and portable C agree on deep trees, in one group and in several at a time."""
    lengths = lognormal(20_000)
    for capacity in (2048, 8192):
        found = []
        for mask in lane_masks():
            with lanes(mask):
                found.append(
                    kernels.pack(lengths, capacity, strategy=strategy, group_size=group_size)
                )
        assert all(same(found[0], one) for one in found)


@LONG
@given(
    st.lists(st.integers(0, 100), max_size=30),
    st.sampled_from("bhilqBHILQ"),
    st.sampled_from([1, 2, -1, -3]),
    st.sampled_from("<>"),
)
def test_lengths_of_any_dtype_stride_and_byte_order(values, code, step, order):
    """Views are read where they lie; the bins are those of a list."""
    array = np.array(values, np.dtype(code).newbyteorder(order)).repeat(abs(step))
    view = array[:: abs(step)] if step > 0 else array[::-1][:: abs(step)][::-1]
    bins = kernels.pack(view, 100)
    assert same(kernels.pack(values, 100), bins)
    assert same(kernels.pack(tuple(values), 100), bins)


def test_lengths_of_read_only_and_other_libraries():
    """A read-only array, and anything that NumPy takes for integers, are as good."""
    array = np.array([3, 4, 5])
    array.setflags(write=False)
    assert [[0, 1], [2]] == kernels.pack(array, 7).tolist()
    assert [[0, 1], [2]] == kernels.pack(memoryview(array), 7).tolist()


def test_lengths_of_arrow():
    """Arrays, slices and chunks without nulls are read; a null is named by its place."""
    pa = pytest.importorskip("pyarrow")
    array = pa.array([9, 3, 4, 5], pa.int32())[1:]
    assert [[0, 1], [2]] == kernels.pack(array, 7).tolist()
    chunked = pa.chunked_array([array[:1], array[1:]])
    assert [[0, 1], [2]] == kernels.pack(chunked, 7).tolist()
    batch = pa.record_batch({"x": pa.array([3, 4, 5], pa.uint16())})
    assert [[0, 1], [2]] == kernels.pack(batch.column(0), 7).tolist()
    with pytest.raises(ValueError, match=r"lengths\[1\] is null"):
        kernels.pack(pa.array([3, None, 5]), 7)


def test_lengths_of_the_arrow_interface():
    """What offers Arrow's C stream, as polars does, is read through pyarrow."""
    pa = pytest.importorskip("pyarrow")

    class Series:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.chunked_array([[3, 4], [5]]).__arrow_c_stream__(requested_schema)

    assert [[0, 1], [2]] == kernels.pack(Series(), 7).tolist()


class Index:
    """An integer by ``__index__`` alone, which may do anything."""

    def __init__(self, value, act=None):
        self.value, self.act = value, act

    def __index__(self):
        if self.act:
            self.act()
        return self.value


def refusals():
    """Arguments that are refused, as ``pack`` takes them, with the error and its words."""
    return [
        (([3, -1], 7), ValueError, r"lengths\[1\]: -1 is negative"),
        (([3, 8], 7), ValueError, r"lengths\[1\]: 8 is over the capacity, 7"),
        ((np.array([1, 2**63], np.uint64), 7), ValueError, rf"lengths\[1\]: {2**63} is over"),
        (([3.0], 7), TypeError, r"lengths\[0\]: 'float' object"),
        (([3, None], 7), TypeError, r"lengths\[1\]: 'NoneType' object"),
        (([True], 7), TypeError, r"lengths\[0\]: a bool"),
        (([1, 2**63], 7), OverflowError, r"lengths\[1\]: the value does not fit int64"),
        ((np.array([1.5]), 7), TypeError, "dtype float64, want integers"),
        ((np.array([True]), 7), TypeError, "dtype bool, want integers"),
        ((np.zeros((2, 2), int), 7), ValueError, "2 dimensions, want 1"),
        (([1], 0), ValueError, "capacity: 0 is less than 1"),
        (([1], -5), ValueError, "capacity: -5 is less than 1"),
        (([1], 2**31), OverflowError, "capacity: 2147483648 is more than 2147483647"),
        (([1], 7.0), TypeError, "capacity: expected an int, got 7.0"),
        ((range(3), None), TypeError, "capacity: expected an int, got None"),
        (
            ((one for one in [1]), 7),
            TypeError,
            "lengths: expected an array or list of integers, got",
        ),
        (("123", 7), TypeError, "lengths: expected an array or list of integers, got str"),
        ((np.ma.array([1, 2], mask=[0, 1]), 7), TypeError, "lengths: a masked array"),
        ((np.ones((1, 2), int).view(np.matrix), 7), TypeError, "lengths: numpy.matrix"),
    ]


@pytest.mark.parametrize(("arguments", "error", "words"), refusals())
@pytest.mark.parametrize("native", [True, False])
def test_bad_lengths_are_named_by_their_place(arguments, error, words, native):
    """The library and the fallback refuse the same, in the same words."""
    if native:
        with pytest.raises(error, match=words):
            kernels.pack(*arguments)
        return
    with without_native(), pytest.raises(error, match=words):
        kernels.pack(*arguments)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strategy": "best"}, "strategy: 'best'; choose of first_fit"),
        ({"overlong": "split"}, "overlong: 'split'; choose of error"),
        ({"max_items": 0}, "max_items: 0 is less than 1"),
        ({"max_bins": -1}, "max_bins: -1 is less than 0"),
        ({"group_size": 0}, "group_size: 0 is less than 1"),
    ],
)
def test_bad_options_are_named(options, words):
    """An unknown word or a limit that allows nothing is a ValueError."""
    with pytest.raises(ValueError, match=words):
        kernels.pack([1], 7, **options)


@pytest.mark.parametrize("native", [True, False])
def test_a_sum_that_does_not_fit_is_refused(native):
    """Overlong items in bins of their own may add up to more than int64."""
    lengths = np.full(3, 2**62)
    if native:
        with pytest.raises(OverflowError, match="their sum does not fit int64"):
            kernels.pack(lengths, 7, overlong="own_bin")
    else:
        with without_native(), pytest.raises(OverflowError, match="their sum does not fit int64"):
            kernels.pack(lengths, 7, overlong="own_bin")
    assert 0 == len(kernels.pack(lengths, 7, overlong="drop"))
    assert 21 == kernels.pack(lengths, 7, overlong="truncate").tokens


def test_more_items_than_places_are_refused():
    """2**32 - 1 items have no uint32 places; a view of one byte shows it without the memory."""
    lengths = np.broadcast_to(np.uint8(1), (2**32 - 1,))
    with pytest.raises(OverflowError, match="4294967295 items, the most is 4294967294"):
        kernels.pack(lengths, 7)


def test_a_list_that_shrinks_while_it_is_read():
    """A length's __index__ may empty the list: an error, and no read behind its end."""
    lengths = [1, 2, 3]
    lengths[0] = Index(1, lengths.clear)
    with pytest.raises(RuntimeError, match="shrank"):
        kernels.pack(lengths, 7)
    with pytest.raises(ZeroDivisionError):
        kernels.pack([Index(1, lambda: 1 / 0)], 7)
    assert [[0, 1]] == kernels.pack([Index(3), np.int64(4)], 7).tolist()


def test_empty_and_overlong_items():
    """What the documentation says of both, strategy by strategy."""
    lengths = [0, 9, 5, 0, 3, 0]
    expected = {
        "first_fit": [[0, 2, 3, 5], [1], [4]],
        "next_fit": [[0], [1], [2, 3], [4, 5]],
        "first_fit_decreasing": [[1], [2, 0, 3, 5], [4]],
        "best_fit_decreasing": [[1], [2], [4]],
    }
    for strategy, bins in expected.items():
        assert bins == kernels.pack(lengths, 5, strategy=strategy, overlong="own_bin").tolist()
    assert [] == kernels.pack([], 5).tolist()
    assert [] == kernels.pack([3], 5, max_bins=0).tolist()


@pytest.mark.parametrize("native", [True, False])
def test_bins(native):
    """Length, places from both ends, views, iteration, lists of ids, and how full they are."""
    with lanes(1) if native else without_native():
        bins = kernels.pack([3, 4, 5], 7)
        assert 2 == len(bins)
        assert [[0, 1], [2]] == [one.tolist() for one in bins] == bins.tolist()
        assert [2] == bins[-1].tolist()
        assert bins[0].base is bins.items
        assert [["a", "b"], ["c"]] == bins.tolist("abc")
        assert [[7, 8], [9]] == bins.tolist(np.array([7, 8, 9]))
        with pytest.raises(IndexError):
            bins.tolist("ab")
    assert 12 / 14 == bins.fill()
    assert 12 / 20 == bins.fill(10)
    assert 0.0 == kernels.pack([], 7).fill()
    assert "<2 bins of 3 items, 85.71% full>" == repr(bins)
    for place in (2, -3):
        with pytest.raises(IndexError, match="of 2"):
            bins[place]


def test_lists_of_damaged_bins():
    """Offsets that lie outside of the items are an error, whoever made them."""
    for offsets in ([0, 4], [2, 1], [-1, 1]):
        damaged = kernels.Bins(np.array(offsets), np.zeros(3, np.uint32), 7, 0)
        with pytest.raises(ValueError, match="offsets of bin 0"):
            damaged.tolist()
    with pytest.raises(ValueError, match="offsets are empty"):
        kernels.Bins(np.zeros(0, np.int64), np.zeros(3, np.uint32), 7, 0).tolist()
    with pytest.raises(TypeError, match="int64"):
        kernels.Bins(np.zeros(2, np.int32), np.zeros(3, np.uint32), 7, 0).tolist()


@pytest.fixture(scope="module")
def multipack():
    """The module of axolotl itself."""
    pytest.importorskip("numba")
    return pytest.importorskip("axolotl.utils.samplers.multipack")


@pytest.mark.parametrize("capacity", [2048, 8192])
@pytest.mark.parametrize(("group_size", "bin_size"), [(100_000, 200), (997, 3), (5_000, 0)])
def test_multipack_is_axolotls(multipack, capacity, group_size, bin_size):
    """The bins of pack_parallel, ids and order, with empty and overlong items."""
    lengths = np.concatenate([lognormal(6_000), [0, 0, 9_000, 0, 12_000], lognormal(3_000, 1)])
    lengths = lengths.astype(np.int32)
    expected = multipack.pack_parallel(lengths, capacity, group_size, bin_size, num_processes=1)
    found = kernels.pack_multipack(lengths, capacity, group_size=group_size, bin_size=bin_size)
    assert expected == found.tolist()


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=40),
    max_bins=st.integers(0, 8),
    bin_size=st.integers(0, 4),
    safe_mode=st.booleans(),
)
def test_a_group_is_axolotls(multipack, lengths, max_bins, bin_size, safe_mode):
    """pack_group with max_bins, in safe mode and without."""
    expected = multipack.pack_group(np.array(lengths), 0, 10, max_bins, bin_size, safe_mode)
    found = kernels.pack_multipack(
        lengths, 10, bin_size=bin_size, max_bins=max_bins, safe_mode=safe_mode
    )
    assert [list(one) for one in expected] == found.tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=40))
def test_next_fit_is_axolotls_sequential_allocation(multipack, lengths):
    """allocate_sequentially for one rank: bins, tokens and slots."""
    bins, used, slots = multipack.allocate_sequentially(np.array(lengths), 0, 10, 1)
    found = kernels.pack(lengths, 10, strategy="next_fit", overlong="own_bin")
    assert [list(one) for one in bins] == found.tolist()
    assert (used, slots) == (found.tokens, len(found) * 10)


def test_lanes_told_by_the_environment():
    """SHIMHUB_LANES leaves one lane; the bins are those of this process."""
    code = (
        "import numpy as np; from shimhub import kernels; "
        "sizes = np.random.default_rng(0).integers(0, 900, 5000); "
        "print(kernels.pack(sizes, 2048, group_size=1300).items.sum(dtype=np.int64), "
        "len(kernels.pack(sizes, 2048, strategy='first_fit_decreasing')))"
    )
    names = sorted(kernels.lanes() & {"portable", "avx2", "avx512"})
    environ = dict(os.environ)
    answers = {
        subprocess.check_output([sys.executable, "-c", code], env={**environ, "SHIMHUB_LANES": one})
        for one in names
    }
    assert 1 == len(answers)


@pytest.mark.slow
def test_no_leak():
    """A thousand packings of a thousand items, with their lists and errors, keep nothing."""
    sizes = lognormal(1_000)
    listed = [*sizes.tolist(), Index(7)]

    def work(rounds):
        for _ in range(rounds):
            for strategy in packing.STRATEGIES:
                kernels.pack(listed, 2048, strategy=strategy, group_size=300).tolist(range(1001))
            with pytest.raises(ValueError, match="negative"):
                kernels.pack([*listed, -1], 2048)
            with pytest.raises(IndexError):
                kernels.pack(sizes, 2048).tolist(range(10))

    work(50)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work(1_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", ["max_items", "max_bins", "group_size"])
def test_options_that_are_no_ints_are_named(name, native):
    """Which argument is wrong is said, natively and without."""
    with without_native() if not native else contextlib.nullcontext():
        for value in (1.5, "3"):
            with pytest.raises(TypeError, match=f"{name}: expected an int, got {value!r}"):
                kernels.pack([1, 2], 4, **{name: value})
        with pytest.raises(TypeError, match=r"bin_size: expected an int, got 1\.5"):
            kernels.pack_multipack([1, 2], 4, bin_size=1.5)


def test_arrow_columns_that_are_no_integers_are_named():
    """Booleans and lists of Arrow are refused by their type; dictionaries of integers count."""
    pa = pytest.importorskip("pyarrow")
    for column in (pa.array([True]), pa.array([[1]], pa.list_(pa.int8(), 1)), pa.array(["a"])):
        with pytest.raises(TypeError, match=r"lengths: Arrow type .*, want integers"):
            kernels.pack(column, 4)
    assert kernels.pack(pa.array([3, 1]).dictionary_encode(), 4).tolist() == [[0, 1]]


def test_a_list_that_grows_without_the_library():
    """The lengths are those of the beginning: the loop ends."""
    lengths = []

    class Longer:
        def __index__(self):
            lengths.append(self)
            return 1

    lengths.append(Longer())
    with without_native():
        assert kernels.pack(lengths, 4).tolist() == [[0]]


def test_without_pyarrow_tables_are_refused_with_the_cure():
    """kernels.pack_table is there without pyarrow, and says at the call what to install."""
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from shimhub import kernels\n"
        "try: kernels.pack_table({}, 8)\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert (
        "pack_table needs pyarrow: pip install 'shimhub[data]', or pyarrow alone\n" == done.stdout
    )
