"""A worker process of the local runner: tasks come by stdin, what became of them goes to stdout."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from typing import IO, Any

from shimhub.data.runners._tasks import attempt


def main() -> None:
    """Do units of tasks until the parent is gone; then end at once, in the middle of a task too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which ends us
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a task prints does not mix with the replies
    orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    while True:
        stage, unit, job = orders.get()
        for index in unit:
            _reply(replies, (index, attempt(job, stage, index)))
        _reply(replies, None)


def _listen(orders: queue.SimpleQueue[Any]) -> None:
    """Hand on what the parent sends; a job is sent once for many units."""
    job: Any = None
    try:
        _limit_threads(pickle.load(sys.stdin.buffer))  # noqa: S301 - from our parent
        while True:
            stage, unit, sent = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our parent
            job = sent or job
            orders.put((stage, unit, job))
    except EOFError:
        os._exit(0)
    except BaseException:  # told before the process ends, as nobody joins this thread
        traceback.print_exc()
        raise
    finally:
        os._exit(1)


def _limit_threads(threads: int) -> None:
    """Share the CPUs with the other workers: pyarrow would take all of them in each."""
    import pyarrow as pa  # type: ignore[import-untyped]

    pa.set_cpu_count(threads)
    pa.set_io_thread_count(max(2, threads))


def _reply(replies: IO[bytes], reply: Any) -> None:
    pickle.dump(reply, replies)
    replies.flush()
