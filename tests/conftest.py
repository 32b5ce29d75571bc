"""What every test file shares; the tests beside shims do without."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked ``gpu`` where torch sees no CUDA device."""
    if item.get_closest_marker("gpu"):
        torch = pytest.importorskip("torch", reason="needs torch with a CUDA device")
        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device, and torch sees none")


def _our_finders() -> list[object]:
    return [f for f in sys.meta_path if type(f).__module__.partition(".")[0] == "shimhub"]


@pytest.fixture(autouse=True)
def _no_finder_left_behind():
    """Fail a test that leaves one of our finders in this process."""
    before = _our_finders()
    yield
    after = _our_finders()
    assert before == after


class Lab:
    """A folder with stand-in targets and a registry, and a Python process that sees them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.site = root / "site"
        self.site.mkdir()
        self.registry = root / "registry.toml"

    def module(self, name: str, text: str = "", root: str = "site") -> Path:
        """Write the module or, for a name that ends in ``.__init__``, the package."""
        path = self.root / root / (name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def rows(self, text: str) -> Path:
        """Write the registry; ``schema = 1`` stands in front."""
        self.registry.write_text("schema = 1\n" + textwrap.dedent(text), encoding="utf-8")
        return self.registry

    def shim(self, shim_id: str, text: str, file: str = "shim.py") -> Path:
        """Write the code of a shim beside the registry."""
        return self.module(f"{shim_id}.{file.removesuffix('.py')}", text, root="shims")

    def run(self, code: str, *flags: str, check: bool = True, **env: str):
        """Run ``code`` in a new interpreter where ``REGISTRY`` is the registry's path."""
        head = f"REGISTRY = {str(self.registry)!r}\n"
        command = [sys.executable, *flags, "-c", head + textwrap.dedent(code)]
        return self.start(command, check=check, **env)

    def cli(self, *arguments: str, check: bool = True, **env: str):
        """Run ``python -m shimhub`` with ``arguments``."""
        return self.start([sys.executable, "-m", "shimhub", *arguments], check=check, **env)

    def start(self, command: list[str], check: bool = True, **env: str):
        """Run ``command`` in the lab's folder; a failure shows what it printed."""
        inherited = {key: value for key, value in os.environ.items() if "SHIMHUB" not in key}
        path = os.pathsep.join([str(self.site), str(REPOSITORY)])
        done = subprocess.run(
            command,
            env=inherited | own_folders(self.root) | {"PYTHONPATH": path} | env,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done


class Env:
    """A virtual environment that sees this one's packages and, by a path file, shimhub."""

    def __init__(self, root: Path, sees_shimhub: bool = True) -> None:
        venv.create(root, symlinks=True)
        self.python = str(root / "bin" / "python")
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.site = root / "lib" / version / "site-packages"
        self.path_file = self.site / "a_checkout.pth"
        ours = [one for one in sys.path if one.endswith("site-packages")]
        if sees_shimhub:
            self.path_file.write_text("\n".join([str(REPOSITORY), *ours]) + "\n")
        self.root = root

    def start(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the environment's Python away from the checkout, without variables of ours."""
        return subprocess.run(
            [self.python, *arguments],
            env=self.clean() | env,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def clean(self) -> dict[str, str]:
        """Return the variables of this process without ours, and folders of its own."""
        told = ("SHIMHUB", "PYTHONPATH")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(told)}
        return clean | own_folders(self.root)


def own_folders(root: Path) -> dict[str, str]:
    """Return the variables that keep a test's caches, settings and records below ``root``."""
    return {f"XDG_{one.upper()}_HOME": str(root / one) for one in ("cache", "config", "state")}


REPOSITORY = Path(__file__).parent.parent


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A fresh Lab in a temporary folder."""
    return Lab(tmp_path)


@pytest.fixture(scope="session")
def new_env() -> type[Env]:
    """Make further environments: ``new_env(folder)``."""
    return Env


@pytest.fixture
def env(tmp_path: Path) -> Env:
    """A fresh environment."""
    return Env(tmp_path / "venv")
