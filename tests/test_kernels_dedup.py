"""First rows and what was seen, against dicts."""

from __future__ import annotations

import copy
import gc
import itertools
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shimhub import kernels
from shimhub.kernels import _loading, hashing
from shimhub.kernels._reference import dedup as reference
from tests.test_kernels_hashing import arrow_rows

ANY_THREADS = [0, 1, 2, 5]


def firsts(rows) -> list[int]:
    """Return the first rows as a dict finds them."""
    seen: dict = {}
    for at, row in enumerate(rows):
        seen.setdefault(row, at)
    return list(seen.values())


def found(data, **options) -> list[int]:
    """Return the rows that are kept."""
    return kernels.deduplicate(data, **options).tolist()


@given(
    st.lists(st.text(st.sampled_from("aé日😀\ud800"), max_size=3) | st.binary(max_size=1)),
    st.sampled_from([None, 0, 2**64 - 1]),
)
def test_lists_are_deduplicated_as_by_a_dict(rows, seed):
    """Strings of all widths, lone surrogates too, and bytes: the first of each, in order."""
    for exact in (True, False):
        assert firsts(rows) == found(rows, exact=exact, seed=seed)
    assert firsts(rows) == found(tuple(rows), threads=2)


@pytest.mark.parametrize("threads", ANY_THREADS)
@pytest.mark.parametrize("exact", [True, False])
def test_threads_do_not_matter(threads, exact):
    """Rows of several superblocks of threads give the answer of one."""
    rows = [f"{i * i % 70001}" * (i % 3) for i in range(150_000)]

    assert firsts(rows) == found(rows, threads=threads, exact=exact)


def test_all_lanes_agree():
    """Every subset of instruction sets gives the same rows."""
    native = _loading.native()
    if native is None:
        pytest.skip("the native library is not here")
    rows = [f"{i % 701} " * (i % 50) for i in range(5000)]
    before = native.lib.shimhub_lanes()
    for mask in range(before + 1):
        if mask & ~before:
            continue
        native.lib.shimhub_lanes_use(mask)
        assert firsts(rows) == found(rows)
    native.lib.shimhub_lanes_use(before)


def test_other_hashables_are_compared_as_python_does():
    """A list of anything that a dict takes is served; what it does not take names the row."""
    rows = [1, "1", 1.0, None, (1, 2), None, (1, 2), True]

    assert firsts(rows) == found(rows)
    with pytest.raises(TypeError, match=r"data\[1\]: list is not hashable"):
        kernels.deduplicate([1, [2]])


def test_result_is_an_index():
    """Indices are int64, rising, and take the rows out of an array."""
    rows = np.array(["b", "a", "b"])
    kept = kernels.deduplicate(rows)

    assert np.dtype(np.int64) == kept.dtype
    assert ["b", "a"] == rows[kept].tolist()
    assert [] == found([])
    assert (0,) == kernels.deduplicate(np.array([], dtype=np.int32)).shape


def test_numbers_are_equal_by_value():
    """NaN equals NaN whatever its bits, -0.0 equals 0.0, and whole bits count elsewhere."""
    for dtype in (np.float16, np.float32, np.float64):
        values = np.array([0.0, np.nan, -0.0, 1.0, np.nan], dtype=dtype)
        values[4:].view(f"u{values.itemsize}")[0] |= 3
        assert [0, 1, 3] == found(values)
        assert [0, 2] == found(np.stack([values[:2], values[[2, 4]], values[2:4]]))
    assert [0, 1] == found(np.array([True, False, True]))
    assert [0, 1] == found(np.array(["2020", "NaT", "2020", "NaT"], dtype="M8[D]"))


