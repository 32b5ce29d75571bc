"""Training data for torch's DataLoader: split over ranks and workers, shuffled, resumed exactly.

torch is imported where ``IterableDataset`` is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from shimhub.data.errors import DataError
from shimhub.data.feeding import _torch_rows, _torch_state
from shimhub.data.feeding._cursor import Cursor, Position
from shimhub.data.feeding._slots import Slots
from shimhub.data.feeding._torch_plan import LOG, planned, this_rank, this_worker
from shimhub.data.reading import _reading
from shimhub.data.reading._asked import Asked, one_of, whole
from shimhub.data.sources._sources import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa  # type: ignore[import-untyped]

    from shimhub.data._model import Skipped, Source
    from shimhub.data.feeding._dealing import Even

#: Bytes of a file in a piece: what a resumed worker reads again at most, of what can be cut.
_BLOCK: Final = 8 << 20
_EVEN: Final = ("none", "drop", "repeat")
#: Arguments of ``resolve``; the other ones tell how to read.
_FINDING: Final = ("format", "compression", "split", "follow_symlinks", "storage")


class Streaming:
    """What ``IterableDataset`` adds to torch's class of that name: see there."""

    def __init__(
        self,
        what: object,
        *,
        columns: Iterable[str] | None = None,
        batch_size: int | None = None,
        output: str = "rows",
        shuffle_buffer: int = 0,
        shuffle_blocks: bool = False,
        seed: int = 0,
        shard: tuple[int, int] | None = None,
        even: str | None = None,
        block_bytes: int = _BLOCK,
        progress: bool | None = None,
        **reading: Any,
    ) -> None:
        finding = {name: reading.pop(name) for name in _FINDING if name in reading}
        storage = finding.get("storage") or {}
        asked = Asked(columns, output=output, shard=shard, storage=storage, **reading)
        _check(batch_size, output, shuffle_buffer, shuffle_blocks, seed, block_bytes)
        rank, world = this_rank() if shard is None else shard
        chosen = _chosen_even(even, asked, world)
        order = _torch_state.Order(seed, shuffle_buffer, shuffle_blocks, chosen, rank, world)
        job = _reading.reading(
            resolve(what, **finding), asked.options(), asked.on_drift == "unify", None
        )
        self._plan = planned(job, order, block_bytes, progress)
        self._batch_size, self._output = batch_size, output
        # In shared memory, so that persistent workers see an epoch that is set later, and this
        # process knows that workers have read.
        self._shared = importlib.import_module("torch").zeros(2, dtype=_int64()).share_memory_()
        self._loaded: _torch_state.State | None = None
        self._now: tuple[Cursor, int, int, int] | None = None

    @property
    def schema(self) -> pa.Schema:
        """The columns of the rows."""
        return self._plan.job.schema

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files, in the order they are read if ``shuffle_blocks`` is off."""
        return self._plan.job.sources

    @property
    def skipped(self) -> Skipped:
        """What ``on_error="skip"`` left out in this process; workers have their own, and log it."""
        return self._plan.job.options.skipped

    @property
    def share(self) -> Even | None:
        """Rows of each rank, and rows dropped and repeated in an epoch; None if ``even="none"``."""
        return self._plan.share()

    @property
    def epoch(self) -> int:
        """The epoch whose order the next pass has."""
        return int(self._shared[0])

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass; workers that live on see it, too.

        Raises:
            DataError: a state of another epoch was loaded, and has not been used.
        """
        whole("epoch", epoch, 0)
        if self._loaded is not None and self._loaded.epoch != epoch:
            raise DataError(
                f"a state of epoch {self._loaded.epoch} was loaded, and set_epoch({epoch}) would "
                f"drop it: call set_epoch({self._loaded.epoch}), or load after it"
            )
        self._shared[0] = epoch

    def __iter__(self) -> Iterator[Any]:
        """Begin a pass: from where the loaded state was, else from the epoch's first row."""
        worker, workers = this_worker()
        if workers:
            self._shared[1] = 1
        epoch, start = self.epoch, Position()
        if self._loaded is not None:
            self._check_worker(self._loaded, worker, workers)
            epoch, start = self._loaded.epoch, self._loaded.position
            self._loaded = None
        cursor = self._cursor(epoch, worker, workers, start)
        self._now = cursor, epoch, worker, workers
        return self._items(cursor)

    def _cursor(self, epoch: int, worker: int, workers: int, start: Position) -> Cursor:
        order = self._plan.order
        pieces = self._plan.pieces_of(epoch, worker, max(1, workers))
        slots = None
        if order.shuffle_buffer:
            slots = Slots(order.shuffle_buffer, (order.seed, epoch, order.rank, worker))
        return Cursor(self._plan.job, pieces, slots, start)

    def _items(self, cursor: Cursor) -> Iterator[Any]:
        before = self.skipped.amount
        if self._batch_size is None:
            yield from _torch_rows.rows(cursor, self._output)
        else:
            yield from _torch_rows.batches(cursor, self._output, self._batch_size)
        if told := self.skipped.told(before):
            LOG.warning("%s", told)
        if not cursor.rows and self._plan.order.world == 1 and this_worker()[1] <= 1:
            self.skipped.refuse_nothing()  # of a share it is no error

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the pass that was begun here: a copy, as in a worker, begins its own."""
        return self.__dict__ | {"_now": None}

    def state_dict(self) -> dict[str, Any]:
        """Return where the latest pass in this process is, as a few numbers that JSON can hold.

        Raises:
            DataError: the rows are read in DataLoader's workers, whose states the DataLoader has
                to collect: torchdata's StatefulDataLoader does.
        """
        if self._now is None and self._loaded is None and self._shared[1] and not this_worker()[1]:
            raise DataError(
                "the rows were read by workers of a DataLoader, and only they know how far they "
                "are: use torchdata.stateful_dataloader.StatefulDataLoader, and its state_dict()"
            )
        return self._state().told()

    def _state(self) -> _torch_state.State:
        if self._loaded is not None:
            return self._loaded
        if self._now is None:
            return self._state_at(Position(), self.epoch, *this_worker())
        cursor, epoch, worker, workers = self._now
        return self._state_at(cursor.position(), epoch, worker, workers)

    def _state_at(
        self, position: Position, epoch: int, worker: int, workers: int
    ) -> _torch_state.State:
        plan = self._plan
        return _torch_state.State(plan.digest, plan.order, epoch, worker, workers, position)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next pass go on where that state was, and set its epoch.

        Raises:
            DataError: the state belongs to other data, another order, or another rank or number
                of ranks; where the number of workers differs, the next pass raises it.
        """
        plan = self._plan
        self._loaded = _torch_state.read(state_dict, plan.digest, plan.order)
        self._now = None
        self._shared[0] = self._loaded.epoch

    def _check_worker(self, state: _torch_state.State, worker: int, workers: int) -> None:
        if (state.worker, state.workers) != (worker, workers):
            raise DataError(
                f"the state is of {_named(state.worker, state.workers)}, and this is "
                f"{_named(worker, workers)}: resume with as many workers as before"
            )


