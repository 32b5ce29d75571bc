"""``pytest -p shimhub.pytest_plugin`` in a pytest of its own."""

from __future__ import annotations

import sys

import pytest

ROW = """
[[shim]]
id = "target/f"
attach = "target:f"
action = "alias"
to = "math:sqrt"
why = "w"
"""
TEST = """
import subprocess, sys
def test_f():
    import target
    assert target.f(4.0) == 2.0
def test_child():
    subprocess.run([sys.executable, "-c", "import target; target.f"], check=True)
"""


@pytest.fixture
def suite(lab):
    """A project whose conftest.py needs a shim."""
    lab.module("target", "")
    lab.rows(ROW)
    (lab.root / "conftest.py").write_text("import target\ntarget.f\n")
    (lab.root / "test_it.py").write_text(TEST)
    return lab


def run(suite, *arguments: str, check: bool = True, **env: str):
    """Run the project's tests with the plugin."""
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "shimhub.pytest_plugin"]
    plain = ["-p", "no:cacheprovider", "-p", "no:ddtrace", "-p", "no:typeguard"]
    env = {"SHIMHUB_REGISTRY": str(suite.registry)} | env
    return suite.start([*command, *plain, *arguments], check=check, **env)


def test_conftest_tests_and_children_have_their_shims(suite):
    """The plugin comes before the first conftest.py; the header says that it is there."""
    told = run(suite).stdout
    assert "2 passed" in told
    assert "shims, registries " in told


def test_workers_of_xdist_have_them_too(suite):
    """A test process that xdist starts loads the plugin itself."""
    assert "2 passed" in run(suite, "-n", "1").stdout


def test_without_the_plugin_the_conftest_fails(suite):
    """It is the plugin that makes the difference."""
    done = suite.start([sys.executable, "-m", "pytest", "-p", "no:ddtrace"], check=False)
    assert "has no attribute 'f'" in done.stderr + done.stdout


def test_switched_off_it_says_so(suite):
    """SHIMHUB=0 leaves pytest as it is."""
    (suite.root / "conftest.py").unlink()
    (suite.root / "test_it.py").write_text("def test(): pass\n")
    assert "shimhub: off (SHIMHUB=0)" in run(suite, SHIMHUB="0").stdout


def test_a_registry_with_errors_is_a_usage_error(suite):
    """One line for each error, and exit code 4, which is pytest's for wrong usage."""
    suite.rows(ROW.replace("alias", "alais"))
    done = run(suite, check=False)
    assert 4 == done.returncode
    assert "did you mean 'alias'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_failed_shims_are_summed_up(suite):
    """A shim that failed is shown after the tests, also where they pass without it."""
    (suite.root / "conftest.py").unlink()
    suite.rows(ROW.replace("math:sqrt", "math:nothing"))
    (suite.root / "test_it.py").write_text("def test():\n    import target\n")
    told = run(suite).stdout
    assert "1 passed" in told
    assert "FAILED     target/f" in told


def test_a_program_that_calls_pytest_main_is_as_before(suite):
    """Finder, patches and variables are gone when pytest.main returns."""
    code = """
        import os, sys
        before = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        import pytest
        args = ["-p", "shimhub.pytest_plugin", "-p", "no:ddtrace", "-p", "no:typeguard"]
        assert 0 == pytest.main(args)
        assert before == {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        assert not any("shimhub" in type(one).__module__ for one in sys.meta_path)
        assert not hasattr(sys.modules["target"], "f")
    """
    suite.run(code, SHIMHUB_REGISTRY=str(suite.registry))
