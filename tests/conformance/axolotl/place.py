"""Where each version of axolotl, the environment to run it in, and its tests are.

Nothing here is of one machine: a TOML file tells the environments, and a folder, or a clone of
axolotl's repository, has the tests.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from shimhub import _toml

ROOT = Path(__file__).parents[3]
#: The versions that are compared, and the revision of the repository that has their tests: the
#: newest one has no tag in the repository's copies, and is tested by what they end with.
VERSIONS = {
    "0.6.0": "v0.6.0",
    "0.8.1": "v0.8.1",
    "0.9.2": "v0.9.2",
    "0.12.2": "v0.12.2",
    "0.16.1": "v0.16.1",
    "0.19.0": "HEAD",
}


class UnmetError(Exception):
    """What was given does not have what is needed."""


@dataclass(frozen=True)
class Place:
    """One version: its interpreter, further folders of its ``sys.path``, and its tests."""

    version: str
    python: str
    path: tuple[str, ...]
    suite: Path


def places(environments: Path, tests: Path, versions: list[str]) -> list[Place]:
    """Return the places of ``versions``; raises UnmetError for what is not there."""
    told, _, problems = _toml.parse(environments.read_bytes(), str(environments))
    if problems:
        raise UnmetError("\n".join(map(str, problems)))
    missing = [one for one in versions if one not in told]
    if missing:
        raise UnmetError(f"{environments} has no table for {', '.join(missing)}")
    folder = environments.parent.resolve()
    return [
        Place(
            one,
            str(folder / told[one]["python"]),
            tuple(str(folder / entry) for entry in told[one].get("path", ())),
            _suite(one, tests.resolve()),
        )
        for one in versions
    ]


def _suite(version: str, tests: Path) -> Path:
    if (tests / version / "tests").is_dir():
        return tests / version / "tests"
    into = ROOT / "build" / "axolotl-tests" / version
    if not (into / "tests").is_dir():
        _extract(tests, VERSIONS[version], into)
    return into / "tests"


def _extract(repository: Path, revision: str, into: Path) -> None:
    command = ["git", "-C", str(repository), "archive", revision, "tests"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip()
        raise UnmetError(f"{repository}: no {into.name}/tests, and {told}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(into, filter="data")
