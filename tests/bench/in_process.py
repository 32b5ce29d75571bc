"""What is measured inside one process: finders, imports, calls, attributes."""

from __future__ import annotations

import importlib
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.bench import lab
from tests.bench.rivals import FINDERS, ProxyModule, finders
from tests.bench.timing import Samples, in_turns, nanoseconds

_BATCH = 20
_LOOKUP = "finder.find_spec(name, None, None)"


def measure_finders() -> Samples:
    """Cost of asking a finder with 200 targets for a name that is none of them, in ns.

    The finder stands first on ``sys.meta_path``. No such module exists: ddtrace's finder, which
    asks all others for every name, walks ``sys.path`` to find nothing.
    """
    made = finders(list(FINDERS))
    cases = {case: _in_front(one, _lookup(one)) for case, one in made.items()}
    return in_turns(cases, rounds=200)


def _lookup(finder: Any) -> Callable[[], float]:
    return nanoseconds(_LOOKUP, finder=finder, name="bench_not_a_target")


def _in_front(finder: Any, sample: Callable[[], float]) -> Callable[[], float]:
    """Return ``sample`` with ``finder``, if any, first on ``sys.meta_path`` meanwhile."""

    def sample_with_finder() -> float:
        before = list(sys.meta_path)
        if finder is not None:
            sys.meta_path.insert(0, finder)
        spent = sample()
        sys.meta_path[:] = before
        return spent

    return sample_with_finder


def measure_imports() -> Samples:
    """Cost of a real import of a tiny module that is no target, in µs of CPU time.

    A sample imports 20 of 200, the next 20 in the next round, with one finder in front of
    ``sys.meta_path``. "bare" and "bare again" are one thing: how far they are apart is the noise.
    """
    made = {"bare": None, "bare again": None, **finders(list(FINDERS))}
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, str(lab.tiny_modules(Path(folder))))
        cases = {case: _in_front(finder, _importer()) for case, finder in made.items()}
        return in_turns(cases, rounds=1000)


def _importer() -> Callable[[], float]:
    batches = itertools.cycle(zip(*[iter(lab.TINY)] * _BATCH, strict=True))
    return lambda: _import_microseconds(next(batches))


def _import_microseconds(names: Sequence[str]) -> float:
    started = time.thread_time_ns()
    for name in names:
        __import__(name)
    spent = time.thread_time_ns() - started
    for name in names:
        del sys.modules[name]
    return spent / len(names) / 1000


def measure_calls() -> Samples:
    """Cost of ``f(1, 2)`` for a function that returns its argument, in ns.

    shimhub's three are put in place by ``shimhub.install``, the first one under the guard at call
    time; "callee" has no shim.
    """
    import wrapt

    with tempfile.TemporaryDirectory() as folder:
        target, plain = _shimmed(Path(folder))
    functions = {
        "callee": plain.callee,
        "shimhub replace": target.replaced,
        "shimhub wrap": target.wrapped,
        "shimhub adapt (one keyword dropped)": target.adapted,
        "closure of *args, **kwargs": _starred(plain.callee),
        "wrapt.FunctionWrapper": wrapt.FunctionWrapper(plain.callee, _pass_on),
    }
    cases = {case: nanoseconds("f(1, 2)", f=function) for case, function in functions.items()}
    return in_turns(cases, rounds=200)


def measure_attributes() -> Samples:
    """Cost of ``module.callee``, in ns: a plain module, one with three shims, a cuml-style proxy.

    The proxy serves ``callee`` as its override, and ``removed`` from the module behind it.
    """
    with tempfile.TemporaryDirectory() as folder:
        target, plain = _shimmed(Path(folder))
    proxy = ProxyModule(plain, {"callee": plain.callee})
    cases = {
        "plain module": nanoseconds("module.callee", module=plain),
        "plain module again": nanoseconds("module.callee", module=plain),
        "shimhub: name without a shim": nanoseconds("module.callee", module=target),
        "shimhub: name with a shim": nanoseconds("module.wrapped", module=target),
        "cuml-style proxy, passed on": nanoseconds("module.removed", module=proxy),
        "cuml-style proxy, override": nanoseconds("module.callee", module=proxy),
    }
    return in_turns(cases, rounds=200)


def _shimmed(folder: Path) -> tuple[ModuleType, ModuleType]:
    """Install three shims; return the target that has them, and its twin that has none."""
    import shimhub

    registry = lab.shimmed_target(folder)
    sys.path.insert(0, str(folder))
    shimhub.install(registry, only="bench/*", strict=True)
    target = importlib.import_module("bench_target")
    unshimmed = [one for one in shimhub.status() if one.id.startswith("bench/") and not _on(one)]
    assert not unshimmed, unshimmed
    return target, importlib.import_module("bench_plain")


def _on(verdict: Any) -> bool:
    return bool(verdict.status.value == "APPLIED")


def _starred(callee: Callable[..., Any]) -> Callable[..., Any]:
    def starred(*args: Any, **kwargs: Any) -> Any:
        return callee(*args, **kwargs)

    return starred


def _pass_on(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)