def test_nulls_are_equal_and_unlike_what_is_empty():
    """None is a value of its own beside the empty string, list, and a struct of nulls."""
    pa = pytest.importorskip("pyarrow")
    nested = pa.struct({"a": pa.int8(), "b": pa.int8()})

    assert [0, 1, 4] == found(pa.array(["", None, "", None, "a"]))
    assert [0, 1, 2] == found(pa.array([[], None, [None], [], None]))
    assert [0, 1] == found(pa.array([None, {"a": None, "b": None}, None, {}], nested))
    assert [0] == found(pa.array([None, None]))
    assert [0, 1, 2] == found(pa.table({"a": [None, None, "", None], "b": [None, "", None, None]}))


def test_a_struct_of_one_field_is_the_same_in_each_chunk():
    """A chunk without nulls is compared as one with: a null struct is no struct of a null."""
    pa = pytest.importorskip("pyarrow")
    array = pa.array([None, {"a": None}, {"a": 1}], pa.struct({"a": pa.int8()}))

    assert [0, 1, 2] == found(pa.chunked_array([array[:1], array[1:]]))
    assert [0, 1, 2] == found(pa.table({"only": pa.chunked_array([array[:1], array[1:]])}))


@given(st.data())
def test_columns_are_deduplicated_as_by_their_encodings(data):
    """Any nested type, sliced and chunked anywhere: rows are equal if and only if encoded equal."""
    pa = pytest.importorskip("pyarrow")
    kind, rows = data.draw(arrow_rows())
    start = data.draw(st.integers(0, len(rows)))
    array = pa.array(rows, kind)[start:]
    middle = data.draw(st.integers(0, len(array)))
    chunked = pa.chunked_array([array[:middle], array[middle:]], kind)
    answer = reference.deduplicate(hashing.as_rows(chunked)).tolist()

    assert answer == found(array) == found(chunked, exact=False)
    assert answer == found(chunked, threads=3) == found(pa.table({"only": chunked}))
    assert answer == found(chunked, seen=kernels.Seen())
    assert found(pa.table({"a": chunked, "b": chunked})) == answer


@given(st.lists(st.lists(st.none() | st.integers(0, 2), max_size=3) | st.none()))
def test_lists_of_numbers_are_equal_by_their_values(rows):
    """Python's own comparison of the values is the oracle, with a null inside or without."""
    pa = pytest.importorskip("pyarrow")
    array = pa.array(rows, pa.list_(pa.int16()))
    plain = [row if row is None else [v or 0 for v in row] for row in rows]
    tuples = [row if row is None else tuple(row) for row in rows]

    assert firsts(tuples) == found(array)
    assert firsts(map(str, plain)) == found(pa.array(plain, pa.list_(pa.int16())))


def test_ragged_rows_and_records():
    """Plain buffers and NumPy's records are rows like others."""
    ragged = kernels.Ragged([1, 2, 1, 2, 3], [0, 2, 4, 4, 5, 5])
    records = np.array([(1, "a"), (1, "b"), (1, "a")], dtype=[("n", "i2"), ("s", "U3")])

    assert [0, 2, 3] == found(ragged)
    assert [0, 1] == found(records)


def test_wrong_offsets_are_told_and_leave_seen_alone():
    """Columns that leave their buffers are refused by row; what was seen stays as it was."""
    bad, seen = kernels.Ragged([1, 2, 3], [0, 2, 1]), kernels.Seen()
    kernels.deduplicate(["a"], seen=seen)

    with pytest.raises(ValueError, match="data: offsets of row 1 fall"):
        kernels.deduplicate(bad)
    with pytest.raises(ValueError, match="data: offsets of row 1 fall"):
        kernels.deduplicate(bad, seen=seen)
    with pytest.raises(ValueError, match=r"data\[1\]: a lone surrogate"):
        kernels.deduplicate(["b", "\ud800"], seen=seen)
    with pytest.raises(TypeError, match=r"data\[1\]: int"):
        kernels.deduplicate(["b", 1], seen=seen)
    assert 1 == len(seen)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"seed": -1}, "seed: -1, want"), ({"threads": -1}, "threads: -1, want")],
)
def test_wrong_options_are_named(options, message):
    """An option out of its range is a ValueError."""
    with pytest.raises(ValueError, match=message):
        kernels.deduplicate(["a"], **options)


