"""IterableDataset: every row once over ranks and workers, and resumed exactly, wherever it was."""

from __future__ import annotations

import functools
import gzip
import json
import os
import pickle

import pytest

pa = pytest.importorskip("pyarrow")
torch = pytest.importorskip("torch")
pytest.importorskip("torch.utils.data")

import numpy as np  # noqa: E402 - after the check that they are there
import pyarrow.parquet as pq  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch.utils.data._utils import worker as torch_worker  # noqa: E402

from shimhub.data import DataError, DecodeError, IterableDataset  # noqa: E402
from shimhub.data.feeding import _gather, _order, _slots  # noqa: E402

ROWS = 103
IS_HEAVY = bool(os.environ.get("SHIMHUB_TEST_HEAVY"))
#: Examples of the largest property; and every which state of a pass is gone on with.
EXAMPLES, STEP = (400, 1) if IS_HEAVY else (24, 6)


def table(start: int, stop: int) -> pa.Table:
    """Return rows of a number, a text and a list, told by their numbers."""
    return pa.table(
        {
            "id": pa.array(range(start, stop), pa.int64()),
            "text": [f"row {i}" for i in range(start, stop)],
            "ids": pa.array([[i] * (i % 5) for i in range(start, stop)], pa.list_(pa.int32())),
        }
    )


def lines(start: int, stop: int) -> bytes:
    """Return the same as JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in table(start, stop).to_pylist())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder for each kind of files, with the same rows in it."""
    root = tmp_path_factory.mktemp("data")
    for kind in ("parquet", "arrow", "jsonl", "gz", "mixed"):
        (root / kind).mkdir()
    pq.write_table(table(0, 60), root / "parquet/a.parquet", row_group_size=7)
    pq.write_table(table(60, ROWS), root / "parquet/b.parquet", row_group_size=50)
    with pa.ipc.new_file(root / "arrow/a.arrow", table(0, 1).schema) as sink:
        sink.write_table(table(0, ROWS), max_chunksize=9)
    (root / "jsonl/a.jsonl").write_bytes(lines(0, ROWS))
    (root / "gz/a.jsonl.gz").write_bytes(gzip.compress(lines(0, ROWS)))
    pq.write_table(table(0, 40), root / "mixed/a.parquet", row_group_size=11)
    (root / "mixed/b.jsonl.gz").write_bytes(gzip.compress(lines(40, ROWS)))
    return root


KINDS = ("parquet", "arrow", "jsonl", "gz", "mixed")


def made(root, kind="parquet", **options):
    """Return a dataset over small pieces, as large files would give."""
    return IterableDataset(str(root / kind), **{"block_bytes": 300, "shard": (0, 1)} | options)


class Worker:
    """Stands where DataLoader tells a worker process which one it is."""

    def __init__(self, worker: int, workers: int) -> None:
        self._info = None
        if workers:
            self._info = torch_worker.WorkerInfo(
                id=worker, num_workers=workers, seed=0, dataset=None
            )

    def __enter__(self):
        self._before = torch_worker._worker_info
        torch_worker._worker_info = self._info

    def __exit__(self, *_):
        torch_worker._worker_info = self._before


def ids(rows) -> list[int]:
    """Return the numbers of rows."""
    return [row["id"] for row in rows]


def test_it_is_torchs_and_gives_rows(data):
    """It is an IterableDataset of torch, and without ranks and workers gives the rows in order."""
    dataset = made(data)
    assert isinstance(dataset, torch.utils.data.IterableDataset)
    assert table(0, ROWS).to_pylist() == list(dataset)
    assert table(0, 1).schema.names == dataset.schema.names
    assert 2 == len(dataset.sources)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_rows(kind, data):
    """Cut into small pieces, every format gives each row once, in the order of the file."""
    assert table(0, ROWS).to_pylist() == list(made(data, kind))


# ---- who reads what


