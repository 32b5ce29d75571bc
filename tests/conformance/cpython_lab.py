"""Interpreters, and the environments that the tests run in: made once, under build/."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "conformance" / "cpython"
VERSIONS = ("3.10", "3.11", "3.12", "3.13")

#: What decides about the wheel.
_SOURCES = ("shimhub", "shims", "native", "registry.toml", "pyproject.toml")

#: shimhub's own dependencies, as its metadata lists them.
_NEEDS = ("packaging", "importlib-metadata", "cffi", "numpy", "tomli; python_version < '3.11'")

ROWS = 200

_ROW = """\
[[shim]]
id = "conformance/{name}"
attach = "{module}:shimhub_conformance"
action = "alias"
to = "posixpath:join"
why = "A row of the conformance runs."
"""

#: A module that every process has imported when start-up files are read: ``site`` itself does.
EARLY = "_sitebuiltins"


#: Modules that the tests are about, or use: each gets a name more in the mode ``targets``.
TARGETS = [
    "importlib",
    "importlib.abc",
    "importlib.machinery",
    "importlib.metadata",
    "importlib.resources",
    "importlib.resources.abc",
    "importlib.util",
    "runpy",
    "pkgutil",
    "zipimport",
    "zipfile",
    "site",
    "doctest",
    "modulefinder",
    "pdb",
    "inspect",
    "tokenize",
    "linecache",
    "json",
    "colorsys",
    "test.support",
    "test.support.import_helper",
    "test.test_importlib.abc",
    "test.test_importlib.frozen",
    "test.test_importlib.import_",
    "test.test_importlib.util",
    "test.test_import.data.circular_imports.basic",
]


class LabError(Exception):
    """An environment could not be made."""


def find_python(version: str) -> Path | None:
    """Return a working python of that version: on PATH, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    on_path = shutil.which(f"python{version}")
    kept = sorted((pyenv / "versions").glob(f"{version}.*/bin/python"))
    for found in [*([Path(on_path)] if on_path else []), *kept]:
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        asked = subprocess.run([found, "-c", code], capture_output=True, text=True, check=False)
        if asked.stdout.strip() == version:
            return found
    return None


def full_version(python: Path) -> str:
    """Return the version with its last part, as in 3.12.1."""
    code = "import platform; print(platform.python_version())"
    return _checked([str(python), "-c", code]).stdout.strip()


def tree_key() -> str:
    """Return the hash of all that goes into the wheel."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "--", *_SOURCES]
    listed = _checked(command).stdout.split("\n")
    digest = hashlib.sha256()
    for name in sorted(filter(None, listed)):
        if (ROOT / name).is_file():
            digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes())
    return digest.hexdigest()[:12]


def commit() -> str:
    """Return the last commit of what goes into the wheel, with a mark where files differ."""
    changed = _checked(["git", "status", "--porcelain", "--", *_SOURCES]).stdout
    told = _checked(["git", "log", "-1", "--format=%h", "--", *_SOURCES]).stdout.strip()
    return told + ("-dirty" if changed else "")


def wheel(key: str) -> Path:
    """Return the wheel of the checkout, built if it is not there."""
    folder = BUILD / "wheel" / key
    if not list(folder.glob("*.whl")):
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        _checked([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)])
    return next(folder.glob("*.whl"))


def registries() -> dict[str, Path]:
    """Write the registries: rows that nothing asks for, one that is needed at once, targets."""
    idle = [f"conformance_absent_{number:03}" for number in range(ROWS)]
    modules = {"idle": idle, "early": [EARLY], "targets": TARGETS}
    files = {name: BUILD / f"{name}.toml" for name in modules}
    for name, those in modules.items():
        rows = [_ROW.format(name=one.replace(".", "_"), module=one) for one in those]
        files[name].write_text("schema = 1\n\n" + "\n".join(rows), encoding="utf-8")
    return files


def environment(version: str, python: Path, key: str) -> Path:
    """Return the interpreter of a fresh environment with shimhub installed and activated.

    Without pip and setuptools, whose own ``.pth`` file brings a finder.
    """
    folder = BUILD / f"venv-{version}"
    made = folder / "bin" / "python"
    stamp = folder / "shimhub-tree"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != key:
        _make(folder, python)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        needs = [one for one in _NEEDS if "tomli" not in one or version == "3.10"]
        install = [*pip, "--python", str(made), "install", "--no-warn-script-location"]
        _checked([*install, *(re.sub(";.*", "", one) for one in needs)])
        _checked([*install, "--no-deps", "--force-reinstall", str(wheel(key))])
        _checked([str(made), "-m", "shimhub", "activate"])
        stamp.write_text(key, encoding="utf-8")
    return made


def bare(version: str, python: Path, pth: str | None = None) -> Path:
    """Return the interpreter of an environment with nothing installed, or one ``.pth`` file."""
    folder = BUILD / f"venv-{version}-{'loaded' if pth else 'bare'}"
    if not (folder / "bin" / "python").exists():
        _make(folder, python)
        for place in folder.glob("lib/python*/site-packages") if pth else ():
            (place / "loaded.pth").write_text(pth, encoding="utf-8")
    return folder / "bin" / "python"


def loaded(version: str, python: Path) -> Path:
    """Return the interpreter of an environment where every process has imported threading."""
    return bare(version, python, "import threading\n")


def _make(folder: Path, python: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _checked([str(python), "-m", "venv", "--without-pip", str(folder)])


def _checked(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run, from the root of the checkout. Raises LabError with all that was said."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("SHIMHUB")}
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=1200
    )
    if done.returncode:
        raise LabError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done