@pytest.mark.parametrize("options", [{}, {"seen": kernels.Seen()}])
def test_too_many_rows_are_told_before_memory_is_taken(options):
    """2**32 - 1 rows and more are an OverflowError, as the docstring says."""
    pa = pytest.importorskip("pyarrow")
    many = pa.chunked_array([pa.nulls(2**31)] * 2)

    with pytest.raises(OverflowError, match=r"data: 4294967296 rows, want fewer than 2\*\*32"):
        kernels.deduplicate(many, **options)


@pytest.mark.parametrize("call", [kernels.deduplicate, kernels.hash_rows, kernels.minhash])
@pytest.mark.parametrize("name", ["seed", "threads"])
def test_integers_are_pythons_or_numpys(call, name):
    """What is no integer, a bool too, is named; NumPy's are taken; one out of range is told."""
    for wrong in ("1", 1.5, True, [1]):
        with pytest.raises(TypeError, match=f"{name}: {type(wrong).__name__}, want an integer"):
            call(["a"], **{name: wrong})
    with pytest.raises(ValueError, match=f"{name}: {2**70}, want 0 to"):
        call(["a"], **{name: 2**70})
    assert np.array_equal(call(["a"], **{name: 1}), call(["a"], **{name: np.uint8(1)}))


@pytest.fixture(params=["native", "reference"])
def seen_class(request, monkeypatch):
    """Seen with the library's set, and with Python's."""
    if request.param == "reference":
        monkeypatch.setattr(_loading, "native", lambda: None)
    return kernels.Seen


@given(rows=st.lists(st.sampled_from("abcdefgh")), ends=st.lists(st.integers(0, 30)))
def test_several_calls_are_one_over_all_rows(rows, ends):
    """What calls with one Seen return is what one call would, over any split of the rows."""
    ends = [0, *sorted(min(end, len(rows)) for end in ends), len(rows)]
    seen, kept = kernels.Seen(), []
    for start, end in itertools.pairwise(ends):
        kept += [start + at for at in found(rows[start:end], seen=seen)]

    assert firsts(rows) == kept
    assert len(kept) == len(seen)


def test_seen_is_saved_and_loaded(seen_class, tmp_path):
    """A loaded set knows the rows of the one that was saved, in the same file format everywhere."""
    seen, path = seen_class(), tmp_path / "seen"
    kernels.deduplicate([f"{i}" for i in range(500)], seen=seen)
    seen.save(path)
    loaded = seen_class.load(str(path))

    assert 500 == len(loaded)
    assert "<Seen: 500 rows>" == repr(loaded)
    assert [1] == found(["7", "x"], seen=loaded)
    assert 24 + 32 * 500 + 32 == path.stat().st_size
    assert [path] == list(tmp_path.iterdir())
    again = tmp_path / "again"
    seen_class.load(path).save(again)
    assert path.read_bytes() == again.read_bytes()


def test_an_empty_set_is_saved_too(seen_class, tmp_path):
    """A set without rows is a file like others."""
    seen_class().save(tmp_path / "seen")

    assert 0 == len(seen_class.load(tmp_path / "seen"))


def test_the_library_and_the_reference_write_the_same_file(tmp_path, monkeypatch):
    """Either reads what the other wrote."""
    seen = kernels.Seen()
    kernels.deduplicate(["a", "b"], seen=seen)
    seen.save(tmp_path / "native")
    monkeypatch.setattr(_loading, "native", lambda: None)
    seen = kernels.Seen.load(tmp_path / "native")
    seen.save(tmp_path / "reference")

    assert (tmp_path / "native").read_bytes() == (tmp_path / "reference").read_bytes()
    assert [0] == found(["c", "a"], seen=seen)


