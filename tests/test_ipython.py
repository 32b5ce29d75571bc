"""``%load_ext shimhub.ipython`` in a real IPython."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("IPython", reason="IPython is an extra of the tests")

ROW = """
[[shim]]
id = "target/f"
attach = "target:f"
action = "alias"
to = "math:sqrt"
why = "w"
"""


@pytest.fixture
def shimmed(lab):
    """A lab with one row."""
    lab.module("target", "")
    lab.rows(ROW)
    return lab


def cells(lab, text: str, check: bool = True, **env: str):
    """Run the lines of a notebook in a terminal IPython."""
    (lab.root / "cells.ipy").write_text(text)
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "cells.ipy"]
    env = {"SHIMHUB_REGISTRY": str(lab.registry), "IPYTHONDIR": str(lab.root / "ipython")} | env
    return lab.start(command, check=check, **env)


def test_a_notebook_and_its_children_have_shims_and_the_magic(shimmed):
    """The extension activates the kernel; %shimhub tells what was applied and all about an id."""
    done = cells(
        shimmed,
        "%load_ext shimhub.ipython\n"
        "import target\n"
        "print(target.f(4.0))\n"
        "%shimhub\n"
        "%shimhub target/f\n"
        "import subprocess, sys\n"
        "code = 'import target; print(target.f(9.0))'\n"
        "done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)\n"
        "print(done.stdout)\n",
    )
    assert "2.0\nshimhub is active\nAPPLIED    target/f: alias" in done.stdout
    assert "attach: target:f" in done.stdout
    assert "3.0" in done.stdout


def test_unloading_undoes_everything_and_loading_again_works(shimmed):
    """Patches, variables and the magic go; the extension can be loaded again."""
    done = cells(
        shimmed,
        "import os\n"
        "before = dict(os.environ)\n"
        "%load_ext shimhub.ipython\n"
        "import target\n"
        "%unload_ext shimhub.ipython\n"
        "print(hasattr(target, 'f'), before == dict(os.environ))\n"
        "print('shimhub' in get_ipython().magics_manager.magics['line'])\n"
        "%load_ext shimhub.ipython\n"
        "print(target.f(4.0))\n",
    )
    assert "False True\nFalse\n2.0\n" == done.stdout


def test_mistakes_are_one_line(shimmed):
    """A typo in an id, and a registry with errors, show without a traceback of ours."""
    done = cells(shimmed, "%load_ext shimhub.ipython\n%shimhub target/g\n", check=False)
    told = done.stdout + done.stderr
    assert "UsageError: no shim is called or attached to 'target/g'" in told
    assert "did you mean" in told
    shimmed.rows(ROW.replace("alias", "alais"))
    told = cells(shimmed, "%load_ext shimhub.ipython\n", check=False)
    assert "UsageError: shimhub: " in told.stdout + told.stderr


def test_a_foreign_wrapper_that_stays_is_told_at_unload(shimmed):
    """What somebody put on top of a shim is left alone, and named."""
    done = cells(
        shimmed,
        "%load_ext shimhub.ipython\n"
        "import target\n"
        "inner = target.f\n"
        "target.f = lambda x: inner(x)\n"
        "%unload_ext shimhub.ipython\n",
    )
    assert "left in place" in done.stdout


def test_off_the_magic_says_so(shimmed):
    """With SHIMHUB=0 the extension loads and does nothing."""
    done = cells(shimmed, "%load_ext shimhub.ipython\n%shimhub\n", SHIMHUB="0")
    assert "shimhub is off\n" == done.stdout


def test_autoreload_keeps_the_shims(shimmed):
    """%autoreload executes an edited module anew: its shims are there again, once."""
    done = cells(
        shimmed,
        "%load_ext autoreload\n%autoreload 2\n%load_ext shimhub.ipython\n"
        "import target, os, pathlib, time\n"
        "get_ipython().run_cell('pass')\n"
        "file = pathlib.Path(target.__file__)\n"
        "file.write_text('x = 1\\n'); os.utime(file, (time.time() + 9,) * 2)\n"
        "get_ipython().run_cell('print(target.x, target.f(4.0))')\n",
    )
    assert "1 2.0" in done.stdout
