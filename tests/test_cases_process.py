"""Cases 39, 40, 42 and 43 of CASES.md: a program is what it is under plain python."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

#: Hundreds of processes; what differs by Python is also in test_in_process and test_launcher.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
IS_ACTIVE = "any('shimhub' in type(one).__module__ for one in __import__('sys').meta_path)"
#: What stands in each program's first line, so that `import shimhub.auto` changes no line number.
PRELUDE = "__import__(__import__('os').environ.get('PRELUDE', 'sys'))"
RUN = ("-m", "shimhub", "run")


@dataclass
class Place:
    """Two environments that differ in the start-up files alone, and a folder of programs."""

    plain: object
    active: object
    work: Path
    told: dict = field(default_factory=dict)

    def start(self, env, *arguments, stdin=None, **variables):
        """Run an environment's Python in the folder; the other environment's paths are ours."""
        done = subprocess.run(
            [env.python, *arguments],
            env=self.plain.clean() | {"PYTHONHASHSEED": "0"} | variables,
            cwd=self.work,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        names = str(self.active.root), str(self.plain.root)
        return done.returncode, done.stdout.replace(*names), done.stderr.replace(*names)

    def expected(self, flags, program, stdin=None, **variables):
        """Return code, stdout and stderr under plain python, asked once."""
        key = (flags, program, stdin, *variables.items())
        if key not in self.told:
            self.told[key] = self.start(self.plain, *flags, *program, stdin=stdin, **variables)
        return self.told[key]


@pytest.fixture(scope="module")
def place(tmp_path_factory, new_env):
    """The two environments and an empty folder of programs."""
    root = tmp_path_factory.mktemp("fidelity")
    plain, active = new_env(root / "plain"), new_env(root / "active")
    made = active.start("-m", "shimhub", "activate")
    assert 0 == made.returncode, made.stderr
    (root / "work").mkdir()
    return Place(plain, active, root / "work")


def in_checkout(flags):
    """Return the variables with which -S, which reads no path file, still finds everything."""
    found = os.pathsep.join([str(ROOT), *(one for one in sys.path if one.endswith("-packages"))])
    return {"PYTHONPATH": found} if "-S" in flags else {}


#: way -> flags of the interpreter. What `run` does not reach by start-up files it does in process.
WAYS = {
    "run": (),
    "report": (),
    "run -I": ("-I",),
    "run -E": ("-E",),
    "run -S": ("-S",),
    "activated": (),
    "auto": (),
}
needs_report = pytest.mark.skipif(sys.platform != "linux", reason="watches by /proc")


def outcome(place, way, program, stdin=None):
    """Return what a program did in a way, and what it does under plain python."""
    flags = WAYS[way]
    told = in_checkout(flags)
    plain = place.expected(flags, program, stdin, **told)
    if way == "activated":
        return plain, place.start(place.active, *program, stdin=stdin)
    if way == "auto":
        return plain, place.start(place.plain, *program, stdin=stdin, PRELUDE="shimhub.auto")
    own = ("--report",) if way == "report" else ()
    code, out, err = place.start(place.plain, *flags, *RUN, *own, *program, stdin=stdin, **told)
    if way == "report":
        err, mark, report = err.partition("shimhub: active in ")
        assert mark, "the report is told at the end"
        assert report.startswith("1/1"), report
    return plain, (code, out, err)


FACTS = f"""{PRELUDE}
import atexit, os, pickle, sys, threading
main = sys.modules["__main__"]
class Thing:
    pass
def pickled(when):
    there = sys.modules["__main__"] is main and main.__dict__ is globals()
    same = type(pickle.loads(pickle.dumps(Thing()))) is Thing
    print(when, there, same, "__file__" in globals(), flush=True)
def late():
    threading.main_thread().join()
    pickled("thread")
