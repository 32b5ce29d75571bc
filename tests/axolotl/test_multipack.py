"""axolotl's packing and its sampler's length: the replacements beside the originals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub._compare import first_finding
from tests.axolotl import support
from tests.axolotl.support import outcome, uncollected

support.require()

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
MODULE = "axolotl.utils.samplers.multipack"
MANY = settings(max_examples=support.examples(), deadline=None)


@st.composite
def lengths(draw):
    """Lengths as lists: few values and many, none, more than one small sort takes, overlong."""
    most = draw(st.sampled_from([0, 1, 4, 30, 3000]))
    return draw(st.lists(st.integers(0, most), max_size=draw(st.sampled_from([5, 40, 300]))))


def dtypes():
    """A few: numba compiles for each, and anew for arrays with strides."""
    return st.sampled_from([np.int32, np.int64])


def check(pair, *args, **kwargs):
    """Call both on copies of the arrays; results, types and arrays afterwards are the same."""
    given = [[np.array(one) if isinstance(one, np.ndarray) else one for one in args] for _ in pair]
    theirs, mine = (
        (outcome(function, *own, **kwargs), own) for function, own in zip(pair, given, strict=True)
    )
    assert first_finding("result", mine, theirs) is None


capacities = st.integers(1, 60) | st.integers(1, 20_000)


@MANY
@given(lengths(), dtypes(), capacities, st.integers(1, 400), st.integers(-1, 20), st.booleans())
def test_pack_parallel_gives_the_same_bins(items, dtype, capacity, group_size, bin_size, safe):
    """At any capacity, size of groups and of bins, safe or not."""
    pair = support.pair(f"{MODULE}:pack_parallel")
    check(pair, np.array(items, dtype), capacity, group_size, bin_size, 1, safe)


def test_pack_parallel_gives_the_same_bins_as_processes_do():
    """Two processes of the original, and a number that it chooses itself."""
    pair = support.pair(f"{MODULE}:pack_parallel")
    given = np.random.default_rng(0).integers(0, 50, 500).astype(np.int32)
    for processes in (2, None):
        check(pair, given, 60, 250, 8, processes, True, "fork")


@pytest.mark.parametrize(
    "changed",
    [
        {"group_size": 0},
        {"group_size": -5},
        {"num_processes": 0},
        {"bin_capacity": -3},
        {"bin_capacity": 0},
        {"bin_size": None},
        {"safe_mode": 1},
        {"mp_start_method": "thread"},
        {"mp_start_method": ""},
        {"sequence_lengths": np.array([3, -2, 4], np.int32)},
        {"sequence_lengths": np.array([3.5, 2.0])},
        {"sequence_lengths": np.array([[1, 2]], np.int32)},
        {"sequence_lengths": None},
    ],
)
def test_pack_parallel_does_the_same_with_odd_arguments(changed):
    """What it raises, too."""
    plain = {"bin_capacity": 10, "group_size": 4, "bin_size": 3, "num_processes": 1}
    options = {"sequence_lengths": np.array([3, 1, 9, 4, 2], np.int32), **plain, **changed}
    check(support.pair(f"{MODULE}:pack_parallel"), **options)


@MANY
@given(lengths(), dtypes(), capacities, st.integers(0, 60))
def test_ffd_check_gives_the_same_answer(items, dtype, capacity, bins):
    """From no bin to more than enough."""
    check(support.pair(f"{MODULE}:ffd_check"), np.array(items, dtype), capacity, bins)


@MANY
@given(lengths(), dtypes(), capacities, st.integers(0, 1000))
def test_ffd_with_result_gives_the_same_bins(items, dtype, capacity, start):
    """Also where numba's sort moves equal lengths."""
    check(support.pair(f"{MODULE}:ffd_with_result"), np.array(items, dtype), capacity, start)


@MANY
@given(lengths(), dtypes(), capacities)
def test_allocate_gives_the_same_bins(items, dtype, capacity):
    """One bin at a time."""
    given = np.array(items, dtype)
    check(support.pair(f"{MODULE}:allocate"), given, np.cumsum(given), 0, capacity, 1)


