"""One process at a time drives a job: a lock that ends with its process, however that ends."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Final

from shimhub.data.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What flock says where the file system has no locks.
_NO_LOCKS: Final = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextlib.contextmanager
def locked(state: str, what: str) -> Iterator[None]:
    """Hold the lock of a job's state folder, which is made if it is not there.

    The lock is flock's: the kernel ends it with the process, SIGKILL included. Where there is
    none (Windows, some network file systems) nothing is held: two processes then do the same
    tasks, and each renames the same bytes into place.

    Raises:
        JobError: another process holds it.
    """
    handle = _opened(state)
    try:
        while not _take(handle, what):
            pass
        while not _is_current(handle, state):  # its holder finished, and removed the folder
            os.close(handle)
            handle = _opened(state)
            _take(handle, what)
        yield
    finally:
        os.close(handle)


def _opened(state: str) -> int:
    os.makedirs(state, exist_ok=True)
    return os.open(os.path.join(state, "lock"), os.O_RDWR | os.O_CREAT | _CLOSED, 0o666)


_CLOSED: Final = getattr(os, "O_CLOEXEC", 0)


def _take(handle: int, what: str) -> bool:
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JobError(
            f"{what}: another process works on this job: wait for it, or end it and run it again"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _is_current(handle: int, state: str) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(os.path.join(state, "lock")))
    except FileNotFoundError:
        return False
