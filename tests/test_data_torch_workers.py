"""IterableDataset in real processes: DataLoader's workers, torchdata, ranks, and trainers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

pa = pytest.importorskip("pyarrow")
torch = pytest.importorskip("torch")

import pyarrow.parquet as pq  # noqa: E402 - after the check that it is there
from torch.utils.data import DataLoader  # noqa: E402

from shimhub.data import DataError, IterableDataset  # noqa: E402
from tests.data_jobs import heavy  # noqa: E402

ROWS = 211

pytestmark = [
    # DataLoader forks, and pytest-xdist has given this process a thread.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning"),  # torchdata's call
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file of several row groups."""
    made = tmp_path_factory.mktemp("data") / "a.parquet"
    ids = [[i, i + 1, i % 7] for i in range(ROWS)]
    pq.write_table(pa.table({"id": range(ROWS), "input_ids": ids}), made, row_group_size=10)
    return str(made)


def one_thread():
    """Return the environment of a child whose torch has one thread: more only wait here."""
    return os.environ | {"OMP_NUM_THREADS": "1"}


def same(items):
    """Collate nothing."""
    return items


def seen(batches) -> list[int]:
    """Return the numbers of all rows."""
    return [row["id"] for batch in batches for row in batch]


def loader(dataset, workers, kind=DataLoader, **options):
    """Return a loader of lists of rows."""
    return kind(dataset, batch_size=8, num_workers=workers, collate_fn=same, **options)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_workers_share_the_rows(path, workers):
    """A DataLoader gets every row once, in the same order each time."""
    dataset = IterableDataset(path, shuffle_buffer=30, block_bytes=100)
    first = seen(loader(dataset, workers))
    assert list(range(ROWS)) == sorted(first)
    assert first == seen(loader(dataset, workers))


def test_batches_can_be_made_by_the_dataset(path):
    """With batch_size=None the loader passes on the dataset's batches, tensors too."""
    dataset = IterableDataset(path, columns=["id"], batch_size=50, output="torch")
    found = [batch["id"] for batch in DataLoader(dataset, batch_size=None, num_workers=2)]
    assert all(isinstance(one, torch.Tensor) for one in found)
    assert list(range(ROWS)) == sorted(torch.cat(found).tolist())


def test_rows_are_collated_as_torch_does(path):
    """Torch's own collate function makes tensors of rows of tensors."""
    dataset = IterableDataset(path, output="torch")
    batch = next(iter(DataLoader(dataset, batch_size=4, num_workers=1)))
    assert [[0, 1, 0], [1, 2, 1], [2, 3, 2], [3, 4, 3]] == batch["input_ids"].tolist()


def test_workers_that_live_on_see_the_epoch(path):
    """set_epoch reaches persistent workers; each epoch has its own order, as without them."""
    dataset = IterableDataset(path, shuffle_buffer=30)
    lasting = loader(dataset, 2, persistent_workers=True, prefetch_factor=4)
    orders = []
    for epoch in (0, 1, 2):
        dataset.set_epoch(epoch)
        orders.append(seen(lasting))
        assert orders[-1] == seen(loader(dataset, 2))
    assert 3 == len({tuple(order) for order in orders})


@pytest.mark.slow
@pytest.mark.parametrize("method", ["forkserver", pytest.param("spawn", marks=heavy)])
def test_workers_that_are_not_forked(path, method, tmp_path):
    """Other ways to start workers read the same rows and see the epoch."""
    code = f"""
        import sys
        from torch.utils.data import DataLoader
        from shimhub.data import IterableDataset

        def numbers(rows):
            return [row["id"] for row in rows]

        if __name__ == "__main__":
            dataset = IterableDataset({path!r}, shuffle_buffer=30)
            options = dict(batch_size=8, num_workers=1, collate_fn=numbers)
            other = DataLoader(
                dataset, multiprocessing_context={method!r}, persistent_workers=True, **options
            )
            for epoch in (0, 1):
                dataset.set_epoch(epoch)
                assert list(DataLoader(dataset, **options)) == list(other)
    """
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(code))
    subprocess.run([sys.executable, str(script)], check=True, timeout=300, env=one_thread())


def test_the_parents_state_is_refused_where_workers_read(path):
    """state_dict() in a process whose workers have read is an error, not the first row."""
    dataset = IterableDataset(path)
    next(iter(loader(dataset, 1)))
    with pytest.raises(DataError, match="StatefulDataLoader"):
        dataset.state_dict()


def test_a_state_of_the_parent_is_refused_by_workers(path):
    """A state of a process without workers, loaded and read with workers, is told."""
    dataset = IterableDataset(path)
    next(iter(dataset))
    dataset.load_state_dict(dataset.state_dict())
    with pytest.raises(DataError, match="process without workers, and this is worker 0 of 1"):
        next(iter(loader(dataset, 1)))


# ---- torchdata


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("at", [0, 5, 27])
def test_torchdatas_loader_resumes_exactly(path, workers, at):
    """StatefulDataLoader's state, kept as JSON-able data, gives the very batches that were left."""
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader

    def made():
        dataset = IterableDataset(path, shuffle_buffer=40, block_bytes=100)
        dataset.set_epoch(1)
        return loader(dataset, workers, stateful)

    full = list(made())
    whole = made()
    batches = iter(whole)
    assert full[:at] == [next(batches) for _ in range(min(at, len(full)))]
    state = json.loads(json.dumps(whole.state_dict()))
    again = made()
    again.load_state_dict(state)
    assert full[at:] == list(again)
    if at < len(full):  # after the last batch, torchdata's loader gives an empty pass first
        assert full == list(again)