@given(
    kind=st.sampled_from(KINDS),
    world=st.integers(1, 5),
    workers=st.lists(st.integers(0, 4), min_size=5, max_size=5),
    buffer=st.sampled_from([0, 1, 5, 1000]),
    shuffled=st.booleans(),
    block=st.sampled_from([1, 300, 1 << 20]),
)
@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_ranks_and_workers_read_every_row_once(data, kind, world, workers, buffer, shuffled, block):
    """Over all ranks and their workers, even if ranks have not as many, each row comes once."""
    found = []
    for rank in range(world):
        dataset = made(
            data,
            kind,
            shard=(rank, world),
            shuffle_buffer=buffer,
            shuffle_blocks=shuffled,
            block_bytes=block,
        )
        for worker in range(max(1, workers[rank])):
            with Worker(worker, workers[rank]):
                found += ids(dataset)
    assert list(range(ROWS)) == sorted(found)


def test_no_worker_is_without_rows_where_one_file_cannot_be_cut(data):
    """Workers of one compressed file each take every n-th row of it."""
    dataset, found = made(data, "gz"), []
    for worker in range(4):
        with Worker(worker, 4):
            found.append(ids(dataset))
    assert [list(range(worker, ROWS, 4)) for worker in range(4)] == found


@given(
    kind=st.sampled_from(KINDS),
    how=st.sampled_from(["drop", "repeat"]),
    world=st.integers(2, 7),
    workers=st.integers(0, 3),
    shuffled=st.booleans(),
    epoch=st.integers(0, 2),
)
@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_even_ranks_have_as_many_rows_and_batches(data, kind, how, world, workers, shuffled, epoch):
    """Each rank has as many rows as the others, worker by worker; fewer than one each are lost."""
    found, lengths = [], set()
    for rank in range(world):
        dataset = made(data, kind, shard=(rank, world), even=how, shuffle_blocks=shuffled)
        dataset.set_epoch(epoch)
        rows = []
        for worker in range(max(1, workers)):
            with Worker(worker, workers):
                rows.append(ids(dataset))
        lengths.add(tuple(map(len, rows)))
        found += [one for some in rows for one in some]
    assert 1 == len(lengths)
    share = dataset.share
    assert share.rows * world == len(found)
    assert ROWS - share.dropped + share.repeated == len(found)
    assert ROWS - share.dropped == len(set(found))
    assert max(share.dropped, share.repeated) < world


def test_even_of_fewer_rows_than_ranks(tmp_path):
    """Where there are more ranks than rows, none has one, or some rows come again and again."""
    pq.write_table(table(0, 2), tmp_path / "a.parquet")
    assert [[]] * 5 == [list(made(tmp_path, "", shard=(r, 5), even="drop")) for r in range(5)]
    repeated = [made(tmp_path, "", shard=(rank, 5), even="repeat") for rank in range(5)]
    assert [[0], [1], [0], [1], [0]] == [ids(one) for one in repeated]


def test_what_is_dropped_is_told_by_the_first_rank(data, caplog):
    """The rows that even ranks cost are logged once, as a warning, and are in ``share``."""
    for rank in range(2):
        made(data, shard=(rank, 2), even="drop")
    assert [
        "even='drop': 1 rows are left out of each epoch, so that each of 2 ranks has 51 rows"
    ] == caplog.messages
    caplog.clear()
    assert 1 == made(data, shard=(0, 2), even="repeat").share.repeated
    assert "1 rows come twice in each epoch" in caplog.text


