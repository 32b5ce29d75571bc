"""What starting an interpreter costs: bare, with shimhub off and active, beside rivals.

Every start is a process of its own, in turns; the figure is its CPU time, user and system, as
``wait4`` tells it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.bench import lab
from tests.bench.starts import HEAVY, LIGHT, RIVALS, Start
from tests.bench.timing import Samples, in_turns


def measure_light() -> Samples:
    """CPU time, user and system, of one process that starts the interpreter and ends, in ms.

    All environments have the same packages. "installed" is the layout of the wheel, "activated"
    has what ``shimhub activate`` writes; active by ``run``, by ``.pth`` and by import are what
    ``shimhub run`` gives to a program and its children, what an activated environment gives to
    every process, and ``import shimhub.auto``. Each has 200 rows beside the packaged ones: of
    SHIMHUB_REGISTRY, or of a project that is trusted. A process leaves a record where its parent
    was started by ``run``, and ``import shimhub.auto`` makes the folder for it.
    """
    return _measure(LIGHT, rounds=60)


def measure_rivals() -> Samples:
    """CPU time as above, in ms, beside rivals that are active.

    autowrapt finds one hook among the entry points; OpenTelemetry is configured by its
    sitecustomize, without exporters, and finds nothing to instrument.
    """
    return _measure(RIVALS, rounds=15)


def measure_heavy() -> Samples:
    """CPU time as above, in ms, where more is loaded.

    The import of the first target loads the hub and judges all 200 rows; each names a target
    of its own, which is far more look-ups of metadata than a real registry needs.
    """
    return _measure(HEAVY, rounds=30)


def _measure(starts: Mapping[str, Start], rounds: int) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        starter = _Lab(Path(folder)).sampler
        return in_turns({case: starter(one) for case, one in starts.items()}, rounds)


_ENVIRONMENTS = {
    "bare": lab.stocked,
    "twin": lab.stocked,
    "rivals": lab.stocked,
    "autowrapt": lab.with_autowrapt,
    "shimhub": lab.installed,
    "activated": lab.activated,
}


class _Lab:
    """Environments, registries and a trusted project in one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pythons = {name: make(root / name) for name, make in _ENVIRONMENTS.items()}
        self._told = {
            "root": str(root),
            "site": str(lab.site_packages(root / "shimhub")),
            "rivals": str(lab.site_packages(root / "rivals")),
        }
        lab.registry_of_200(root)
        for one in ("plain/src/train", "project/src/train", "records"):
            (root / one).mkdir(parents=True)
        trusting = self._env({"XDG_CONFIG_HOME": "{root}/config"}, "warm")
        lab.trusted_project(root / "project", self._pythons["shimhub"], trusting)

    def sampler(self, start: Start) -> Callable[[], float]:
        """Prove that ``start`` is what it is called, and return what measures one."""
        cache = "cold" if start.cold else "warm"
        env = self._env(start.env, cache)
        folder = self._root / start.folder / "src" / "train"
        python = str(self._pythons[start.venv])
        code = start.code.format(**self._told)
        _cpu_milliseconds([python, "-c", f"{code}\n{start.proof}"], env, folder)
        once = partial(_cpu_milliseconds, [python, "-c", code], env, folder)
        return partial(_cold, once, self._root / cache) if start.cold else once

    def _env(self, told: Mapping[str, str], cache: str) -> dict[str, str]:
        root = self._root
        common = {"PATH": os.defpath, "HOME": str(root), "XDG_CACHE_HOME": str(root / cache)}
        return common | {name: value.format(**self._told) for name, value in told.items()}


def _cold(once: Callable[[], float], cache: Path) -> float:
    shutil.rmtree(cache, ignore_errors=True)
    return once()


def _cpu_milliseconds(command: list[str], env: Mapping[str, str], folder: Path) -> float:
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    os.chdir(folder)  # posix_spawn has none of its own
    child = os.posix_spawn(command[0], command, env, file_actions=silent)
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise RuntimeError(f"{' '.join(command)} exited with {code}")
    return (usage.ru_utime + usage.ru_stime) * 1000