def test_torchdatas_workers_live_on_in_the_next_epoch(path):
    """After a pass that was resumed, the next epoch is whole, and is its own."""
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader
    dataset = IterableDataset(path, shuffle_buffer=40)
    first = loader(dataset, 2, stateful)
    batches = iter(first)
    next(batches)
    state = first.state_dict()
    rest = list(batches)
    other = IterableDataset(path, shuffle_buffer=40)
    again = loader(other, 2, stateful, persistent_workers=True)
    again.load_state_dict(state)
    assert rest == list(again)
    for one in (dataset, other):
        one.set_epoch(1)
    assert list(loader(dataset, 2)) == list(again)


# ---- ranks


RANK = """
import os, sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from shimhub.data import IterableDataset

dist.init_process_group("gloo", init_method="file://" + sys.argv[1],
                        rank=int(sys.argv[3]), world_size=2)
dataset = IterableDataset(sys.argv[2], output="torch", shuffle_buffer=20)
layer = torch.nn.Linear(3, 1)
model = DistributedDataParallel(layer) if sys.argv[4] == "DDP" else layer
found = []
for batch in DataLoader(dataset, batch_size=4, num_workers=1):
    model(batch["input_ids"].float()).sum().backward()
    if model is layer:
        dist.all_reduce(layer.weight.grad)
    found += batch["id"].tolist()
everything = [None, None]
dist.all_gather_object(everything, found)
if dist.get_rank() == 0:
    print(*everything[0] + everything[1])
dist.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["all_reduce", pytest.param("DDP", marks=heavy)])
def test_ranks_of_an_odd_number_of_rows_train_to_the_end(path, tmp_path, how):
    """Two ranks that sum their gradients end: both have as many batches; one row is told."""
    script = tmp_path / "train.py"
    script.write_text(RANK)
    store = str(tmp_path / "store")
    ranks = [
        subprocess.Popen(
            [sys.executable, str(script), store, path, str(rank), how],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=one_thread(),
        )
        for rank in range(2)
    ]
    told = [rank.communicate(timeout=300) for rank in ranks]
    assert [0, 0] == [rank.returncode for rank in ranks], told
    found = [int(one) for one in told[0][0].split()]
    assert ROWS - 1 == len(found) == len(set(found))
    assert "1 rows are left out of each epoch" in told[0][1]


# ---- trainers


@pytest.mark.slow
def test_accelerates_loader_reads_each_row_once(path):
    """A loader that accelerate prepared, in one process, gives all rows, and sets the epoch."""
    accelerate = pytest.importorskip("accelerate")
    dataset = IterableDataset(path, output="torch", shuffle_buffer=30)
    prepared = accelerate.Accelerator(cpu=True).prepare(DataLoader(dataset, batch_size=8))
    orders = [[one for batch in prepared for one in batch["id"].tolist()] for _ in range(2)]
    assert [list(range(ROWS))] * 2 == [sorted(order) for order in orders]
    assert orders[0] != orders[1]


TRAIN = """
import sys
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from shimhub.data import IterableDataset

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.seen = []

    def forward(self, input_ids, id):
        self.seen.append(id.tolist())
        return {"loss": self.layer(input_ids.float()).pow(2).mean()}

def trained(out, steps, resume):
    dataset = IterableDataset(sys.argv[1], output="torch", shuffle_buffer=40)
    arguments = TrainingArguments(
        out, max_steps=steps, per_device_train_batch_size=16, save_steps=3, report_to=[],
        use_cpu=True, remove_unused_columns=False, disable_tqdm=True, logging_strategy="no",
        dataloader_num_workers=int(sys.argv[3]), learning_rate=0.01, lr_scheduler_type="constant",
    )
    torch.manual_seed(0)
    model = Model()
    Trainer(model, arguments, train_dataset=dataset).train(resume_from_checkpoint=resume)
    return model.seen, model.layer.weight.tolist()

whole = trained(sys.argv[2] + "/whole", 6, None)
first = trained(sys.argv[2] + "/cut", 3, None)
rest = trained(sys.argv[2] + "/cut", 6, sys.argv[2] + "/cut/checkpoint-3")
assert whole[0] == first[0] + rest[0], (whole, first, rest)
assert whole[1] == rest[1]
assert 6 * 16 == len({one for batch in whole[0] for one in batch})
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=heavy)])
def test_transformers_trainer_resumes_with_the_same_rows(path, tmp_path, workers):
    """Trainer trains 3 of 6 steps, and from its checkpoint the very rows of the others follow."""
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    done = subprocess.run(
        [sys.executable, str(script), path, str(tmp_path), workers],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=one_thread() | {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"},
    )
    assert 0 == done.returncode, done.stderr


# ---- memory


MEMORY = """
import resource, sys
from shimhub.data import IterableDataset
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
dataset = IterableDataset(sys.argv[1], output="torch", batch_size=64, shuffle_buffer=500)
for at, _ in enumerate(dataset):
    if at == 100:
        early = peak()
print(at, early, peak())
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    """From 26 MB of a file of 64 MB to its end, peak memory grows by less than 30 MB."""
    row = pa.array([list(range(1000))] * 1000, pa.list_(pa.int32()))
    with pq.ParquetWriter(
        tmp_path / "a.parquet",
        pa.schema({"ids": row.type}),
        use_dictionary=False,
        compression="none",
    ) as writer:
        for _ in range(16):
            writer.write_table(pa.table({"ids": row}))
    told = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "a.parquet")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    last, early, late = map(int, told.split())
    assert 16_000 // 64 == last + 1
    assert late - early < 30_000
