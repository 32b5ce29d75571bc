"""Folders to measure in: modules without a shim, targets with shims, environments of their own."""

from __future__ import annotations

import compileall
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path

from shimhub import paths
from shimhub.activation import startup
from tests.bench.rivals import TARGETS

TINY = tuple(f"bench_tiny_{index:03}" for index in range(200))

_TARGET = '''
def callee(a, b=1, *, scale=2):
    """Stand-in for a target's function; all of this module have one body."""
    return a


def replaced(a, b=1, *, scale=2):
    return a


def wrapped(a, b=1, *, scale=2):
    return a


def adapted(a, b=1, *, scale=2):
    return a


def removed(a, b=1, *, scale=2):
    return a
'''

_REPLACE = """
def build(original, ctx):
    def replaced(a, b=1, *, scale=2):
        return a

    return replaced
"""

_WRAP = """
def build(original, ctx):
    def wrapped(a, b=1, *, scale=2):
        return original(a, b, scale=scale)

    return wrapped
"""

_SHIMS = """schema = 1

[[shim]]
id = "bench/replaced"
attach = "bench_target:replaced"
action = "replace"
why = "Measures a call."

[[shim]]
id = "bench/wrapped"
attach = "bench_target:wrapped"
action = "wrap"
why = "Measures a call."

[[shim]]
id = "bench/adapted"
attach = "bench_target:adapted"
action = "adapt"
drop = ["gone"]
why = "Measures a call."
"""

_ROW = """
[[shim]]
id = "bench/row/{name}"
attach = "{name}:missing"
action = "placeholder"
message = "install something newer"
why = "One of two hundred rows, as long as a real one is."
upstream = "https://example.org/changes/{name}"
when = {{ python = ">=3.10", {name} = ">=1.0,<2.0" }}
probe = {{ missing = true }}
"""


def tiny_modules(root: Path) -> Path:
    """Write 200 modules of one line, compiled, none of them a target; return their folder."""
    for name in TINY:
        _write(root / f"{name}.py", "VALUE = 1\n")
    compileall.compile_dir(root, quiet=2)
    return root


def shimmed_target(root: Path) -> Path:
    """Write ``bench_target``, its twin without shims, and three shims; return the registry."""
    _write(root / "bench_target.py", _TARGET)
    _write(root / "bench_plain.py", _TARGET)
    _write(root / "shims/bench/replaced/shim.py", _REPLACE)
    _write(root / "shims/bench/wrapped/shim.py", _WRAP)
    return _write(root / "registry.toml", _SHIMS)


def registry_of_200(root: Path) -> Path:
    """Write 200 code-free rows, each on a target of its own, and the first target."""
    _write(root / f"{TARGETS[0]}.py", "VALUE = 1\n")
    targets = "".join(f"[targets.{name}]\n" for name in TARGETS)
    rows = "".join(_ROW.format(name=name) for name in TARGETS)
    return _write(root / "rows.toml", f"schema = 1\n{targets}{rows}")


def environment(root: Path) -> Path:
    """Make a virtual environment with nothing in it; return its interpreter."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(root)
    return root / "bin" / "python"


def stocked(root: Path) -> Path:
    """Make one with links to all that this interpreter has installed, shimhub apart."""
    python = environment(root)
    for entry in _purelib().iterdir():
        if "shimhub" not in entry.name and entry.suffix not in (".pth", ".start"):
            (site_packages(root) / entry.name).symlink_to(entry)
    return python


def installed(root: Path) -> Path:
    """Make a stocked one with shimhub laid out as by its wheel; return its interpreter."""
    python = stocked(root)
    package = site_packages(root) / "shimhub"
    shutil.copytree(paths.PACKAGE_DIR, package, ignore=shutil.ignore_patterns("__pycache__"))
    registry = Path(paths.packaged_registry())
    if not (package / "registry.toml").exists():
        shutil.copy(registry, package)
        shutil.copytree(registry.parent / "shims", package / "shims")
    return python


def activated(root: Path) -> Path:
    """Make one with shimhub installed and activated; return its interpreter."""
    python = installed(root)
    startup.activate(str(site_packages(root)))
    return python


def with_autowrapt(root: Path) -> Path:
    """Make a stocked one with autowrapt's start-up files and one hook; return its interpreter."""
    python = stocked(root)
    site = site_packages(root)
    for file in _purelib().glob("autowrapt-init.*"):
        (site / file.name).symlink_to(file)
    _write(site / "bench_hooks.py", "def hook(module):\n    pass\n")
    _write(site / "bench_hooks-1.0.dist-info/METADATA", "Name: bench-hooks\nVersion: 1.0\n")
    points = f"[bench_hooks]\n{TARGETS[0]} = bench_hooks:hook\n"
    _write(site / "bench_hooks-1.0.dist-info/entry_points.txt", points)
    return python


def trusted_project(root: Path, python: Path, env: Mapping[str, str]) -> None:
    """Make a project with the 200 rows, which the user of ``env`` trusts."""
    registry_of_200(root)
    file = _write(root / "pyproject.toml", '[tool.shimhub]\nregistry = "rows.toml"\n')
    command = [str(python), "-m", "shimhub", "trust", str(file)]
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)


def site_packages(root: Path) -> Path:
    """Return the site-packages folder of the environment ``root``."""
    major, minor = sys.version_info[:2]
    return root / "lib" / f"python{major}.{minor}" / "site-packages"


def _purelib() -> Path:
    return Path(sysconfig.get_path("purelib"))


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
