"""What a stream's state is: numbers that JSON can hold, and what they belong to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from shimhub.data.errors import DataError
from shimhub.data.feeding._cursor import Position
from shimhub.data.writing import _files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shimhub.data._model import Source
    from shimhub.data.reading._reading import Reading
    from shimhub.data.reading._shards import Piece

#: Of the state's form and of the order that it stands for: another one is another order.
VERSION: Final = 1
#: Bytes at the beginning of a local file that a state knows.
_HEAD: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Order:
    """What decides which rows come when, beside the data."""

    seed: int
    shuffle_buffer: int
    shuffle_blocks: bool
    even: str
    rank: int
    world: int


@dataclass(frozen=True, slots=True)
class State:
    """A position in the stream of one worker of one rank."""

    data: str
    order: Order
    epoch: int
    worker: int
    workers: int
    position: Position

    def told(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"version": VERSION, **asdict(self)}


def read(told: Any, data: str, order: Order) -> State:
    """Return the state that was told, if it belongs to this data and order.

    Raises:
        DataError: it does not, or it is no state; what differs is told.
    """
    try:
        version, given = told["version"], Order(**told["order"])
        state = State(
            data=str(told["data"]),
            order=given,
            epoch=_whole(told["epoch"]),
            worker=_whole(told["worker"]),
            workers=_whole(told["workers"]),
            position=_position(told["position"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"this is no state of an IterableDataset: {error!r} in {told!r}") from None
    if version != VERSION:
        raise DataError(
            f"the state has version {version!r}, and this shimhub knows {VERSION}: resume with "
            "the shimhub that saved it, or begin the epoch again"
        )
    _check(state, data, order)
    return state


def _position(told: dict[str, Any]) -> Position:
    total = told["total"]
    rows, piece, first = (_whole(told[name]) for name in ("rows", "piece", "first"))
    return Position(rows, piece, first, None if total is None else _whole(total))


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _check(state: State, data: str, order: Order) -> None:
    if state.data != data:
        raise DataError(
            "the state belongs to other data: the files (their names, sizes, formats or order) or "
            "the options of reading are not those of when it was saved"
        )
    for field in fields(Order):
        saved, now = getattr(state.order, field.name), getattr(order, field.name)
        if saved != now:
            raise DataError(
                f"the state was saved with {field.name}={saved!r}, and this dataset has {now!r}: "
                "the rows would come in another order"
            )


def digest(job: Reading, pieces: Sequence[Piece]) -> str:
    """Return what the files and options are, and how they are cut into pieces, as 32 digits.

    Folders that all files share do not count, so that data may be moved. A file that was written
    again with another end, the same size and the same first 64 KiB is not told apart.
    """
    options = job.options
    told = {
        "files": [
            _file(source, name) for source, name in zip(job.sources, _names(job), strict=True)
        ],
        "pieces": [(piece.source, piece.span.start, piece.span.stop) for piece in pieces],
        "reading": [options.on_error, options.delimiter, options.quote, options.encoding],
    }
    return blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()


def _file(source: Source, name: str) -> list[Any]:
    """Tell a file from others: of a local one the first bytes, too, as sizes are often the same."""
    head = "" if source.is_remote else _files.digest(source.path, _HEAD)["sha256"]
    return [name, source.format, source.compression, source.size, head]


def _names(job: Reading) -> list[str]:
    parts = [source.path.replace("\\", "/").split("/") for source in job.sources]
    shared = 0
    while all(len(one) > shared + 1 and one[shared] == parts[0][shared] for one in parts):
        shared += 1
    return ["/".join(one[shared:]) for one in parts]
