"""Run test modules in their modes, compare, and run again what differs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conformance import cpython_lab as lab
from tests.conformance.cpython_results import (
    Difference,
    Listed,
    Run,
    RunError,
    compare,
    lasting,
    parse,
    unlisted,
)

TESTS = (
    "test_importlib",
    "test_import",
    "test_runpy",
    "test_pkgutil",
    "test_zipimport",
    "test_module",
    "test_site",
    "test_cmd_line_script",
    "test_modulefinder",
    "test_doctest",
)

#: What a mode is, in words.
MODES = {
    "light": "200 rows that nothing asks for: the finder alone",
    "hub": "the same and a row on a module that `site` imports: the whole hub, from the start",
    "targets": "the whole hub; the modules that the tests are about are targets themselves, each"
    " with a name more; and each process writes its record (`SHIMHUB_RUN_DIR`)",
    "bare": "a control: no shimhub in the environment, no `.pth` file",
    "loaded": "a control: no shimhub, and a `.pth` file that imports `threading`, as packaging and"
    " importlib.metadata do, which the hub needs",
}

_REGISTRIES = {
    "light": ["idle"],
    "hub": ["idle", "early"],
    "targets": ["idle", "early", "targets"],
}
#: The control that only one test module needs: see cpython_exceptions.txt.
_ALONE = {"loaded": "test_import"}

#: All resources but those that need a screen, a network, gigabytes or hours.
_USE = "-uall,-audio,-curses,-gui,-largefile,-network,-urlfetch,-decimal"
HERE = Path(__file__).parent
_DRIVER = HERE / "cpython_driver.py"
_FIXED = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
_LIMIT = 1200  # seconds, for one test module
_ATTEMPTS = 3


@dataclass(frozen=True)
class Bench:
    """One Python version: its interpreters, its registries, and where results go."""

    version: str
    python: Path
    bare: Path
    loaded: Path
    registries: dict[str, Path]

    @property
    def out(self) -> Path:
        """The folder of this version's results."""
        return lab.BUILD / self.version

    def interpreter(self, mode: str) -> Path:
        """Return the interpreter of the mode's environment."""
        return {"bare": self.bare, "loaded": self.loaded}.get(mode, self.python)

    @property
    def records(self) -> Path:
        """The folder for records of processes."""
        return self.out / "records"

    def settings(self, mode: str) -> dict[str, str]:
        """Return the variables that make the mode."""
        if mode == "off":
            return {"SHIMHUB": "0"}
        named = [str(self.registries[one]) for one in _REGISTRIES.get(mode, [])]
        made = {"SHIMHUB_REGISTRY": os.pathsep.join(named)} if named else {}
        return made | ({"SHIMHUB_RUN_DIR": str(self.records)} if mode == "targets" else {})


@dataclass(frozen=True)
class Compared:
    """What a test module did in a mode, beside what it does without the hub."""

    without: Run
    active: Run
    differences: list[Difference]
    unsteady: list[Difference]
    attempts: int


def has_tests(python: Path, test: str) -> bool:
    """Whether the interpreter has that test module; some distributions leave them out."""
    code = "import sys, importlib.util as u; sys.exit(u.find_spec('test.' + sys.argv[1]) is None)"
    command = [str(python), "-c", code, test]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run(bench: Bench, mode: str, test: str) -> Run:
    """Run one test module. Raises RunError with the end of its output where it broke off."""
    bench.out.mkdir(parents=True, exist_ok=True)
    results, log = bench.out / f"{test}.{mode}.jsonl", bench.out / f"{test}.{mode}.log"
    results.unlink(missing_ok=True)
    python = bench.interpreter(mode)
    folder = tempfile.mkdtemp(prefix="tmp")
    options = ["-v", "--randseed", "1", "--fail-env-changed", "--tempdir", folder, _USE]
    command = [str(python), str(_DRIVER), str(results), *options, test]
    env = {**clean(os.environ), **bench.settings(mode), "TMPDIR": folder}
    shutil.rmtree(bench.records, ignore_errors=True)
    bench.records.mkdir()
    try:
        status = _wait(command, env, folder, log)
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        found = parse(test, lines, _places(python, folder))
        return proved(mode, found, records=len(list(bench.records.iterdir())))
    except RunError as error:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        what = f"{test}, Python {bench.version}, {mode}, exit status {status}"
        raise RunError(f"{what}: {error}\n{tail}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def proved(mode: str, done: Run, records: int = 0) -> Run:
    """Return the run. Raises RunError where the hub was not as active as the mode says."""
    begin, end = done.begin, done.end
    told = (begin.get("finder"), begin.get("hub"), end.get("finder"), end.get("canary"))
    is_active, is_whole = mode in _REGISTRIES, mode in ("hub", "targets")
    expected = (is_active, is_whole, is_active, is_active)
    if told != expected:
        names = ("finder at first", "hub at first", "finder at last", "canary")
        raise RunError(f"{names} should be {expected} and are {told}: {begin} {end}")
    if is_whole and not end.get("applied"):
        raise RunError(f"no row was applied in the mode {mode}")
    if bool(records) != (mode == "targets"):
        raise RunError(f"{records} records of processes in the mode {mode}")
    return done


def warm(bench: Bench, mode: str) -> None:
    """Let a process compile the mode's registries: in the first one, more modules are loaded."""
    env = {**clean(os.environ), **bench.settings(mode)}
    command = [str(bench.interpreter(mode)), "-c", "pass"]
    subprocess.run(command, env=env, capture_output=True, check=True)


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that speak to Python, shimhub or an environment."""
    unwanted = ("PYTHON", "SHIMHUB", "VIRTUAL_ENV", "PYENV", "PIP_", "COV_", "XDG_")
    kept = {key: it for key, it in environ.items() if not key.startswith(unwanted)}
    return {**kept, "XDG_CACHE_HOME": str(lab.BUILD / "cache"), **_FIXED}


def compared(
    bench: Bench, mode: str, test: str, without: Run, listed: Iterable[Listed]
) -> Compared:
    """Run in ``mode`` and compare; both sides again, up to three times, while they differ.

    What is listed as different is no reason for that.
    """
    rules = list(listed)
    active = run(bench, mode, test)
    rounds = [compare(without, active)]
    for _ in range(1, _ATTEMPTS):
        if not unlisted(bench.version, mode, lasting(rounds)[0], rules):
            break
        rounds.append(compare(run(bench, "off", test), run(bench, mode, test)))
    return Compared(without, active, *lasting(rounds), len(rounds))


def each(
    bench: Bench, tests: Iterable[str], modes: tuple[str, ...], listed: Iterable[Listed]
) -> Iterator[tuple[str, str, Compared | None]]:
    """Yield test module, mode and what came out; None where the interpreter lacks the module."""
    rules = list(listed)
    for test in tests:
        if not has_tests(bench.python, test):
            yield test, modes[0], None
            continue
        wanted = [mode for mode in modes if _ALONE.get(mode, test) == test]
        for mode in wanted:
            warm(bench, mode)
        without = run(bench, "off", test)
        for mode in wanted:
            yield test, mode, compared(bench, mode, test, without, rules)


def _places(python: Path, folder: str) -> dict[str, str]:
    return {folder: "/tmp…", str(python.parents[1]): "<environment>"}


def _wait(command: list[str], env: dict[str, str], folder: str, log: Path) -> int:
    """Run in a session of its own, which is ended as a whole when it hangs."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
