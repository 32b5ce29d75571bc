"""``python -I/-E/-S -m shimhub run``: the program runs in the launcher's process, as plain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FACTS = """
import atexit, sys
class A: pass
atexit.register(lambda: print("at exit", __name__, A.__module__ == "__main__", sys.modules[
    "__main__"].__dict__ is globals()))
print(__name__, globals().get("__file__"), __spec__, __package__, __doc__, sys.argv)
print(type(__loader__), globals().get("__cached__"), globals().get("__annotations__"))
print(sorted(globals()), sys.path[0])
"""
FLAGS = ("-I", "-E", "-S")


def both(lab, flag: str, *program: str):
    """Run a program plain and by the launcher under a flag; returns both results.

    The flags hide PYTHONPATH or site-packages, so both start from a path file's worth of code.
    """
    head = [str(ROOT), *(one for one in sys.path if one.endswith("site-packages"))]
    code = (
        f"import sys; sys.path += {head!r}\n"
        "import runpy; sys.argv[0] = 'shimhub'\n"
        "sys.path.insert(0, 'the launcher') if not sys.flags.isolated else None\n"
        "from shimhub.cli import main\n"
        "main(['run', *sys.argv[1:]])\n"
    )
    plain = lab.start([sys.executable, flag, *program], check=False)
    ours = lab.start([sys.executable, flag, "-c", code, *program], check=False)
    return plain, ours


def same(plain, ours) -> None:
    """Code, stdout and stderr are the same to the letter."""
    assert plain.returncode == ours.returncode, ours.stderr
    assert plain.stderr == ours.stderr
    assert plain.stdout == ours.stdout


@pytest.mark.parametrize("flag", FLAGS)
def test_a_script_sees_what_it_sees_plain(lab, flag):
    """`__main__`, `__file__`, argv, loader and atexit are those of plain python."""
    (lab.root / "prog.py").write_text(FACTS)
    plain, ours = both(lab, flag, "prog.py", "-m", "--", "-x")
    same(plain, ours)
    assert "at exit __main__ True True" in ours.stdout


@pytest.mark.parametrize("flag", FLAGS)
def test_code_and_module_see_what_they_see_plain(lab, flag):
    """-c, -m and glued forms too."""
    same(*both(lab, flag, "-c", FACTS, "a"))
    same(*both(lab, flag, "-cimport sys; print(sys.argv)", "a"))
    same(*both(lab, flag, "-m", "json.tool", "nowhere"))
    same(*both(lab, flag, "-mjson.tool", "--help"))


def test_a_folder_and_an_archive_run_their_main(lab):
    """`run folder/` and `run file.zip` put it first on sys.path."""
    lab.module("app.__main__", "import other, sys; print(other.x, sys.path[0], __file__)", "")
    lab.module("app.other", "x = 1", "")
    same(*both(lab, "-E", "app"))
    lab.start([sys.executable, "-m", "zipfile", "-c", "app.zip", "app/__main__.py", "app/other.py"])
    same(*both(lab, "-I", "app.zip"))


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    1 / 0\nf()",
        "raise SystemExit('told')",
        "raise SystemExit(3)",
        "import sys; sys.exit(None)",
        "x = (",
        "raise ValueError('a') from KeyError('b')",
        "class Odd(BaseException): pass\nraise Odd(1)",
    ],
)
def test_an_end_by_exception_looks_the_same(lab, code):
    """Traceback, code and order of the streams are those of plain python."""
    (lab.root / "prog.py").write_text("print('first')\n" + code + "\n")
    same(*both(lab, "-I", "prog.py"))


def test_an_interrupt_ends_by_its_signal_after_atexit(lab):
    """A shell sees SIGINT; what was registered has run."""
    code = (
        "import atexit, os, signal, time\n"
        "atexit.register(print, 'bye')\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "time.sleep(5)\n"
    )
    (lab.root / "prog.py").write_text(code)
    plain, ours = both(lab, "-I", "prog.py")
    same(plain, ours)
    assert (-signal.SIGINT, "bye\n") == (ours.returncode, ours.stdout)


def test_what_cannot_be_opened_is_told_as_by_python(lab):
    """A missing script is exit code 2 and python's own sentence; so is a module that is not."""
    same(*both(lab, "-I", "nowhere.py"))
    same(*both(lab, "-I", "-m", "nowhere"))


def test_a_compiled_script_runs(lab):
    """A .pyc given as script is no source text."""
    (lab.root / "prog.py").write_text("print('compiled')\n")
    code = "import py_compile; py_compile.compile('prog.py', 'prog.pyc')"
    lab.start([sys.executable, "-c", code])
    same(*both(lab, "-I", "prog.pyc"))


@pytest.mark.parametrize("flag", FLAGS)
def test_the_program_has_its_shims_and_its_children_too(lab, flag):
    """The hub is active in the program and in what it starts with plain flags."""
    lab.module("target", "")
    lab.rows("""
        [[shim]]
        id = "target/f"
        attach = "target:f"
        action = "alias"
        to = "math:sqrt"
        why = "w"
    """)
    site = str(lab.site)
    program = textwrap.dedent(f"""
        import subprocess, sys
        sys.path.append({site!r})
        import target
        print(target.f(4.0))
        code = "import sys; sys.path.append({site!r}); import target; print(target.f(9.0))"
        sys.stdout.flush()
        subprocess.run([sys.executable, "-c", code], check=True)
    """)
    (lab.root / "prog.py").write_text(program)
    head = [str(ROOT), *(one for one in sys.path if one.endswith("site-packages"))]
    code = (
        f"import sys; sys.path += {head!r}\n"
        "from shimhub.cli import main\n"
        "main(['run', '--registry', 'registry.toml', 'prog.py'])\n"
    )
    done = lab.start([sys.executable, flag, "-c", code])
    assert "2.0\n3.0\n" == done.stdout


def test_a_report_needs_a_parent(lab):
    """--report under these flags is refused with the cure."""
    head = [str(ROOT), *(one for one in sys.path if one.endswith("site-packages"))]
    code = (
        f"import sys; sys.path += {head!r}\n"
        "from shimhub.cli import main\n"
        "sys.exit(main(['run', '--report', '-c', 'print(1)']))\n"
    )
    done = lab.start([sys.executable, "-I", "-c", code], check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "leave -I, -E and -S out" in done.stderr


def test_standard_input_is_a_program(lab):
    """`run -` reads its program there."""
    head = [str(ROOT), *(one for one in sys.path if one.endswith("site-packages"))]
    code = (
        f"import sys; sys.path += {head!r}\nfrom shimhub.cli import main\nmain(['run', '-', 'a'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        env=os.environ | {"XDG_STATE_HOME": str(lab.root / "state")},
        input="import sys; print(sys.argv, __name__); 1 / 0",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (1, "['-', 'a'] __main__\n") == (done.returncode, done.stdout)
    assert 'File "<stdin>", line 1' in done.stderr