def test_ranks_come_from_the_environment(data, monkeypatch):
    """RANK and WORLD_SIZE, as torchrun sets them, choose the shard; and such ranks are even."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    dataset = IterableDataset(str(data / "parquet"))
    assert ROWS // 2 == len(list(dataset)) == dataset.share.rows
    assert None is made(data, shard=(1, 2)).share


@pytest.mark.parametrize(
    ("rank", "world"), [("2", "2"), ("x", "2"), ("0", None), (None, "2"), ("-1", "2")]
)
def test_a_rank_that_is_none_is_an_error(data, monkeypatch, rank, world):
    """Variables that name no rank are an error that says what to do, not rank 0."""
    for name, value in (("RANK", rank), ("WORLD_SIZE", world)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    with pytest.raises(DataError, match=r"RANK=.*WORLD_SIZE=.*torchrun"):
        IterableDataset(str(data / "parquet"))


# ---- order


def test_the_order_is_told_by_seed_and_epoch(data):
    """The same seed and epoch give the same order; another of either, another order."""
    orders = set()
    for seed in range(2):
        dataset = made(data, shuffle_buffer=20, seed=seed)
        for epoch in range(2):
            dataset.set_epoch(epoch)
            first = ids(dataset)
            assert first == ids(dataset)
            assert list(range(ROWS)) == sorted(first)
            orders.add(tuple(first))
    assert 4 == len(orders)


def test_blocks_come_in_another_order_each_epoch(data):
    """With ``shuffle_blocks`` pieces are shuffled, and rows inside of them stay in order."""
    dataset = made(data, "arrow", shuffle_blocks=True, block_bytes=1)
    first = ids(dataset)
    dataset.set_epoch(1)
    second = ids(dataset)
    assert first != second
    for order in (first, second):
        starts = [row for row in order if row % 9 == 0]
        assert [row for start in starts for row in range(start, min(start + 9, ROWS))] == order


def test_ranks_and_workers_shuffle_on_their_own(data):
    """Workers that read alike pieces do not draw alike orders."""
    orders = set()
    for rank, worker in ((0, 0), (0, 1), (1, 0)):
        dataset = made(data, "gz", shard=(rank, 2), shuffle_buffer=30)
        with Worker(worker, 2):
            found = ids(dataset)
        orders.add(tuple(sorted(found).index(one) for one in found[:20]))
    assert 3 == len(orders)


def test_how_it_reads_does_not_change_the_order(data):
    """Neither output nor the size of batches changes which row comes when."""
    plain = ids(made(data, shuffle_buffer=16))
    for size in (1, 10, 1000):
        batches = list(made(data, shuffle_buffer=16, output="columns", batch_size=size))
        assert plain == [one for batch in batches for one in batch["id"]]
        assert all(size == len(batch["id"]) for batch in batches[:-1])


# ---- what comes out


def test_outputs_of_rows_and_batches(data):
    """Rows and batches come as Python objects, NumPy arrays or tensors."""
    expected = table(0, ROWS).to_pylist()[7]
    row = list(made(data, output="numpy"))[7]
    assert expected == row | {"ids": row["ids"].tolist()}
    row = list(made(data, output="torch"))[7]
    assert torch.int64 == row["id"].dtype
    assert torch.int32 == row["ids"].dtype
    assert expected == row | {"ids": row["ids"].tolist(), "id": row["id"].item()}
    batch = next(iter(made(data, output="rows", batch_size=8)))
    assert table(0, 8).to_pylist() == batch
    batch = next(iter(made(data, output="torch", batch_size=8)))
    assert list(range(8)) == batch["id"].tolist()
    assert [[], [1], [2, 2]] == [batch["ids"][i].tolist() for i in range(3)]
    assert table(0, 8) == pa.table(next(iter(made(data, output="arrow", batch_size=8))))


def test_columns_are_chosen_in_order(data):
    """``columns`` and the other options of the reader are those of the reader."""
    assert ["text", "id"] == list(next(iter(made(data, columns=["text", "id"]))))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"batch_size": 0}, DataError, "batch_size=0: give 1 or more"),
        ({"output": "columns"}, DataError, "give batch_size, too"),
        ({"output": "tensor"}, DataError, "none of"),
        ({"shuffle_buffer": -1}, DataError, "shuffle_buffer=-1"),
        ({"shuffle_buffer": True}, TypeError, "give an int"),
        ({"shuffle_blocks": 1}, TypeError, "give True or False"),
        ({"seed": 1.5}, TypeError, "seed=1.5"),
        ({"even": "same"}, DataError, "none of none, drop, repeat"),
        ({"shard": (2, 2)}, DataError, "rank is 0 to 1"),
        ({"columns": ["idx"]}, DataError, "'idx'"),
        ({"shard": (0, 2), "even": "drop", "on_error": "skip"}, DataError, 'even="none"'),
    ],
)
def test_wrong_arguments_are_told(data, options, error, match):
    """Each error names the argument, and what to give."""
    with pytest.raises(error, match=match):
        made(data, **options)


def test_what_was_skipped_is_told(tmp_path, caplog):
    """Lines that are left out are logged at the end of a pass, with the first of them."""
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n{"id": \n{"id": 2}\n')
    dataset = IterableDataset(str(tmp_path), shard=(0, 1), on_error="skip")
    assert [1, 2] == ids(dataset)
    assert 1 == dataset.skipped.rows
    assert "1 rows" in caplog.text
    assert "a.jsonl, line 2" in caplog.text


def test_nothing_that_could_be_read_is_an_error(tmp_path):
    """As the reader tells it; of one share of several it is none."""
    (tmp_path / "a.jsonl").write_text("{oops\n[1]\n")
    with pytest.raises(DecodeError, match=r"a\.jsonl, line 1"):
        ids(IterableDataset(str(tmp_path), shard=(0, 1), on_error="skip"))
    assert [] == ids(IterableDataset(str(tmp_path), shard=(0, 2), on_error="skip", even="none"))


# ---- state


ORDERS = {
    "kind": st.sampled_from(KINDS),
    "world": st.integers(1, 3),
    "workers": st.integers(0, 3),
    "buffer": st.sampled_from([0, 1, 3, 8, 30, 60, 1000]),
    "blocks": st.booleans(),
    "size": st.sampled_from([None, 1, 4, 11]),
    "even": st.sampled_from(["none", "drop", "repeat"]),
    "epoch": st.integers(0, 1),
    "data_": st.data(),
}


@given(**ORDERS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_pass_goes_on_where_its_state_was(
    data, kind, world, workers, buffer, blocks, size, even, epoch, data_
):
    """After any number of items, and again later, the rest is the very rest, through JSON."""
    rank = data_.draw(st.integers(0, world - 1))
    worker = data_.draw(st.integers(0, max(0, workers - 1)))
    make = functools.partial(
        *(made, data, kind),
        shard=(rank, world),
        shuffle_buffer=buffer,
        shuffle_blocks=blocks,
        batch_size=size,
        even=even,
    )
    with Worker(worker, workers):
        dataset = make()
        dataset.set_epoch(epoch)
        full = list(dataset)
        at = data_.draw(st.integers(0, len(full)))
        more = data_.draw(st.integers(0, len(full) - at))
        items = iter(dataset)
        assert full[:at] == [next(items) for _ in range(at)]
        second = make()
        second.load_state_dict(json.loads(json.dumps(dataset.state_dict())))
        assert epoch == second.epoch
        items = iter(second)
        assert full[at : at + more] == [next(items) for _ in range(more)]
        third = make()
        third.load_state_dict(json.loads(json.dumps(second.state_dict())))
        assert full[at + more :] == list(third)
        assert full == list(third)


@pytest.mark.parametrize("buffer", [0, 5, 200])
def test_every_point_of_a_pass_can_be_resumed(data, buffer):
    """From the first row to after the last one, no state gives a row twice or leaves one out."""
    dataset = made(data, "mixed", shuffle_buffer=buffer)
    states = [dataset.state_dict()]
    full = []
    for row in dataset:
        full.append(row)
        states.append(dataset.state_dict())
    for at in sorted({1, *range(0, ROWS, STEP), ROWS - 1, ROWS}):
        other = made(data, "mixed", shuffle_buffer=buffer)
        other.load_state_dict(states[at])
        assert full[at:] == list(other)


def test_a_state_is_a_few_numbers(data):
    """However large the buffer, the state has no rows and no list of them."""
    dataset = made(data, shuffle_buffer=50)
    next(iter(dataset))
    assert 500 > len(json.dumps(dataset.state_dict()))


def test_a_loaded_state_stays_until_it_is_used(data):
    """Before the next pass, the state is the one that was loaded, and is used once."""
    dataset = made(data)
    items = iter(dataset)
    for _ in range(5):
        next(items)
    state = dataset.state_dict()
    dataset.load_state_dict(state)
    assert state == dataset.state_dict()
    assert list(range(5, ROWS)) == ids(dataset)
    assert list(range(ROWS)) == ids(dataset)


def test_another_output_and_size_may_go_on(data):
    """A state tells rows: batches of another size or form go on at the same row."""
    dataset = made(data, shuffle_buffer=10)
    items = iter(dataset)
    for _ in range(13):
        next(items)
    rest = ids(items)
    dataset = made(data, shuffle_buffer=10)
    items = iter(dataset)
    for _ in range(13):
        next(items)
    other = made(data, shuffle_buffer=10, output="columns", batch_size=7)
    other.load_state_dict(dataset.state_dict())
    assert rest == [one for batch in other for one in batch["id"]]


def moved(root, tmp_path):
    """Copy a folder's files."""
    for path in root.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_data_that_moved_is_the_same_data(data, tmp_path):
    """A state may be loaded where the same files lie in another folder."""
    state = made(data).state_dict()
    dataset = IterableDataset(moved(data / "parquet", tmp_path), block_bytes=300, shard=(0, 1))
    dataset.load_state_dict(state)


