"""Processes of this machine, and of this interpreter; the default.

They are started as new interpreters that do not run the user's script again, so that a script
needs no ``if __name__ == "__main__"``. They end when this process ends, whatever ends it.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import pickle
import queue
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, Final

from shimhub.data.errors import JobError, WorkerError
from shimhub.data.runners import Runner, cpus, remaining
from shimhub.data.runners._tasks import Failure, name, raised, task_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from shimhub.data.jobs._work import Job, Stage
    from shimhub.data.runners import Settings

_LOG: Final = logging.getLogger("shimhub.data")
#: sys.path comes first: it says which shimhub, and which packages, a worker sees.
_CODE: Final = (
    "import sys; sys.path[:] = sys.argv.pop(1).split('\\n'); "
    "from shimhub.data.runners._worker import main; main()"
)


class LocalRunner(Runner):
    """``workers`` processes; with one, or one task, the tasks run in this process."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._pool: _Pool | None = None

    def run(
        self,
        job: Job,
        stage: Stage,
        units: list[list[int]],
        done: Collection[int],
        tell: Callable[[int], None],
    ) -> None:
        """Do the tasks; see ``Runner.run``."""
        left = remaining(units, done)
        count = min(self.settings.workers or cpus(), len(left))
        if count <= 1:
            here(job, stage, left, tell)
        else:
            self._pool = self._pool or _Pool(max(1, cpus() // count))
            self._pool.run(job, stage, collections.deque(left), tell, count)

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.close()


def here(job: Job, stage: Stage, units: list[list[int]], tell: Callable[[int], None]) -> None:
    """Do the tasks in this process."""
    from shimhub.data.jobs._marks import do_task

    for index in (index for unit in units for index in unit):
        try:
            do_task(job, stage, index)
        except Exception as error:
            name(error, job, stage, index)
            raise
        tell(index)


class _Worker:
    """A worker process, and the thread that reads what it replies."""

    def __init__(self, replies: queue.SimpleQueue[Any], threads: int) -> None:
        paths = "\n".join(map(str, sys.path))
        with _no_interrupts():
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [_interpreter(), "-c", _CODE, paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.todo: list[int] = []
        self._job: Job | None = None
        self._send(threads)
        threading.Thread(
            target=_listen, args=(self, self.process.stdout, replies), daemon=True
        ).start()

    def give(self, job: Job, stage: Stage, unit: list[int]) -> None:
        """Send a unit of tasks; the job only if it is not the last one."""
        self.todo = list(unit)
        self._send((stage, unit, None if job is self._job else job))
        self._job = job

    def _send(self, order: Any) -> None:
        assert self.process.stdin is not None
        # One that died is told by the end of its replies.
        with contextlib.suppress(BrokenPipeError):
            pickle.dump(order, self.process.stdin)
            self.process.stdin.flush()

    def end(self) -> int:
        """Kill it if it still runs; return how it ended."""
        if self.process.poll() is None:
            self.process.kill()
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.process.wait()


def _listen(worker: _Worker, stream: IO[bytes], replies: queue.SimpleQueue[Any]) -> None:
    """Hand on the replies of a worker; ``EOFError`` for its end."""
    with stream:
        while True:
            try:
                reply = pickle.load(stream)  # noqa: S301 - from our own child
            except (EOFError, pickle.UnpicklingError):
                replies.put((worker, EOFError))
                return
            replies.put((worker, reply))


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Start children with SIGINT blocked: Ctrl-C is for their parent, which then ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interpreter() -> str:
    if not sys.executable:
        raise JobError("sys.executable is not known here: use workers=1")
    return sys.executable


class _Pool:
    """Workers with one unit each; what they reply comes by one queue."""

    def __init__(self, threads: int) -> None:
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads = threads
        self._died: collections.Counter[int] = collections.Counter()
        self._busy: set[_Worker] = set()
        self._idle: list[_Worker] = []

    def run(
        self,
        job: Job,
        stage: Stage,
        left: collections.deque[list[int]],
        tell: Callable[[int], None],
        count: int,
    ) -> None:
        """Do the tasks; an error, or the second death of a task's worker, ends it."""
        self._died.clear()
        for _ in range(count):
            self._next(self._worker(), job, stage, left)
        while self._busy:
            worker, reply = self._replies.get()
            if reply is EOFError:
                self._bury(worker, job, stage, left)
            elif reply is None:
                self._busy.remove(worker)
                self._next(worker, job, stage, left)
            else:
                _take(worker, reply, tell)

    def _worker(self) -> _Worker:
        return self._idle.pop() if self._idle else _Worker(self._replies, self._threads)

    def _next(
        self, worker: _Worker, job: Job, stage: Stage, left: collections.deque[list[int]]
    ) -> None:
        if left:
            self._busy.add(worker)
            worker.give(job, stage, left.popleft())
        else:
            self._idle.append(worker)

    def _bury(
        self, worker: _Worker, job: Job, stage: Stage, left: collections.deque[list[int]]
    ) -> None:
        """Have what a dead worker left undone done by a new one; the first is what it died of."""
        if worker in self._idle:
            self._idle.remove(worker)
            worker.end()
            return
        self._busy.remove(worker)
        how = _death(worker.end())
        if worker.todo:
            self._count_death(task_name(job, stage, worker.todo[0]), worker.todo[0], how)
            left.appendleft(worker.todo)
        self._next(self._worker(), job, stage, left)

    def _count_death(self, task: str, index: int, how: str) -> None:
        self._died[index] += 1
        if self._died[index] > 1:
            raise WorkerError(
                f"{task}: its worker {how}, and so did the one before; what is done is kept: "
                "run the job again"
            )
        _LOG.warning("%s: its worker %s; it is tried once more", task, how)

    def close(self) -> None:
        """Kill the workers; a task in the middle is not done, and leaves at most scratch files."""
        for worker in [*self._busy, *self._idle]:
            worker.end()


def _take(worker: _Worker, reply: tuple[int, Failure | None], tell: Callable[[int], None]) -> None:
    index, failure = reply
    if failure is not None:
        raise raised(failure)
    worker.todo.remove(index)
    tell(index)


def _death(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    kill = " (by the system, for want of memory?)" if -status == 9 else ""  # noqa: PLR2004
    return f"was killed by {signal.Signals(-status).name}{kill}"
