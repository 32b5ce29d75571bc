"""``compat``: passes are earned by calls, what cannot be tested says so, and exit codes tell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

from shimhub import paths
from shimhub.cli import compat as command

ROOT = Path(__file__).parent.parent
CHECKED = ROOT / "shims/fast_axolotl/compat.py"

ROWS = """
    [packs.demo]
    summary = "s"
    compat = "compat.py"

    [[shim]]
    id = "target/double"
    packs = ["demo"]
    attach = "target:double"
    action = "replace"
    fidelity = "exact"
    proof = true
    why = "w"
"""
SHIM = """
    def build(original, ctx):
        def double(value):
            return value + value
        return double
    def cases(ctx):
        yield lambda function: function(2)
        yield lambda function: function("a")
"""
CHECKS = """
    from shimhub import UntestedError

    ROWS = "Demo Integration"
    def facts():
        return {"Demo Version": "1"}
    def checks():
        yield "Good", lambda: "as it should be"
"""


@pytest.fixture
def demo(lab):
    """A pack with one row and a check, and a target that it replaces a function of."""
    lab.module("target", "def double(value):\n    return 2 * value\n")
    lab.shim("target/double", SHIM)
    (lab.root / "compat.py").write_text("")
    lab.module("compat", CHECKS, root=".")
    lab.rows(ROWS)
    return lab


def compat(lab, *arguments):
    """Run ``compat demo`` with the lab's registry."""
    return lab.cli("compat", "demo", *arguments, check=False, SHIMHUB_REGISTRY=str(lab.registry))


def checked(lab):
    """Return the exit code, and status and words by feature."""
    done = compat(lab, "--format", "json")
    rows = json.loads(done.stdout)["checks"]
    return done.returncode, {one["feature"]: (one["status"], one["told"]) for one in rows}


def test_a_replaced_function_is_called_beside_its_original(demo):
    """What passes says on how many cases, and the text has the form that users know."""
    done = compat(demo)
    assert 0 == done.returncode, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert ["=" * 60, "demo Compatibility Test Suite", "=" * 60] == lines[:3]
    assert "  Demo Version: 1" in lines
    at = lines.index("[Demo Integration: target:double]")
    assert "  Tested PASS: replaced, and equal to the original in 2 cases" == lines[at + 1]
    assert "Compatibility test complete: 2/2 tests passed" == lines[-2]


def test_the_page_has_every_feature(demo):
    """COMPATIBILITY.md is written where the command runs, and has the environment."""
    compat(demo)
    page = (demo.root / "COMPATIBILITY.md").read_text()
    assert "| Demo Version | 1 |" in page
    assert "| Good | Tested | as it should be |" in page


def test_json_prints_no_file(demo):
    """With `--format json` the page is written where `-o` says so, and only then."""
    compat(demo, "--format", "json")
    assert not (demo.root / "COMPATIBILITY.md").exists()
    compat(demo, "--format", "json", "-o", "page.md")
    assert (demo.root / "page.md").exists()


def test_a_page_that_cannot_be_written_is_told(demo):
    """Exit code 5, and nothing is left beside it."""
    done = compat(demo, "-o", "missing/page.md")
    assert (5, "") == (done.returncode, done.stdout)
    assert "missing" in done.stderr


def test_a_failed_check_is_a_finding(demo):
    """Whatever a check raises is told, and the exit code is 1."""
    demo.module("compat", "def checks():\n    yield 'Bad', lambda: 1 / 0\n", root=".")
    code, found = checked(demo)
    assert 1 == code
    assert ("FAIL", "ZeroDivisionError: division by zero") == found["Bad"]


def test_what_cannot_be_tested_is_no_pass(demo):
    """An UntestedError makes the exit code 4."""
    text = (
        "from shimhub import UntestedError\ndef no():\n    raise UntestedError('no such thing')\n"
    )
    demo.module("compat", text + "def checks():\n    yield 'Odd', no\n", root=".")
    code, found = checked(demo)
    assert 4 == code
    assert ("UNTESTED", "no such thing") == found["Odd"]


def test_a_replacement_that_differs_fails(demo):
    """The original stays, and the check says on which case they differ."""
    demo.shim("target/double", SHIM.replace("value + value", "value"))
    code, found = checked(demo)
    assert 1 == code
    status, told = found["Demo Integration: target:double"]
    assert "FAIL" == status
    assert "differs from the original in case 1" in told


def test_a_replacement_that_is_off_is_untested(demo):
    """What the user switched off is not called a pass."""
    variables = {"SHIMHUB_REGISTRY": str(demo.registry), "SHIMHUB_DISABLE": "target/double"}
    done = demo.cli("compat", "demo", "--format", "json", check=False, **variables)
    found = {one["feature"]: one["status"] for one in json.loads(done.stdout)["checks"]}
    assert "UNTESTED" == found["Demo Integration: target:double"]
    assert 4 == done.returncode


def test_a_replacement_that_leaves_all_to_the_original_is_untested(demo):
    """A comparison of the original with itself proves nothing."""
    declines = "import shimhub\ndef build(original, ctx):\n    def double(value):\n"
    declines += "        if value:\n            raise shimhub.Decline('never')\n"
    declines += "        return 0\n    return double\ndef cases(ctx):\n"
    declines += "    yield lambda function: function(0)\n"
    demo.shim("target/double", declines)
    assert ("PASS", 0) == (_status(demo), checked(demo)[0])
    demo.shim("target/double", declines.replace("function(0)", "function(1)"))
    assert _status(demo) != "PASS"