@pytest.mark.parametrize(
    "change", ["size", "content", "name", "format", "fewer", "more", "pieces", "skip"]
)
def test_a_state_of_other_data_is_refused(data, tmp_path, change):
    """Other files, sizes or options of reading are told, not read from the wrong place."""
    state = made(data).state_dict()
    folder, options = moved(data / "parquet", tmp_path), {"block_bytes": 300}
    if change == "size":
        pq.write_table(table(60, ROWS + 1), folder / "b.parquet", row_group_size=50)
    elif change == "content":
        written = (folder / "b.parquet").read_bytes()
        (folder / "b.parquet").write_bytes(written[:4] + bytes([written[4] ^ 1]) + written[5:])
    elif change == "name":
        (folder / "b.parquet").rename(folder / "c.parquet")
    elif change == "format":
        folder = data / "jsonl"
    elif change == "fewer":
        (folder / "b.parquet").unlink()
    elif change == "more":
        pq.write_table(table(0, 1), folder / "c.parquet")
    else:
        options |= {"pieces": {"block_bytes": 1 << 20}, "skip": {"on_error": "skip"}}[change]
    dataset = IterableDataset(folder, shard=(0, 1), **options)
    with pytest.raises(DataError, match="the state belongs to other data"):
        dataset.load_state_dict(state)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "seed=0, and this dataset has 1"),
        ({"shuffle_buffer": 9}, "shuffle_buffer=8, and this dataset has 9"),
        ({"shuffle_blocks": True}, "shuffle_blocks=False"),
        ({"shard": (1, 2)}, "rank=0, and this dataset has 1"),
        ({"shard": (0, 3)}, "world=2, and this dataset has 3"),
        ({"even": "drop"}, "even='none'"),
    ],
)
def test_a_state_of_another_order_is_refused(data, change, told):
    """What would change the order is named with both values; ranks, too."""
    options = {"shard": (0, 2), "shuffle_buffer": 8}
    state = made(data, **options).state_dict()
    with pytest.raises(DataError, match=told):
        made(data, **options | change).load_state_dict(state)