def test_damaged_files_are_refused(seen_class, tmp_path):
    """A file that is cut, changed anywhere, or something else is a ValueError that names it."""
    seen, path = seen_class(), tmp_path / "seen"
    kernels.deduplicate(["a", "b"], seen=seen)
    seen.save(path)
    whole = path.read_bytes()
    damaged = [whole[:size] for size in (0, 10, 24, 60, len(whole) - 1)]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, 120, 7)]
    for content in [*damaged, whole + b"\0", b"\0" * 500]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{path}: not a whole file .* delete it and start"):
            seen_class.load(path)


def test_files_that_cannot_be_written_leave_the_old_one(seen_class, tmp_path):
    """An OSError is the caller's, nothing half-written stays, and the file is as it was."""
    seen = seen_class()
    kernels.deduplicate(["a"], seen=seen)
    target = tmp_path / "folder"
    (target / "inside").mkdir(parents=True)

    with pytest.raises(OSError, match="folder"):
        seen.save(target)
    with pytest.raises(FileNotFoundError):
        seen.save(tmp_path / "missing" / "seen")
    with pytest.raises(FileNotFoundError):
        seen_class.load(tmp_path / "missing")
    assert [target] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("digests", "error", "message"),
    [
        (None, TypeError, "NoneType, want the"),
        ([[0] * 32], TypeError, "list, want the"),
        (np.uint8(1), TypeError, "uint8, want the"),
        (np.ma.zeros((1, 32), "u1"), TypeError, "MaskedArray, want the"),
        (np.zeros((1, 32), "i8"), TypeError, "dtype int64, want the"),
        (np.zeros((1, 32), "f8"), TypeError, "dtype float64, want the"),
        (np.zeros((1, 32), "?"), TypeError, "dtype bool, want the"),
        (np.zeros((1, 32), "i1"), TypeError, "dtype int8, want the"),
        (np.zeros(32, "u1"), ValueError, r"shape \(32,\), want the"),
        (np.zeros((10, 16), "u1"), ValueError, r"shape \(10, 16\), want the"),
        (np.zeros((10**6, 1), "u1"), ValueError, r"shape \(1000000, 1\), want the"),
        (np.zeros((10**6, 0), "u1"), ValueError, r"shape \(1000000, 0\), want the"),
        (np.zeros((2, 32, 2), "u1"), ValueError, r"shape \(2, 32, 2\), want the"),
    ],
)
def test_only_digests_are_added(seen_class, digests, error, message):
    """What is no (n, 32) uint8 array is refused before any of it is read, and nothing is added."""
    seen = seen_class()

    with pytest.raises(error, match=f"^digests: {message}"):
        seen.add(digests)
    assert 0 == len(seen)


def test_digests_may_lie_anywhere(seen_class):
    """Strided and broadcast arrays are digests like others."""
    wide = np.arange(256, dtype="u1").reshape(2, 128)

    assert [0, 1] == seen_class().add(wide[:, ::4]).tolist()
    assert [0, 1] == seen_class().add(np.asfortranarray(wide[:, :32])).tolist()
    assert [0] == seen_class().add(np.broadcast_to(np.uint8(7), (5, 32))).tolist()
    assert [] == seen_class().add(np.zeros((0, 32), "u1")).tolist()


@pytest.mark.parametrize("wrong", ["x", set(), 5, kernels.Seen])
def test_what_is_no_seen_is_named(wrong):
    """An object of another kind in its place is a TypeError with the cure."""
    with pytest.raises(TypeError, match=rf"seen: {type(wrong).__name__}, want a kernels\.Seen"):
        kernels.deduplicate(["a"], seen=wrong)


