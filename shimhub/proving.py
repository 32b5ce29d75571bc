"""Proofs: before it goes live a replacement does what the installed original does, on cases.

``cases(ctx)`` of a shim yields callables; each is given the original, then the replacement, calls
it on input that it makes anew, and returns what came out (and what became of the input). Results
are compared bit for bit, errors by type. What was found is kept by all that it rests on: the
original's body, the shim's code, the parameters, shimhub itself, Python, and the versions of what
the row names in ``proved_with``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from shimhub import paths
from shimhub._compare import first_finding
from shimhub.compiled import read_own, write_own
from shimhub.errors import Decline, NotProvedError, Raised
from shimhub.fingerprint import fingerprint
from shimhub.model import Context, Shim

Case = Callable[[Callable[..., Any]], Any]

_FORMAT = 1
_KEPT = 512
#: Variables that choose which code of ours runs.
_VARIABLES = ("SHIMHUB_NATIVE", "SHIMHUB_LANES")


def prove(
    shim: Shim,
    original: Any,
    made: Any,
    ctx: Context,
    cases: Callable[[], Iterable[Case]],
    files: Sequence[str],
) -> str:
    """Return what the proof came to; raises NotProvedError where the two differ, or none ran.

    ``files`` hold the code of the shim and of its cases.
    """
    file = os.path.join(paths.cache_dir(), _key(shim, original, ctx, files) + ".proof")
    told = _kept(file)
    is_kept = told is not None
    if told is None:
        differs, told = run_cases(original, made, cases())
        _keep(file, differs, told)
        if differs:
            raise NotProvedError(told)
    return f"{told}{', as an earlier process found' if is_kept else ''}"


def run_cases(original: Any, made: Any, cases: Iterable[Case]) -> tuple[bool, str]:
    """Return whether to leave the original, and why, or what was proved.

    Raises what the replacement alone raised for want of memory or of a file: that is no difference
    between the two, and the next process may have it.
    """
    count = served = declined = 0
    for count, case in enumerate(cases, 1):
        theirs, mine = _outcome(case, original), _outcome(case, made)
        if isinstance(mine, Decline):
            declined += 1
            continue
        if told := _difference(mine, theirs):
            if isinstance(mine, (MemoryError, OSError)):
                raise mine
            return True, f"differs from the original in case {count}: {told}"
        served += not isinstance(theirs, Exception)
    if not served:
        return True, f"none of {count} cases was served by both it and the original"
    return False, _proved(served, count - served - declined, declined)


def _proved(served: int, failed: int, declined: int) -> str:
    told = f"equal to the original in {served} cases"
    told += f", and fails as it does in {failed}" if failed else ""
    return told + (f"; {declined} left to the original" if declined else "")


def _outcome(case: Case, function: Any) -> Any:
    try:
        return case(function)
    except Raised as error:
        return error.error
    except Exception as error:  # noqa: BLE001  # whatever it raises is what is compared
        return error


def _difference(mine: Any, theirs: Any) -> str:
    if isinstance(mine, Exception) or isinstance(theirs, Exception):
        same = type(mine) is type(theirs)
        return "" if same else f"{_shown(mine)}, the original {_shown(theirs)}"
    found = first_finding("result", mine, theirs)
    return f"{found.place}: {found.told}" if found else ""


def _shown(outcome: Any) -> str:
    if isinstance(outcome, Exception):
        return f"raised {type(outcome).__name__}: {outcome}"[:300]
    return f"returned a {type(outcome).__name__}"


def _key(shim: Shim, original: Any, ctx: Context, files: Sequence[str]) -> str:
    parts = [
        *(_FORMAT, shim.id, fingerprint(original), sorted(ctx.parameters.items())),
        *(platform.python_version(), platform.machine(), _built()),
        *(hashlib.sha256(_content(path)).hexdigest() for path in (*files, *_beside(shim))),
        *((name, ctx.version(name)) for name in shim.proved_with),
        *((name, os.environ.get(name, "")) for name in _VARIABLES),
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _content(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


@functools.cache
def _built() -> str:
    """Return a hash over the sizes and times of this package's files: an edit proves anew."""
    found = [
        (path, status.st_size, status.st_mtime_ns)
        for path in _code(paths.PACKAGE_DIR, (".py", ".so", ".pyd"))
        for status in [os.stat(path)]
    ]
    return hashlib.sha256(repr(found).encode()).hexdigest()


def _beside(shim: Shim) -> Iterator[str]:
    """Yield the files of the shim's area, which its code may load."""
    yield from _code(os.path.join(paths.shims_dir(shim.file), shim.id.partition("/")[0]), (".py",))


def _code(folder: str, suffixes: tuple[str, ...]) -> list[str]:
    return sorted(
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith(suffixes)
    )


def _kept(file: str) -> str | None:
    """Return what an earlier process proved; raises NotProvedError where it found a difference."""
    content = read_own(file)
    try:
        found = json.loads(content) if content else None
        if found is None or not isinstance(found["told"], str):
            return None
        differs, told = found["differs"], found["told"]
    except (ValueError, KeyError, TypeError):
        return None
    if differs:
        raise NotProvedError(f"{told} (as an earlier process found)")
    return str(told)


def _keep(file: str, differs: bool, told: str) -> None:
    write_own(file, json.dumps({"differs": differs, "told": told}).encode(), _KEPT)
