"""One run of one version's tests, with the pack or without it, and how two runs differ."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.axolotl.place import ROOT, Place, UnmetError

PLUGIN = Path(__file__).parent / "plugin"
#: Parts of the suite that test axolotl's own code on CPU: not those that train a model (e2e) or
#: test kernels of other libraries.
SELECTED = ("test_*.py", "core", "utils", "prompt_strategies", "cli", "patched")
#: Nothing is downloaded: the hub is at a port where nobody listens.
_OFFLINE = {
    "HF_ENDPOINT": "http://127.0.0.1:9",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "WANDB_MODE": "disabled",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "0",
    **dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"), "1"),
}
_LIMIT = 3600
_KIND = re.compile(r"(?:[\w.]*\.)?(\w*(?:Error|Exception|Warning|Exit|Interrupt))\b")


@dataclass
class Outcome:
    """What one test came to; ``kind`` is the class of the error of one that did not pass."""

    outcome: str
    kind: str = ""
    served: int = 0

    def __str__(self) -> str:
        return f"{self.outcome} ({self.kind})" if self.kind else self.outcome

    def same(self, other: Outcome | None) -> bool:
        """Whether both came to the same."""
        return other is not None and str(self) == str(other)


@dataclass
class Side:
    """What one run came to: outcomes by test; of the pack, served and all calls by row."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    stats: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float = 0.0


def run(
    place: Place, packed: bool, tests: Iterable[str] = (), files: Iterable[str] = SELECTED
) -> Side:
    """Run the tests of a version in ``files``, or ``tests``; raises UnmetError where none ran."""
    with tempfile.TemporaryDirectory(prefix="shimhub-axolotl-") as name:
        folder = Path(name)
        shutil.copytree(place.suite, folder / "suite" / "tests")
        started = time.perf_counter()
        done = _start(place, packed, folder, list(tests) or _selected(folder / "suite", files))
        side = _read(folder / "outcomes", packed)
        side.seconds = time.perf_counter() - started
    if not side.outcomes:
        raise UnmetError(f"axolotl {place.version}: no test ran\n{done}")
    return side


def _selected(suite: Path, files: Iterable[str]) -> list[str]:
    found = [path for name in files for path in sorted((suite / "tests").glob(name))]
    return [str(path.relative_to(suite)) for path in found]


def _start(place: Place, packed: bool, folder: Path, tests: list[str]) -> str:
    """Run pytest in the copy of the suite; returns the end of what it printed."""
    hub = ["-m", "shimhub", "run", "--only", "axolotl"] if packed else []
    pytest = ["-m", "pytest", "-q", "--tb=short", "--noconftest", "-c", os.devnull]
    plugins = ["-p", "no:cacheprovider", "-p", "axolotl_offline", "-p", "axolotl_outcomes"]
    more = ["--rootdir", ".", "--continue-on-collection-errors"]
    path = [*place.path, str(folder / "suite"), str(PLUGIN), str(ROOT)]
    told = {
        **{key: value for key, value in os.environ.items() if "SHIMHUB" not in key},
        **_OFFLINE,
        **{f"XDG_{one}_HOME": str(folder / one) for one in ("CACHE", "CONFIG", "STATE")},
        "HF_HOME": str(folder / "hub"),
        "TMPDIR": str(folder),
        "AXOLOTL_OUTCOMES": str(folder / "outcomes"),
        "PYTHONPATH": os.pathsep.join(path),
    }
    command = [place.python, *hub, *pytest, *plugins, *more, *tests]
    with subprocess.Popen(
        command,
        cwd=folder / "suite",
        env=told,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            printed, _ = process.communicate(timeout=_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            printed, _ = process.communicate()
    return printed[-3000:]


def _read(file: Path, packed: bool) -> Side:
    side, begun = Side(), ""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for told in map(json.loads, lines):
        begun = told.get("begins", begun)
        if "test" in told:
            side.outcomes[told["test"]] = _outcome(told)
        if told.get("ended"):
            begun = ""
            side.rows = {one: (row[0], row[1]) for one, row in told.get("rows", {}).items()}
            side.stats = told.get("stats", {})
            side.verdicts = {one: (row[0], row[1]) for one, row in told.get("verdicts", {}).items()}
    if begun:
        side.outcomes[begun] = Outcome("died")
    if packed and lines and not begun and not side.verdicts:
        raise UnmetError("the pack was not active in the run with it")
    return side


def _outcome(told: dict[str, Any]) -> Outcome:
    found = _KIND.search(told["why"].partition(":")[0]) if told["outcome"] != "passed" else None
    return Outcome(told["outcome"], found[1] if found else "", told.get("served", 0))


def differing(without: Side, packed: Side) -> dict[str, tuple[Outcome, Outcome]]:
    """Return the tests that came to something else with the pack."""
    none = Outcome("not run")
    names = [*without.outcomes, *(one for one in packed.outcomes if one not in without.outcomes)]
    pairs = {
        name: (without.outcomes.get(name, none), packed.outcomes.get(name, none)) for name in names
    }
    return {name: pair for name, pair in pairs.items() if not pair[0].same(pair[1])}