def _named(worker: int, workers: int) -> str:
    return f"worker {worker} of {workers}" if workers else "a process without workers"


def _int64() -> Any:
    return importlib.import_module("torch").int64


def _check(
    batch_size: int | None,
    output: str,
    shuffle_buffer: int,
    shuffle_blocks: bool,
    seed: int,
    block_bytes: int,
) -> None:
    if batch_size is not None:
        whole("batch_size", batch_size)
    elif output in {"columns", "arrow"}:
        raise DataError(f"output={output!r} is of many rows: give batch_size, too")
    whole("shuffle_buffer", shuffle_buffer, 0)
    whole("seed", seed, 0)
    whole("block_bytes", block_bytes)
    if not isinstance(shuffle_blocks, bool):
        raise TypeError(f"shuffle_blocks={shuffle_blocks!r}: give True or False")


def _chosen_even(even: str | None, asked: Asked, world: int) -> str:
    """Return how ranks are made even: by default, they are where the environment has several."""
    if even is not None:
        one_of("even", even, _EVEN)
    elif world == 1 or asked.shard is not None:
        even = "none"
    else:
        even = "drop"
    if even != "none" and asked.on_error == "skip" and world > 1:
        raise DataError(
            'on_error="skip" leaves out rows that nobody can count before: with it, ranks cannot '
            'have as many rows as each other; say even="none", and bound the steps of training'
        )
    return even


_DOC: Final = """Rows of training data for ``torch.utils.data.DataLoader``: an iterable dataset.

    Every rank and every worker of its DataLoader reads its own share, and all shares together are
    all rows once. Files are cut into pieces of about ``block_bytes``, in the order of
    ``streaming_dataset_reader``; piece k goes to rank k modulo world, and of those to worker k
    modulo workers; a remainder is shared row by row. With ``even`` each rank reads one run of the
    rows, and each worker a part of it. What cannot be cut (a compressed file, a JSON array, a row
    group) is read by all that share it. The order is told by seed, epoch, rank and worker alone.

    Args:
        what: as for ``streaming_dataset_reader``; so are the arguments that are not named here.
        columns: names of the columns that are wanted, in that order.
        batch_size: None for one row after another, for a DataLoader that makes batches; or rows
            in a batch, for ``DataLoader(batch_size=None)``.
        output: "rows" (dicts of Python objects), "numpy" or "torch" (dicts of arrays; lists of
            numbers are 1-D); with ``batch_size`` also "columns" and "arrow".
        shuffle_buffer: rows of the buffer that rows are drawn from at random; 0 is off. Memory
            holds up to four times as many.
        shuffle_blocks: shuffle the pieces in each epoch, before they are dealt.
        seed: another one, another order.
        shard: (rank, world); by default torch.distributed's if it is initialised, else RANK and
            WORLD_SIZE. Where accelerate or Trainer split or dispatch batches themselves (more
            than one process), give (0, 1), or rows are split twice.
        even: "none"; "drop" leaves out fewer than ``world`` rows in an epoch, and "repeat" gives
            as few twice, so that each rank has as many rows and batches as the others, which
            DistributedDataParallel waits for. By default "drop" where ``shard`` comes from the
            environment, else "none". What it costs is logged, and in ``share``. Rows have to be
            counted first: Parquet and Arrow files tell them, others are read once for it.
        block_bytes: see above; a resumed worker reads at most one piece again, and what the
            buffer held.
        progress: whether to tell how the counting goes; None: at a terminal.

    ``set_epoch(n)`` chooses the next pass's order, for workers that live on, too. ``state_dict()``
    tells in a few numbers where a pass is, and after ``load_state_dict`` the very rows come that
    were left, in a process without workers, or in each worker of torchdata's StatefulDataLoader.

    Raises:
        DataError, FileNotFoundError, TypeError: as ``streaming_dataset_reader``.
    """


if TYPE_CHECKING:

    class IterableDataset(Streaming):
        """For type checkers: it is a ``torch.utils.data.IterableDataset``, too."""


def __getattr__(name: str) -> Any:
    """Make the class when it is asked for, as its base is torch's."""
    if name != "IterableDataset":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        base = importlib.import_module("torch.utils.data").IterableDataset
    except ImportError as error:
        raise ImportError("IterableDataset needs torch: pip install 'shimhub[torch]'") from error
    made = type(name, (Streaming, base), {"__module__": __name__, "__doc__": _DOC})
    globals()[name] = made
    return made