atexit.register(pickled, "atexit")
number: int = 1
print(sys.argv, sys.path, os.getcwd())
print(sorted(vars(main)), __name__, __package__, __doc__, __annotations__)
print(vars(main).get("__file__"), vars(main).get("__cached__"), type(__loader__).__name__)
print(__spec__ and (__spec__.name, __spec__.origin, __spec__.parent))
print(sys.flags, sys.warnoptions, sys._xoptions, sys.stdin.isatty())
pickled("main")
threading.Thread(target=late).start()
"""


@pytest.fixture(scope="module")
def facts(place):
    """Write the program that prints what it sees in every form; kind -> (program, stdin)."""
    work = place.work
    (work / "facts.py").write_text(FACTS)
    for folder in ("pack", "folder"):
        (work / folder).mkdir(exist_ok=True)
        (work / folder / "__main__.py").write_text(FACTS)
    (work / "pack" / "__init__.py").write_text("")
    with zipfile.ZipFile(work / "app.zip", "w") as archive:
        archive.writestr("__main__.py", FACTS)
    return {
        "script": (("./facts.py", "a", "--enable", "--"), None),
        "module": (("-m", "pack", "-c", "x"), None),
        "code": (("-c", FACTS, "-m"), None),
        "stdin": (("-", "x"), FACTS),
        "folder": (("../work/folder/", "x"), None),
        "zip": (("./app.zip", "--help"), None),
    }


@pytest.mark.parametrize("kind", ["script", "module", "code", "stdin", "folder", "zip"])
@pytest.mark.parametrize("way", WAYS)
def test_case_39_40_the_program_sees_what_plain_python_shows(place, facts, way, kind):
    """argv, sys.path, __main__ until the last thread and atexit, __spec__ and flags are equal."""
    program, stdin = facts[kind]
    plain, ours = outcome(place, way, program, stdin)
    assert plain == ours
    isolated = (way, kind) == ("run -I", "module")  # the working directory is not on sys.path
    assert (0 if isolated else 3) == plain[1].count("True True"), plain


ENDINGS = {
    "int": "raise SystemExit(7)",
    "str": "raise SystemExit('told')",
    "chain": (
        "def f(n):\n    return 1 / n\ntry:\n    f(0)\n"
        "except ZeroDivisionError as e:\n    raise RuntimeError('second') from e"
    ),
    "interrupt": "print('out')\nraise KeyboardInterrupt",
    "sigterm": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
    "sigint": (
        # A test run in the background of a shell has it ignored.
        "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "os.kill(os.getpid(), signal.SIGINT)"
    ),
    "atexit": "import atexit\natexit.register(int, 'x')\nraise SystemExit(3)",
    "hook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__)\n1 / 0",
    "syntax": "1 +",
}
CODES = {"int": 7, "str": 1, "chain": 1, "interrupt": -2, "sigterm": -15, "sigint": -2}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("way", WAYS)
def test_case_39_the_program_ends_as_under_plain_python(place, way, ending):
    """Exit code or signal, output and every line of the traceback are equal."""
    (place.work / f"{ending}.py").write_text(f"{PRELUDE}\n{ENDINGS[ending]}\n")
    plain, ours = outcome(place, way, (f"{ending}.py",))
    assert plain == ours
    assert CODES.get(ending, plain[0]) == plain[0]


def test_case_39_exit_codes_are_those_that_a_shell_sees(place):
    """SIGTERM is 143 and KeyboardInterrupt 130 to a shell, with and without --report."""
    for ending, code in (("sigterm", 143), ("interrupt", 130)):
        (place.work / f"{ending}.py").write_text(f"{PRELUDE}\n{ENDINGS[ending]}\n")
        for own in ("", "--report"):
            line = f"{place.plain.python} -m shimhub run {own} {ending}.py; exit $?"
            done = subprocess.run(
                ["bash", "-c", line],
                env=place.plain.clean(),
                cwd=place.work,
                capture_output=True,
                check=False,
            )
            assert code == done.returncode, (ending, own)


@pytest.mark.parametrize(
    "flags",
    [
        ("-X", "utf8=1", "-W", "error", "-u"),
        ("-OO", "-B", "-s"),
        ("-uBb",),
        pytest.param(
            ("-P",), marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="-P is of 3.11")
        ),
    ],
)
def test_case_40_flags_of_the_interpreter_reach_the_program(place, facts, flags):
    """What stands before `-m shimhub` is there in the program, once."""
    program, _ = facts["script"]
    assert place.expected(flags, program) == place.start(place.plain, *flags, *RUN, *program)


def test_case_40_two_dashes_end_the_options_of_run_alone(place, facts):
    """`run -- script --` is the script with its own two dashes; its options stay its own."""
    del facts
    program = ("facts.py", "--", "--profile", "-m", "-c", "--report")
    assert place.expected((), program) == place.start(place.plain, *RUN, "--", *program)


# ---- 42: flags that keep start-up files out


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_case_42_run_is_active_under_every_flag(place, flag):
    """-I and -E ignore PYTHONPATH, -S all start-up files: `run` activates in its own process."""
    code, out, err = place.start(
        place.plain, flag, *RUN, "-c", f"print({IS_ACTIVE})", **in_checkout((flag,))
    )
    assert (0, "True\n", "") == (code, out, err)


def test_case_42_start_up_files_serve_isolated_processes_that_hear_our_variables(place):
    """-I and -E ignore PYTHON* and nothing else: SHIMHUB=0 and SHIMHUB_REGISTRY are heard."""
    told = f"import target; print({IS_ACTIVE}, hasattr(target, 'f'))"
    work = place.work
    (work / "target.py").write_text("")
    (work / "row.toml").write_text(
        'schema = 1\n[[shim]]\nid = "t/f"\nattach = "target:f"\naction = "alias"\n'
        'to = "math:pi"\nwhy = "A test."\n'
    )
    code = f"import sys; sys.path.insert(0, {str(work)!r}); {told}"
    registry = {"SHIMHUB_REGISTRY": str(work / "row.toml")}
    for flag in ("-I", "-E"):
        assert "True True\n" == place.start(place.active, flag, "-c", code, **registry)[1]
        off = place.start(place.active, flag, "-c", code, SHIMHUB="0", **registry)
        assert "False False\n" == off[1]


@needs_report
def test_case_42_a_child_that_no_start_up_file_reaches_is_told_with_its_cure(place):
    """A child under -S is a finding of `run --report` that names the flag."""
    child = "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {!r}])"
    code = child.format("import time; time.sleep(1)")
    _, _, err = place.start(place.plain, *RUN, "--report", "-c", code)
    assert "active in 1/2 other processes" in err
    assert "ran without shims: -S keeps start-up files from running" in err


# ---- 43: the user's own start-up files


@pytest.mark.parametrize("form", ["module", "package", "pyc", "symlink"])
@pytest.mark.parametrize("way", ["run", "activated", "both"])
def test_case_43_the_users_sitecustomize_runs_once_in_each_process(place, tmp_path, form, way):
    """In every form it is found once, by its own name, and shims are on as well."""
    text = "import sys\nprint('user', __name__)\n"
    folder = tmp_path / "theirs"
    folder.mkdir()
    file = folder / ("sitecustomize/__init__.py" if form == "package" else "sitecustomize.py")
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    if form == "pyc":
        compileall.compile_file(file, quiet=1, legacy=True)
        file.unlink()
    if form == "symlink":
        (tmp_path / "link").symlink_to(folder)
        folder = tmp_path / "link"
    env = place.plain if way == "run" else place.active
    head = () if way == "activated" else RUN
    _, out, err = place.start(env, *head, "-c", f"print({IS_ACTIVE})", PYTHONPATH=str(folder))
    launcher = "user sitecustomize\n" * bool(head)  # a process of its own, before the program
    assert (f"{launcher}user sitecustomize\nTrue\n", "") == (out, err)


@pytest.mark.parametrize("way", ["run", "activated"])
def test_case_43_a_broken_sitecustomize_of_the_user_does_not_disable_us(place, tmp_path, way):
    """Its error is python's own message, the program runs, and shims are on."""
    (tmp_path / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
    env, head = (place.plain, RUN) if way == "run" else (place.active, ())
    code, out, err = place.start(env, *head, "-c", f"print({IS_ACTIVE})", PYTHONPATH=str(tmp_path))
    assert (0, "True\n") == (code, out)
    assert "ValueError: theirs" in err
    assert "shimhub" not in err.replace(str(ROOT), "")


def test_case_43_our_start_up_files_abort_no_start(place):
    """Under a registry with errors, and with shimhub half gone, python starts all the same."""
    bad = place.work / "bad.toml"
    bad.write_text("schema = 2\n")
    for told in ({"SHIMHUB_REGISTRY": str(bad)}, {"XDG_CACHE_HOME": "/dev/null"}):
        code, out, err = place.start(place.active, "-c", "print('ran')", **told)
        assert (0, "ran\n") == (code, out)
        assert "Traceback" not in err
        assert "Error processing line" not in err


def test_case_43_a_path_file_that_ends_the_interpreter_is_not_ours(new_env, tmp_path):
    """`sys.exit` in another .pth kills python before and after activation in the same way."""
    env = new_env(tmp_path / "venv")
    killer = env.site / "b_killer.pth"
    killer.write_text("import sys; sys.exit(3)\n")
    before = env.start("-c", "print('ran')")
    killer.unlink()
    assert 0 == env.start("-m", "shimhub", "activate").returncode
    killer.write_text("import sys; sys.exit(3)\n")
    after = env.start("-c", "print('ran')")
    assert (before.returncode, before.stdout, before.stderr) == (
        after.returncode,
        after.stdout,
        after.stderr,
    )
