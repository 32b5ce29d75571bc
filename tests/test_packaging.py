"""Wheel, sdist and editable install: each carries extension, registry and shims.

Builds run in this environment (``--no-build-isolation``); installs go into fresh environments that
see this one's packages last, so that nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from shimhub._version import __version__

ROOT = Path(__file__).resolve().parent.parent
#: All that a build may read; what an editable install writes is left out.
SOURCES = ("LICENSE", "README.md", "native", "pyproject.toml", "registry.toml", "shimhub", "shims")
BUILT = ("__pycache__", "_native.*.so", "_native.*pyd", "_native.c", "CMakeCache.txt", "CMakeFiles")
#: Calls a PEP 517 hook of the build backend in the working directory.
HOOK = "import sys, scikit_build_core.build as b; getattr(b, sys.argv[1])(sys.argv[2])"

pytestmark = pytest.mark.slow


def _run(*command, cwd=None, **env) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SHIMHUB"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def _pip(*arguments) -> str:
    return _run(sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments)


def _build_wheel(source: Path, out: Path) -> Path:
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, source)
    (wheel,) = out.glob("*.whl")
    return wheel


def _install(folder: Path, wheel: Path) -> Path:
    """Return the python of a fresh environment in which the wheel is installed."""
    _run(sys.executable, "-m", "venv", "--without-pip", folder)
    bin_dir = folder / ("Scripts" if os.name == "nt" else "bin")
    python = bin_dir / Path(sys.executable).name
    _pip("--python", python, "install", "--no-deps", "--no-index", wheel)
    site = Path(_run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    (site / "zz_dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def _ask(python: Path, expression: str, **env) -> str:
    """Return the expression's text, evaluated far from the checkout, with paths and kernels."""
    code = f"from shimhub import kernels, paths; print({expression})"
    return _run(python, "-W", "error", "-c", code, cwd=python.parent, **env)


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _files(folder: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(("_native.", "."))
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from the checkout."""
    return _build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """Build the sdist from the checkout."""
    out = tmp_path_factory.mktemp("sdist")
    _run(sys.executable, "-c", HOOK, "build_sdist", out, cwd=ROOT)
    return out / f"shimhub-{__version__}.tar.gz"


@pytest.fixture(scope="module")
def wheel_of_sdist(sdist, tmp_path_factory):
    """Build a wheel from the sdist alone."""
    return _build_wheel(sdist, tmp_path_factory.mktemp("wheel_of_sdist"))


@pytest.fixture(scope="module")
def wheel_python(wheel, tmp_path_factory):
    """Install the wheel in an environment of its own."""
    return _install(tmp_path_factory.mktemp("env") / "wheel", wheel)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Copy what a build may read of the checkout, so that a test can edit it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns(*BUILT))
        else:
            shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def editable_python(checkout, tmp_path_factory):
    """Install the copied checkout in place, in an environment of its own."""
    out = tmp_path_factory.mktemp("editable")
    _run(sys.executable, "-c", HOOK, "build_editable", out, cwd=checkout)
    (wheel,) = out.glob("*.whl")
    return _install(tmp_path_factory.mktemp("env") / "editable", wheel)


def test_wheel_is_of_its_python(wheel):
    """The extension reads lists and ints as this CPython lays them out, and its name says so."""
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert f"shimhub-{__version__}-{tag}-{tag}-" in wheel.name


def test_wheel_holds_the_package_and_nothing_else(wheel):
    """Package, extension, registry and shims travel; tests, C sources and caches do not."""
    names = _names(wheel)
    package = {name for name in names if name.startswith("shimhub/")}
    (extension,) = {name for name in package if name.startswith("shimhub/kernels/_native.cpython")}
    shims = {f"shimhub/{name}" for name in _files("shims")}
    carried = {extension, "shimhub/registry.toml", "shimhub/kernels/_native.pyi", *shims}

    assert _files("shimhub") | carried == package
    assert {"shimhub/py.typed", "shimhub/activation/site/sitecustomize.py"} <= package
    assert {f"shimhub-{__version__}.dist-info"} == {n.split("/")[0] for n in names - package}


def test_wheel_carries_the_checkout_byte_for_byte(wheel):
    """registry.toml and every file of shims/ in the wheel are those of the checkout."""
    with zipfile.ZipFile(wheel) as archive:
        for name in {"registry.toml", *_files("shims")}:
            assert (ROOT / name).read_bytes() == archive.read(f"shimhub/{name}"), name


def test_sdist_carries_sources_and_no_builds(sdist):
    """All that a build reads is in the sdist; nothing that one wrote is."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"pyproject.toml", "LICENSE", "native/CMakeLists.txt", "native/cdef/core.cdef"} <= names
    assert {"registry.toml", "native/include/shimhub.h", *_files("shims")} <= names
    assert not [n for n in names if n.endswith((".so", ".pyc", "CMakeCache.txt", "/_native.c"))]


def test_wheel_of_sdist_is_the_wheel(wheel, wheel_of_sdist):
    """Installing from the sdist gives what the checkout's wheel gives."""
    assert wheel.name == wheel_of_sdist.name
    assert _names(wheel) == _names(wheel_of_sdist)


def test_sdist_installs(wheel_of_sdist, tmp_path):
    """What is built from the sdist imports, with its native library and registry."""
    python = _install(tmp_path / "env", wheel_of_sdist)

    assert f"{__version__} True" == _ask(python, "kernels.version(), kernels.available(), sep=' '")


def test_installed_wheel_works(wheel_python):
    """A fresh environment imports the wheel, native library included."""
    assert f"{__version__} True" == _ask(
        wheel_python, "kernels.version(), kernels.available(), sep=' '"
    )


def test_installed_wheel_finds_its_own_registry(wheel_python):
    """The registry and shims of a wheel are those inside the installed package."""
    package = Path(_ask(wheel_python, "paths.PACKAGE_DIR"))
    registry = Path(_ask(wheel_python, "paths.packaged_registry()"))

    assert package / "registry.toml" == registry
    assert (package / "shims").is_dir()
    assert ROOT not in package.parents


def test_wheel_touches_no_interpreter_start(wheel):
    """The wheel brings no .pth and no .start file: with the hub off a start costs nothing."""
    assert not [name for name in _names(wheel) if name.endswith((".pth", ".start"))]


@pytest.mark.parametrize("how", ["wheel_python", "editable_python"])
def test_site_folder_is_a_pythonpath_entry(how, request):
    """The packaged sitecustomize is what python runs with its folder on PYTHONPATH."""
    python = request.getfixturevalue(how)
    site = _ask(python, "paths.SITE_DIR")

    used = _ask(python, "type(__import__('sys').meta_path[0]).__module__", PYTHONPATH=site)

    assert "shimhub.finder" == used


def test_console_script_is_installed(wheel_python):
    """`shimhub` stands beside python and starts."""
    assert "shimhub" in _run(wheel_python.parent / "shimhub", "--help")


def test_editable_reads_the_checkout(editable_python, checkout):
    """An editable install has its extension, and its registry and shims are the checkout's own."""
    registry = _ask(editable_python, "paths.packaged_registry()")

    assert "True" == _ask(editable_python, "kernels.available()")
    assert checkout / "registry.toml" == Path(registry)
    assert not (checkout / "shimhub" / "registry.toml").exists()


def test_edited_registry_takes_effect(editable_python, checkout):
    """A row added to the checkout's registry is planned at the next start, without an install."""
    row = '[[shim]]\nid = "zz/edited"\nattach = "json:zz"\naction = "alias"\nto = "json:dumps"\n'
    plan = "__import__('shimhub').plan()"
    file = checkout / "registry.toml"
    before = _ask(editable_python, plan)

    file.write_text(file.read_text() + f'\n{row}why = "A test adds it."\n')

    assert "zz/edited" not in before
    assert "zz/edited" in _ask(editable_python, plan)


def test_editable_costs_one_path_at_start(editable_python, checkout):
    """An editable install adds a path and no code to an interpreter's start."""
    site = Path(_ask(editable_python, "__import__('sysconfig').get_path('purelib')"))
    (pth,) = site.glob("*shimhub*.pth")

    assert str(checkout) == pth.read_text().strip()


@pytest.mark.skipif(os.name != "posix", reason="pretends by posix's build-time variables")
def test_free_threaded_python_is_refused(tmp_path):
    """A build for a free-threaded Python stops, says why and names the cure."""
    real = sysconfig._get_sysconfigdata_name()
    (tmp_path / "fake.py").write_text(
        f"import importlib\nreal = importlib.import_module({real!r})\n"
        "build_time_vars = real.build_time_vars | {'Py_GIL_DISABLED': 1}\n"
    )
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", str(ROOT)]
    pretend = {"PYTHONPATH": str(tmp_path), "_PYTHON_SYSCONFIGDATA_NAME": "fake"}

    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | pretend, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "cannot be built for free-threaded Python" in done.stdout + done.stderr
    assert "python3.13t" in done.stdout + done.stderr
