"""What starting an interpreter costs: bare, with shimhub off and active, beside rivals.

Every start is a process of its own, in turns; the figure is its CPU time, user and system, as
``wait4`` tells it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.bench import lab
from tests.bench.rivals import TARGETS
from tests.bench.timing import Samples, in_turns

_ON = {
    "PYTHONPATH": "{site}/shimhub/activation/site",
    "SHIMHUB": "1",
    "SHIMHUB_REGISTRY": "{root}/rows.toml",
}
_ONE_TARGET = f"import sys; sys.path.append({{root!r}}); import {TARGETS[0]}"
_QUIET = {"DD_INSTRUMENTATION_TELEMETRY_ENABLED": "0", "DD_REMOTE_CONFIGURATION_ENABLED": "0"}
_FINDERS = "import sys; found = {type(one).__module__ for one in sys.meta_path}; "
_PROOF = {
    True: _FINDERS + "assert 'shimhub.finder' in found",
    False: _FINDERS + "assert 'shimhub.finder' not in found",
}


@dataclass(frozen=True)
class Start:
    """One way to start: in which environment, with which variables, running what."""

    code: str = "pass"
    venv: str = "bare"
    env: Mapping[str, str] = field(default_factory=dict)
    cold: bool = False

    @property
    def is_active(self) -> bool:
        """Whether shimhub's finder must be there: proved once before anything is measured."""
        return self.env.get("SHIMHUB") == "1"


#: Case -> how it starts; ``{site}`` and ``{root}`` are paths of the lab. These have budgets.
LIGHT = {
    "bare python": Start(),
    "bare python again": Start(venv="twin"),
    "shimhub installed, off": Start(venv="shimhub"),
    "shimhub under run, SHIMHUB=0": Start(venv="shimhub", env={**_ON, "SHIMHUB": "0"}),
    "shimhub active, 200 rows": Start(venv="shimhub", env=_ON),
    "import importlib.util, threading": Start("import importlib.util, threading"),
}

#: As above, and without budgets: for orientation. A further rival is a line here.
HEAVY = {
    "bare python": Start(),
    "shimhub active, 200 rows": Start(venv="shimhub", env=_ON),
    "shimhub active, 200 rows, no compiled table": Start(venv="shimhub", env=_ON, cold=True),
    "shimhub active, 200 rows, first target imported": Start(_ONE_TARGET, "shimhub", _ON),
    "import wrapt": Start("import wrapt", "rivals"),
    "import ddtrace.auto": Start("import ddtrace.auto", "rivals", _QUIET),
}


def measure_light() -> Samples:
    """CPU time, user and system, of one process that starts the interpreter and ends, in ms.

    "installed" is the layout of the wheel in an environment of its own; "active" is what
    ``shimhub run`` gives a program and its children, with 200 rows beside the packaged ones.
    """
    return _measure(LIGHT, rounds=60)


def measure_heavy() -> Samples:
    """CPU time as above, in ms, where more is loaded.

    The import of the first target loads the hub and judges all 200 rows; each names a target
    of its own, which is far more look-ups of metadata than a real registry needs.
    """
    return _measure(HEAVY, rounds=30)


def _measure(starts: Mapping[str, Start], rounds: int) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        starter = _starter(Path(folder))
        return in_turns({case: starter(one) for case, one in starts.items()}, rounds)


def _starter(root: Path) -> Callable[[Start], Callable[[], float]]:
    pythons = {name: lab.environment(root / name) for name in ("bare", "twin")}
    pythons["rivals"] = lab.stocked(root / "rivals")
    pythons["shimhub"] = lab.installed(root / "shimhub")
    lab.registry_of_200(root)
    told = {"site": str(lab.site_packages(root / "shimhub")), "root": str(root)}
    common = {"PATH": os.defpath, "HOME": str(root)}

    def sampler(start: Start) -> Callable[[], float]:
        cache = root / ("cold" if start.cold else "warm")
        env = common | {name: value.format(**told) for name, value in start.env.items()}
        env["XDG_CACHE_HOME"] = str(cache)
        python = str(pythons[start.venv])
        _cpu_milliseconds([python, "-c", _PROOF[start.is_active]], env)
        command = [python, "-c", start.code.format(**told)]
        return (
            _cold(command, env, cache) if start.cold else partial(_cpu_milliseconds, command, env)
        )

    return sampler


def _cold(command: list[str], env: Mapping[str, str], cache: Path) -> Callable[[], float]:
    def sample() -> float:
        shutil.rmtree(cache, ignore_errors=True)
        return _cpu_milliseconds(command, env)

    return sample


def _cpu_milliseconds(command: list[str], env: Mapping[str, str]) -> float:
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(command[0], command, env, file_actions=silent)
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise RuntimeError(f"{' '.join(command)} exited with {code}")
    return (usage.ru_utime + usage.ru_stime) * 1000