def test_another_number_of_workers_is_refused(data):
    """A state of one of two workers is not for one of three, nor for a process without."""
    dataset = made(data)
    with Worker(0, 2):
        next(iter(dataset))
        state = dataset.state_dict()
    for worker, workers in ((0, 3), (1, 2), (0, 0)):
        other = made(data)
        other.load_state_dict(state)
        with Worker(worker, workers), pytest.raises(DataError, match="as many workers as before"):
            iter(other)


@pytest.mark.parametrize(
    "change",
    [
        *({"version": 2}, {"epoch": -1}, {"epoch": "0"}, {"position": None}, {"order": {}}),
        {"position": {"rows": 1.5, "piece": 0, "first": 0, "total": None}},
        *("text", None),
    ],
)
def test_what_is_no_state_is_refused(data, change):
    """A state of another version, or that is none, is told as such."""
    state = made(data).state_dict()
    with pytest.raises(DataError, match=r"no state of an IterableDataset|has version 2"):
        made(data).load_state_dict(state | change if isinstance(change, dict) else change)


def test_an_epoch_that_would_drop_a_loaded_state_is_refused(data):
    """set_epoch with another epoch than the loaded state's is an error, with the same one not."""
    dataset = made(data)
    dataset.set_epoch(3)
    state = dataset.state_dict()
    other = made(data)
    other.load_state_dict(state)
    other.set_epoch(3)
    with pytest.raises(DataError, match=r"epoch 3 was loaded, and set_epoch\(0\) would"):
        other.set_epoch(0)