@MANY
@given(lengths(), dtypes(), capacities, st.integers(0, 4), st.integers(1, 4))
def test_allocate_sequentially_gives_the_same_bins(items, dtype, capacity, rank, ranks):
    """For every rank, with the same totals."""
    pair = support.pair(f"{MODULE}:allocate_sequentially")
    check(pair, np.array(items, dtype), rank, capacity, ranks)


def test_jitted_code_still_calls_what_is_replaced():
    """Numba compiles the original where it finds the replacement: so does allocate itself."""
    numba = pytest.importorskip("numba")
    module = support.load(MODULE)
    given = np.array([5, 3, 5, 0, 12, 0, 4], np.int16)
    expected = module.ffd_check(given, 20, 2)
    sums, old = np.cumsum(given), hasattr(module, "allocate")
    bins = module.allocate.py_func(given, sums, 0, 20, 2) if old else None
    with support.packed():
        check = module.ffd_check
        assert hasattr(check, "__shimhub__")
        assert expected == numba.njit(lambda a: check(a, 20, 2))(given)
        assert not old or bins == module.allocate(given, sums, 0, 20, 2)


def make_sampler(items, order, **options):
    """Return axolotl's sampler of this version, whose gathered counts are kept."""
    cls = support.load(MODULE).MultipackBatchSampler
    sequential = options.pop("sequential")
    made = cls(order, lengths=np.array(items), num_processes=1, **options)
    made.sequential = sequential
    gathered, gather = [], made.gather_len_batches
    made.gather_len_batches = lambda count: gathered.append(count) or gather(count)
    return made, gathered


def after(made, gathered):
    """Return what can be seen of a sampler, and of torch's random numbers."""
    plain = (int, float, str, list, np.ndarray, np.generic, type(None))
    seen = {name: one for name, one in vars(made).items() if isinstance(one, plain)}
    return seen, gathered, torch.get_rng_state()


def order_of(kind, count):
    """Return a sampler over so many items."""
    data = torch.utils.data
    if kind == "list":
        return [*range(0, count, 2), *range(0, count, 3)]
    return {"random": data.RandomSampler, "in order": data.SequentialSampler}[kind](range(count))


@MANY
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=120),
    st.sampled_from(["random", "in order", "list"]),
    st.fixed_dictionaries(
        {
            "batch_size": st.integers(1, 5),
            "batch_max_len": st.integers(1, 200),
            "bin_size": st.integers(1, 30),
            "drop_last": st.booleans(),
            "num_count_samples": st.integers(1, 4),
            "group_size": st.integers(1, 200),
            "sequential": st.booleans(),
        }
    ),
    st.booleans(),
)
def test_length_is_the_same_with_the_same_draws(items, kind, options, has_batches):
    """So are batches that are kept, totals, what is gathered, and the random numbers left."""
    pair = support.pair(f"{MODULE}:MultipackBatchSampler.__len__")
    with uncollected(support.load(MODULE)):
        seen = []
        for function in pair:
            torch.manual_seed(5)
            made, gathered = make_sampler(items, order_of(kind, len(items)), **options)
            if has_batches:
                outcome(made.generate_batches, set_stats=True)
            lengths = [outcome(function, made) for _ in range(2)]
            seen.append((lengths, after(made, gathered)))
    assert first_finding("sampler", seen[1], seen[0]) is None


def test_the_whole_sampler_yields_the_same_with_the_pack_on():
    """Two epochs of a shuffled data set: length, batches and efficiency."""
    items = np.random.default_rng(2).integers(1, 900, 2000).tolist()

    def run():
        torch.manual_seed(1)
        order = torch.utils.data.RandomSampler(range(len(items)))
        options = {"batch_size": 2, "batch_max_len": 2048, "bin_size": 64, "drop_last": True}
        made, gathered = make_sampler(items, order, **options, sequential=False)
        found = [len(made), list(made)]
        made.set_epoch(1)
        return [*found, list(made), made.efficiency(), after(made, gathered)]

    expected = run()
    with support.packed():
        found = run()
    assert first_finding("sampler", found, expected) is None