@pytest.mark.parametrize("make", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_seen_is_not_copied(make):
    """A copy would miss what the other sees: it is refused, with the cure."""
    with pytest.raises(TypeError, match=r"pass what save\(\) writes to Seen\.load\(\)"):
        make(kernels.Seen())


def test_saving_keeps_links_and_permissions(seen_class, tmp_path):
    """The file that a link points at is written, and stays as private as it was."""
    seen, path, link = seen_class(), tmp_path / "seen", tmp_path / "link"
    link.symlink_to(path)
    before = os.umask(0o027)
    try:
        seen.save(link)
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert 0o640 == path.stat().st_mode & 0o777
    for mode in (0o600, 0o644, 0o666):
        path.chmod(mode)
        seen.save(os.fsencode(link))
        assert mode == path.stat().st_mode & 0o777
    assert 0 == len(seen_class.load(os.fsencode(link)))
    assert {link, path} == set(tmp_path.iterdir())


def test_what_is_no_file_is_not_replaced(seen_class, tmp_path):
    """A pipe, and a folder, named or empty, is an OSError and stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(OSError, match=r"not a regular file.*pipe"):
        seen_class().save(pipe)
    with pytest.raises(IsADirectoryError):
        seen_class().save("")
    assert pipe.is_fifo()
    assert [pipe] == list(tmp_path.iterdir())


def test_threads_save_to_one_path(seen_class, tmp_path):
    """Each save is whole, whoever else saves there: any load finds one of them."""
    path = tmp_path / "seen"

    def save(number):
        seen = seen_class()
        kernels.deduplicate([f"{number} {i}" for i in range(500 + number)], seen=seen)
        found = set()
        for _ in range(25):
            seen.save(path)
            found.add(len(seen_class.load(path)))
        return found

    with futures.ThreadPoolExecutor(6) as threads:
        loaded = set().union(*threads.map(save, range(6)))

    assert set(range(500, 506)) >= loaded
    assert [path] == list(tmp_path.iterdir())


def test_seen_is_shared_by_threads():
    """Threads that add the same rows at once get each row once between them."""
    rows, seen, kept = [f"row {i}" for i in range(20_000)], kernels.Seen(), []
    threads = [
        threading.Thread(target=lambda: kept.extend(found(rows, seen=seen, threads=2)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(range(20_000)) == sorted(kept)


def test_a_list_may_change_while_threads_read_it():
    """With the GIL let go, the rows are those of the beginning of the call, and stay alive."""
    rows, answers, busy = [], [], threading.Event()

    def churn():
        while not busy.wait(0.0005):
            rows[:] = ["gone"] * 3

    churning = threading.Thread(target=churn)
    churning.start()
    for round_ in range(10):
        rows[:] = [f"{i % 5000} {round_} " * 20 for i in range(60_000)]
        answers.append(found(rows, threads=2))
    busy.set()
    churning.join()

    assert {5000, 1, 0} >= {len(answer) for answer in answers}


def test_works_after_a_fork():
    """A child of fork finds the same rows, on several threads."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    script = (
        "import os; from shimhub import kernels\n"
        "rows = [str(i % 3000) for i in range(100_000)]; seen = kernels.Seen()\n"
        "before = kernels.deduplicate(rows, threads=2).tolist()\n"
        "kernels.deduplicate(rows[:10], seen=seen)\n"
        "child = os.fork()\n"
        "same = kernels.deduplicate(rows, threads=2).tolist() == before\n"
        "same = same and len(kernels.deduplicate(rows, seen=seen)) == 2990\n"
        "if child == 0: os._exit(not same)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not same)\n"
    )
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=False)

    assert 0 == run.returncode


