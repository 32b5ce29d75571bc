"""How many calls each backend computed, and why one computed another's.

Each thread counts for itself, and what a thread counted is summed when it is read; so no call
waits for a lock, and none is lost. Calls that never leave the native library are counted there. A
forked child begins at zero.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Final

from shimhub.accel.model import OPS, OpStats, Stats
from shimhub.kernels import _loading

#: Why numpy computed what our kernels were to.
NO_KERNEL: Final = "no kernel"

#: Of what is counted: (operation, backend), and (operation, "fallback", reason).
_Counts = Counter[tuple[str, ...]]
_lock = threading.Lock()
_shards: list[tuple[weakref.ref[threading.Thread], _Counts]] = []
_ended: _Counts = Counter()
#: What was counted, and is not to be told.
_hidden: _Counts = Counter()
_own = threading.local()


def count(op: str, backend: str, reason: str = "") -> None:
    """Count a call of an operation that a backend computed; ``reason`` why it was another's."""
    counts: _Counts | None = getattr(_own, "counts", None)
    if counts is None:
        counts = _new_shard()
    counts[op, backend] += 1
    if reason:
        counts[op, "fallback", reason] += 1


def get_stats() -> Stats:
    """Return the counts of all threads since the start or :func:`reset_stats`."""
    counts = _sum() - _hidden
    per_op = {op: _of(op, counts) for op in OPS if any(key[0] == op for key in counts)}
    reasons: Counter[str] = Counter()
    for key, number in counts.items():
        if key[1] == "fallback":
            reasons[key[2]] += number
    return Stats(
        pure_count=sum(one.pure for one in per_op.values()),
        native_count=sum(one.native for one in per_op.values()),
        ffi_count=sum(one.ffi for one in per_op.values()),
        fallback_count=sum(reasons.values()),
        reasons=dict(reasons),
        per_op=per_op,
    )


def reset_stats() -> None:
    """Count from zero again, in all threads."""
    global _own
    with _lock:
        _shards.clear()
        _ended.clear()
        _hidden.clear()
        _own = threading.local()
        native = _loading.native()
        if native is not None:
            native.accel_reset()


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Tell nothing of what is called inside of a with-statement, by whatever thread."""
    before = _sum()
    try:
        yield
    finally:
        _hidden.update(_sum() - before)


def _of(op: str, counts: _Counts) -> OpStats:
    native, numpy = counts[op, "native"], counts[op, "numpy"]
    fallback = sum(n for key, n in counts.items() if key[:2] == (op, "fallback"))
    return OpStats(native + numpy, native, counts[op, "torch"], fallback)


def _new_shard() -> _Counts:
    counts: _Counts = Counter()
    with _lock:
        _own.counts = counts
        _shards.append((weakref.ref(threading.current_thread()), counts))
        _fold()
    return counts


def _fold() -> None:
    """Add up what threads counted that have ended. The lock is held."""
    for shard in [one for one in _shards if one[0]() is None]:
        _ended.update(shard[1])
        _shards.remove(shard)


def _sum() -> _Counts:
    with _lock:
        _fold()
        total = Counter(_ended)
        for _, counts in _shards:
            total.update(dict(counts))
        total.update(_counted_in_c())
    return +total


def _counted_in_c() -> _Counts:
    """Return what the native library counted, which holds the GIL while it does."""
    native, counts = _loading.native(), _Counts()
    for op, row in zip(OPS, [] if native is None else native.accel_counts(), strict=False):
        counts[op, "native"], counts[op, "numpy"], counts[op, "torch"] = row[:3]
        counts[op, "fallback", NO_KERNEL] = row[3]
    return counts


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    reset_stats()


_ATFORK: Final = hasattr(os, "register_at_fork")
if _ATFORK:
    os.register_at_fork(after_in_child=_after_fork)