@pytest.mark.parametrize("buffer", [0, 10])
def test_a_file_that_shrank_in_place_is_told(tmp_path, buffer):
    """If the data ends before the row where a pass was, that is an error and not the end."""
    path = tmp_path / "a.jsonl"
    head = "\n" * (1 << 16)  # what a state knows of a file beside its size
    path.write_text(head + "".join(f'{{"id": {i:3}}}\n' for i in range(90)))
    dataset = IterableDataset(path, shard=(0, 1), shuffle_buffer=buffer)
    items = iter(dataset)
    for _ in range(70):
        next(items)
    state = dataset.state_dict()
    path.write_text((head + '{"id": 1}\n' * 10).ljust(path.stat().st_size, "\n"))
    other = IterableDataset(path, shard=(0, 1), shuffle_buffer=buffer)
    other.load_state_dict(state)
    with pytest.raises(DataError, match="ends after 10 rows"):
        list(other)


def test_it_can_be_pickled_with_its_epoch(data):
    """A pickled dataset reads the same; a pass that was begun is not in it."""
    dataset = made(data, shuffle_buffer=10)
    dataset.set_epoch(2)
    next(iter(dataset))
    other = pickle.loads(pickle.dumps(dataset))
    assert 2 == other.epoch
    assert ids(dataset) == ids(other)


# ---- parts


def test_orders_are_the_same_for_ever():
    """Orders are no library's: a state that was saved with this version is right with the next."""
    assert [2, 7, 5, 1, 6, 0, 4, 3] == _order.permutation(_order.key(1, "a"), 8).tolist()
    assert [17, 11, 5] == _slots.Slots(20, (0, 1)).drawn(2).tolist()


TYPES = [
    pa.array([1, None, 3]),
    pa.array(["a", None, "c"], pa.string_view()),
    pa.array([["a"], None, ["c"]], pa.list_(pa.string_view())),
    pa.array(["x", "y", "x"]).dictionary_encode(),
    pa.array([[1, 2], [], [3]]),
    pa.array([[1, None], None, []]),
    pa.array([[0.5], [], [1.5]], pa.large_list(pa.float32())),
    pa.array([[1, 2], [3, 4], None], pa.list_(pa.int8(), 2)),
    pa.array([[{"role": "u"}], [], None]),
    pa.array([{"a": [1]}, None, {"a": None}]),
    pa.nulls(3),
]


@pytest.mark.parametrize("array", TYPES, ids=lambda array: str(array.type))
def test_rows_of_every_type_can_be_gathered(array):
    """Rows of several batches, slices too, come in the order asked for, with their type."""
    batches = [pa.record_batch({"x": one}) for one in (array, array.slice(1), array.slice(2, 1))]
    which, rows = np.array([1, 0, 2, 0, 1]), np.array([1, 0, 0, 2, 0])
    found = _gather.gathered(batches, which, rows)
    found.validate(full=True)
    assert batches[0].schema == found.schema
    pairs = zip(which.tolist(), rows.tolist(), strict=True)
    expected = [batches[one].column(0)[row].as_py() for one, row in pairs]
    assert expected == found.column(0).to_pylist()
