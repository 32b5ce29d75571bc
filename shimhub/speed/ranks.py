"""The processes of a distributed run agree on what is measured and kept: rank 0 decides.

They talk through the store of the process group, by keys that are looked for with a deadline. No
collective is added to the user's step: one that a rank does not come to would hang the training.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from shimhub.speed.errors import SpeedError

#: Ranks end a step at nearly the same time: gradients are summed over all of them.
PATIENCE = 20.0
#: A collective that waits for a rank gives up after the group's timeout: ours is this part of it.
_PART = 4
_LEFT = "left"


class RanksDifferError(SpeedError, RuntimeError):
    """The ranks of a run are not alike, or one of them does not answer: nothing is measured."""


class Alone:
    """A process without ranks beside it."""

    rank, size = 0, 1

    def join(self, name: str, digest: str, offer: str) -> str:
        """Return what this process offers itself."""
        return offer

    def follow(self, name: str, decision: str) -> str:
        """Return this process's own decision."""
        return decision

    def leave(self, reason: str) -> None:
        """There is nobody to be told."""


class Ranks:
    """The ranks of a process group, which meet in its store."""

    def __init__(self, store: Any, rank: int, size: int, patience: float = PATIENCE) -> None:
        self._store, self.rank, self.size, self._patience = store, rank, size, patience

    def join(self, name: str, digest: str, offer: str) -> str:
        """Begin something together; returns what rank 0 offers.

        Raises RanksDifferError on every rank where one has another digest or does not come.
        """
        self._put(f"{name}/{self.rank}", digest)
        if self.rank:
            return self._all([f"{name}/go"])[0]
        found = self._all([f"{name}/{one}" for one in range(self.size)])
        if odd := [at for at, one in enumerate(found) if one != digest]:
            raise RanksDifferError(f"rank {odd[0]} has other settings, optimizers or versions")
        self._put(f"{name}/go", offer)
        return offer

    def follow(self, name: str, decision: str) -> str:
        """Return rank 0's decision, which it makes here; raises RanksDifferError without one."""
        if self.rank:
            return self._all([name])[0]
        self._heed()
        self._put(name, decision)
        return decision

    def leave(self, reason: str) -> None:
        """Tell the others why nothing is done together any more: they hear it at their turn."""
        self._put(_LEFT, reason)

    def _put(self, name: str, told: str) -> None:
        self._store.set(name, told)

    def _heed(self) -> None:
        if self._store.check([_LEFT]):
            raise RanksDifferError(self._store.get(_LEFT).decode())

    def _all(self, names: Sequence[str]) -> list[str]:
        """Return the values of keys; raises RanksDifferError where one is not there in time."""
        deadline, pause = time.monotonic() + self._patience, 0.0001
        while not self._store.check(list(names)):
            self._heed()
            if time.monotonic() > deadline:
                gone = [one for one in names if not self._store.check([one])]
                told = f"rank {self.rank} waited {self._patience:g} s for {gone[0]!r}"
                raise RanksDifferError(f"{told}: ranks do not step together")
            time.sleep(pause)  # a wait in the store would keep its lock from other threads
            pause = min(0.01, pause * 1.5)
        return [self._store.get(one).decode() for one in names]


def ranks_of(environ: Mapping[str, str]) -> Alone | Ranks:
    """Return this process's ranks; raises RanksDifferError where it has some and no group."""
    distributed: Any = sys.modules.get("torch.distributed")
    is_on = distributed is not None and distributed.is_available()
    if is_on and distributed.is_initialized():
        size = distributed.get_world_size()
        return _grouped(distributed, size, environ) if size > 1 else Alone()
    told = environ.get("WORLD_SIZE", "1")
    if told.isdecimal() and int(told) > 1:
        raise RanksDifferError(f"WORLD_SIZE is {told} and torch.distributed has no process group")
    return Alone()


def _grouped(distributed: Any, size: int, environ: Mapping[str, str]) -> Ranks:
    """Return the ranks of the default group; an attempt of torchrun has keys of its own."""
    store = distributed.distributed_c10d._get_default_store()
    attempt = environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    prefixed = distributed.PrefixStore(f"shimhub.speed/{attempt}", store)
    return Ranks(prefixed, distributed.get_rank(), size, _patience(distributed, store))


def _patience(distributed: Any, store: Any) -> float:
    """Return how long a rank may wait here: well under what the others' collectives wait for it."""
    group = distributed.distributed_c10d._get_default_group()
    backends = [group._get_backend(one) for one in getattr(group, "_device_types", ())]
    options = [getattr(one, "options", None) for one in backends]
    times = [getattr(store, "timeout", None), *(getattr(one, "_timeout", None) for one in options)]
    told = [float(one.total_seconds()) / _PART for one in times if one is not None]
    return min([PATIENCE, *told])


def digest_of(facts: Any) -> str:
    """Return a digest of plain data; what JSON does not know goes in by its ``repr``."""
    text = json.dumps(facts, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_first(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process speaks for its run: the only one, or rank 0."""
    return environ.get("RANK", "0") == "0"