def _status(lab):
    return checked(lab)[1]["Demo Integration: target:double"][0]


def test_without_the_target_nothing_is_tested(demo):
    """The package that is missing is named, and the exit code is 4."""
    (demo.site / "target.py").unlink()
    demo.module("compat", "ROWS = 'Demo Integration'\n", root=".")
    code, found = checked(demo)
    assert {"Demo Integration": ("UNTESTED", "target is not installed")} == found
    assert 4 == code


def test_a_row_for_another_version_is_no_check(demo):
    """A name that this version of the target has not is listed apart."""
    demo.module("target", "")
    done = compat(demo, "--format", "json")
    told = json.loads(done.stdout)
    assert ["Good"] == [one["feature"] for one in told["checks"]]
    assert "target/double" in told["others"][0]


def test_what_a_target_prints_is_no_result(demo):
    """Standard output holds the answer alone."""
    demo.module("target", "print('hello')\ndef double(value):\n    return 2 * value\n")
    done = compat(demo, "--format", "json")
    assert 2 == json.loads(done.stdout)["counts"]["PASS"]
    assert "hello" in done.stderr


def test_an_unknown_pack_is_a_mistake(lab):
    """The nearest name is suggested."""
    done = lab.cli("compat", "torchtitam", check=False)
    assert 2 == done.returncode
    assert "did you mean 'torchtitan'?" in done.stderr


@pytest.mark.parametrize(
    ("path", "told"), [("missing.py", "there is no file"), ("../out.py", "outside of the registry")]
)
def test_the_file_of_checks_is_in_the_registrys_folder(lab, path, told):
    """A `compat` that is elsewhere, or nowhere, is an error of the registry."""
    lab.rows(f'[packs.demo]\nsummary = "s"\ncompat = "{path}"\n')
    done = lab.cli("check", "--registry", str(lab.registry), check=False)
    assert told in done.stdout + done.stderr


def test_the_script_of_the_documentation_runs(lab):
    """`python scripts/compatibility_test.py`, in examples/fast-axolotl, writes the page."""
    folder = shutil.copytree(ROOT / "examples" / "fast-axolotl", lab.root / "fast-axolotl")
    _check_script(lab, folder, [sys.executable, "scripts/compatibility_test.py"])


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_the_script_runs_under_uv(lab):
    """`uv run python scripts/compatibility_test.py` does, too, in the environment that is here."""
    folder = shutil.copytree(ROOT / "examples" / "fast-axolotl", lab.root / "fast-axolotl")
    _check_script(lab, folder, ["uv", "run", "python", "scripts/compatibility_test.py"])


def _check_script(lab, folder, command):
    if metadata.packages_distributions().get("fast_axolotl"):
        pytest.skip("the installed fast_axolotl keeps axolotl from being imported")
    uv = {"UV_PROJECT_ENVIRONMENT": sys.prefix, "UV_NO_SYNC": "1", "UV_OFFLINE": "1"}
    environ = {**os.environ, **uv, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(lab.root)}
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 4), done.stdout + done.stderr
    assert "[Format Detection]\n  Tested PASS" in done.stdout
    assert "| Token Packing | Tested |" in (folder / "COMPATIBILITY.md").read_text()


@pytest.mark.skipif(
    find_spec("axolotl") is not None or find_spec("fast_axolotl") is not None,
    reason="for environments without them",
)
def test_a_stand_in_is_not_axolotl(tmp_path):
    """Telling fast_axolotl's version makes stand-ins for axolotl, which is not tested for that."""
    command = [sys.executable, "-m", "shimhub", "compat", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    rows = {one["feature"]: one for one in json.loads(done.stdout)["checks"]}
    assert "UNTESTED" == rows["Axolotl Import"]["status"], rows["Axolotl Import"]
    assert "PASS" == rows["Shim Installation"]["status"], rows["Shim Installation"]
    assert 4 == done.returncode, done.stderr


def test_an_installed_fast_axolotl_is_not_imported_to_be_named(tmp_path):
    """Its import hides axolotl, which is tested after the environment is told."""
    folder = tmp_path / "fast_axolotl-0.2.0.dist-info"
    folder.mkdir()
    text = "Metadata-Version: 2.1\nName: fast-axolotl\nVersion: 0.2.0\n"
    (folder / "METADATA").write_text(text)
    (tmp_path / "fast_axolotl.py").write_text("raise SystemExit('imported')\n")
    code = f"import runpy; print(runpy.run_path({str(CHECKED)!r})['facts']())"
    path = os.pathsep.join((str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")))
    env = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    told = {"fast-axolotl Version": "0.2.0, installed"}
    assert f"{told}\n" == done.stdout, done.stderr


def test_what_is_no_file_is_not_replaced(tmp_path):
    """A page goes into a pipe, which stays; nothing, and a file, may be replaced; devices not."""
    assert [True, True, False, False] == [
        *map(paths.may_replace, (str(tmp_path / "none"), __file__, os.devnull, str(tmp_path)))
    ]
    path, found = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_text()))
    reader.start()
    command._put(str(path), "page")
    reader.join()
    assert (["page"], [path]) == (found, list(tmp_path.iterdir()))
    assert path.is_fifo()