FORK = """
import os, signal, threading
import numpy as np
from shimhub import kernels

digests = np.random.default_rng(1).integers(0, 256, (400_000, 32), dtype="u1")
other = kernels.Seen()
kernels.deduplicate(["a"], seen=other)


def told(call):
    try:
        call()
    except RuntimeError as error:
        return "after the fork" in str(error)


def child(seen):
    signal.alarm(20)
    if repr(seen) != "<Seen: lost in a fork>":
        return 9
    calls = [
        lambda: kernels.deduplicate(["a"], seen=seen),
        lambda: seen.save("/nonexistent/seen"),
        lambda: len(seen),
    ]
    right = all(map(told, calls))
    return not (right and kernels.deduplicate(["a", "b"], seen=other).tolist() == [1])


for attempt in range(9):  # the call may be over before the fork
    seen = kernels.Seen()
    adding = threading.Thread(target=seen.add, args=(digests,))
    adding.start()
    while adding.is_alive() and not seen._shared.lock.locked():
        pass
    pid = os.fork()
    if pid == 0:
        os._exit(child(seen))
    adding.join()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code != 9:
        raise SystemExit(code or len(seen) != 400_000 or len(seen.add(digests)))
raise SystemExit(9)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("native", ["0", "1"])
def test_a_fork_while_a_thread_is_in_a_call_is_told(native):
    """The child's set is half-changed: each use says so at once, and other sets are fine."""
    environ = {**os.environ, "SHIMHUB_NATIVE": native}
    command = [sys.executable, "-W", "ignore", "-c", FORK]

    assert 0 == subprocess.run(command, check=False, env=environ).returncode


def _resident() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_no_memory_is_lost():
    """A million rows in many small calls, right and wrong ones, leave memory flat."""
    pa = pytest.importorskip("pyarrow")
    rows = ["a", "é", "日", "a" * 100] * 5
    column = pa.array(rows)
    table = pa.table({"a": rows, "b": [[1], None] * 10})

    def calls():
        for data in (rows, column, table):
            kernels.deduplicate(data)
            kernels.deduplicate(data, exact=False, threads=2)
            kernels.hash_rows(data, output="hex")
            kernels.deduplicate(data, seen=kernels.Seen())
        with pytest.raises(ValueError, match="surrogate"):
            kernels.hash_rows([*rows, "\ud800"])
        with pytest.raises(ValueError, match="offsets"):
            kernels.deduplicate(kernels.Ragged([1], [0, 2]))

    for _ in range(400):
        calls()
    gc.collect()
    before = _resident()
    for _ in range(4000):
        calls()
    gc.collect()

    assert _resident() - before < 8 << 20


def test_without_the_library_the_answers_are_the_same(monkeypatch):
    """The reference serves every kind of input."""
    cases = [["a", "é", "a"], np.array([0.0, -0.0, np.nan, np.nan]), {"a": np.array(["x", "x"])}]
    with_it = [found(case) for case in cases]
    monkeypatch.setattr(_loading, "native", lambda: None)

    assert [[0, 1], [0, 2], [0]] == with_it == [found(case) for case in cases]


@pytest.mark.parametrize("count", [50, 900, 5000])
@pytest.mark.parametrize("size", [511, 512, 513, 5000])
@pytest.mark.parametrize("threads", [1, 2])
def test_long_rows_that_differ_in_a_few_bytes_are_told_apart(count, size, threads):
    """Few or many rows that agree in what a sample reads are compared, and none is lost."""
    rng = np.random.default_rng(count)
    base = rng.integers(32, 127, size, dtype=np.uint8)
    rows = []
    for value in rng.integers(0, count, count):
        base[100:108] = np.frombuffer(f"{value:08}".encode(), np.uint8)
        rows.append(base.tobytes())
    expected = sorted({row: i for i, row in reversed(list(enumerate(rows)))}.values())

    assert expected == kernels.deduplicate(rows, threads=threads).tolist()


def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    """Where the disk takes no more, what was there is whole, and no part of a file stays."""
    pytest.importorskip("resource", reason="limits the size of files")
    path = tmp_path / "seen"
    code = f"""
        import resource, signal
        from shimhub import kernels
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        seen = kernels.Seen()
        kernels.deduplicate(["a"], seen=seen)
        seen.save({str(path)!r})
        kernels.deduplicate([str(i) for i in range(1000)], seen=seen)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try: seen.save({str(path)!r})
        except OSError as error: print(type(error).__name__)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )

    assert "OSError\n" == done.stdout
    assert [path] == list(tmp_path.iterdir())
    assert 1 == len(kernels.Seen.load(path))
