"""Where it happens: torch 2.8.0 in an environment, TorchTitan's wheels beside it, assets, results.

The environment with torch is never written to once it is complete, so that an existing one can be
lent (SHIMHUB_TORCH28_VENV). What is measured runs in thin environments: one for each TorchTitan,
whose ``.pth`` file names TorchTitan, torch's environment and this checkout, and one more in which
``shimhub activate`` was run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.conformance.torch28.expected import REQUIREMENTS, SHIMHUB_NEEDS, TORCH, VERSIONS
from tests.conformance.torch28.process import run

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "conformance-torch28"
#: Names a folder with an environment to use instead of making one; made there if it is missing.
VENV = "SHIMHUB_TORCH28_VENV"
INSTALLING = 3600  # seconds; torch 2.8.0 and what it wants of CUDA are 3.8 GB to download
_OURS = ("SHIMHUB", "PYTHON", "VIRTUAL_ENV", "PET_", "TORCH")
#: The last keeps each import of FlexAttention from starting a pool of compilers.
_SETTINGS = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
_ASK = (
    "import json, sys, sysconfig\nfrom importlib import metadata\n"
    "found = {d.metadata['Name'].lower(): d.version for d in metadata.distributions()}\n"
    "print(json.dumps([sysconfig.get_path('purelib'), sys.version.split()[0], found]))"
)


class UnmetError(Exception):
    """Something that the measurements need cannot be had; the text says what and why."""


@dataclass(frozen=True)
class Place:
    """A folder that holds everything; what is there already is used as it is."""

    build: Path = BUILD

    def __post_init__(self) -> None:
        self.build.mkdir(parents=True, exist_ok=True)

    @cached_property
    def base(self) -> Path:
        """The environment with torch 2.8.0, made on first use."""
        asked = os.environ.get(VENV)
        folder = Path(asked).resolve() if asked else self.build / "venv"
        if not (folder / "bin" / "python").exists():
            self._do([sys.executable, "-m", "venv", str(folder)])
            asked = None
        lacking = _lacking(folder)
        if lacking and asked:
            raise UnmetError(f"{VENV} lacks {', '.join(lacking)}; install them, or unset {VENV}")
        if lacking:
            self._do([*_pip(folder), "install", *REQUIREMENTS], INSTALLING)
        return folder

    @cached_property
    def versions(self) -> dict[str, str]:
        """What the environment with torch holds, by name; its Python as ``python``."""
        _, python, found = _asked(self.base / "bin" / "python")
        return {**found, "python": python}

    def titan(self, version: str) -> Path:
        """Return the folder with the unpacked wheel of that TorchTitan."""
        folder = self.build / f"titan-{version}"
        if not (folder / f"torchtitan-{version}.dist-info").exists():
            pip = [*_pip(self.base), "install", "--no-deps", "--upgrade", "--target", str(folder)]
            self._do([*pip, f"torchtitan=={version}"], INSTALLING)
        return folder

    def python(self, version: str, activated: bool = False) -> Path:
        """Return the interpreter of the thin environment for that TorchTitan."""
        folder = self.build / f"env-{version}{'-activated' if activated else ''}"
        python, complete = folder / "bin" / "python", folder / "complete"
        wanted = f"{self.base}\n{self.titan(version)}\n{ROOT}\n"
        if not complete.exists() or complete.read_text(encoding="utf-8") != wanted:
            self._make_thin(folder, version)
            complete.write_text(wanted, encoding="utf-8")
        if activated:  # every time: what it writes may have changed with the checkout
            self._do([str(python), "-m", "shimhub", "activate"])
        return python

    def _make_thin(self, folder: Path, version: str) -> None:
        base, python = self.base / "bin" / "python", folder / "bin" / "python"
        self._do([str(base), "-m", "venv", "--clear", "--without-pip", str(folder)])
        purelib = Path(_asked(python)[0])
        paths = [str(self.titan(version)), _asked(base)[0], str(ROOT)]
        (purelib / "conformance.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
        self._do([*_pip(folder), "install", *SHIMHUB_NEEDS], INSTALLING)

    @cached_property
    def assets(self) -> Path:
        """The folder to train in: tokenizer, text and config files."""
        folder, maker = self.build / "assets", ROOT / "examples/torchtitan/make_assets.py"
        if not (folder / "complete").exists():
            self._do([str(self.python(VERSIONS[0])), str(maker), str(folder)])
            (folder / "complete").touch()
        return folder

    def environ(self, **more: str) -> dict[str, str]:
        """Return a plain environment whose caches lie in the build folder."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
        caches = {name: str(self.build / "cache") for name in ("HF_HOME", "XDG_CACHE_HOME")}
        return kept | caches | _SETTINGS | more

    def _do(self, command: list[str], limit: float = 600) -> None:
        done = run(command, self.build, self.environ(), limit)
        if done.code != 0:
            raise UnmetError(f"`{' '.join(command)}` ended with {done.code}:\n{done.tail()}")


def _pip(environment: Path) -> list[str]:
    """Return pip of the interpreter that runs this, told to install into ``environment``."""
    return [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]


def _asked(python: Path) -> tuple[str, str, Mapping[str, str]]:
    """Return the site-packages, Python version and distributions of an environment."""
    import json

    done = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, check=True)
    purelib, version, found = json.loads(done.stdout)
    return purelib, version, found


def _lacking(environment: Path) -> list[str]:
    """Return the requirements that are not installed; of torch also another version is none."""
    found = _asked(environment / "bin" / "python")[2]
    names = [requirement.partition(">")[0].partition("=")[0] for requirement in REQUIREMENTS]
    lacking = [name for name in names if name not in found]
    if "torch" not in lacking and found["torch"].partition("+")[0] != TORCH:
        lacking.append(f"torch=={TORCH} (has {found['torch']})")
    return lacking
