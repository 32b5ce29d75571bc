from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from shimhub.activation import launcher
from shimhub.activation.launcher import UsageError, interpreter_flags, parse, with_site_dir
from shimhub.paths import PACKAGE_DIR, SITE_DIR

ROW = """\
[[shim]]
id = "target/f"
attach = "target:f"
action = "alias"
to = "math:sqrt"
why = "f was missing."
"""


@pytest.fixture
def shimmed(lab):
    """A lab with one target and one row that SHIMHUB_REGISTRY would name."""
    lab.module("target", "")
    lab.rows(ROW)
    return lab


def both(lab, *program, flags=(), check=True, **env):
    """Run a program under plain python and under `shimhub run`; returns both."""
    plain = lab.start([sys.executable, *flags, *program], check=check, **env)
    run = [sys.executable, *flags, "-m", "shimhub", "run", *program]
    return plain, lab.start(run, check=check, **env)


def same(lab, *program, flags=(), check=False, **env):
    """Assert that a program does the same under both; returns what it printed."""
    plain, hubbed = both(lab, *program, flags=flags, check=check, **env)
    assert (plain.returncode, plain.stdout, plain.stderr) == (
        hubbed.returncode,
        hubbed.stdout,
        hubbed.stderr,
    )
    return plain.stdout


# ---- what the program sees

FACTS = """\
import os, sys
main = sys.modules["__main__"]
print(sys.argv)
print([entry for entry in sys.path])
print(sorted(vars(main)))
print(main.__name__, main.__dict__.get("__file__"), main.__spec__ and main.__spec__.name)
print(type(main.__loader__).__name__, main.__package__, main.__doc__)
print(__name__, os.getcwd(), sys.flags, sys.warnoptions, sys._xoptions)
print(os.environ.get("PYTHONPATH", "").split(os.pathsep)[-2:])
"""


@pytest.fixture
def facts(lab):
    """A lab with a program that prints what it sees, as script, module and package."""
    (lab.root / "facts.py").write_text(FACTS)
    (lab.root / "pack").mkdir()
    (lab.root / "pack" / "__init__.py").write_text("")
    (lab.root / "pack" / "__main__.py").write_text(FACTS)
    (lab.root / "folder").mkdir()
    (lab.root / "folder" / "__main__.py").write_text(FACTS)
    (lab.root / "deep").mkdir()
    (lab.root / "deep" / "facts.py").write_text(FACTS)
    return lab


@pytest.mark.parametrize(
    "program",
    [
        ["facts.py"],
        ["./facts.py", "a", "b"],
        ["deep/facts.py", "-x"],
        ["-m", "facts", "--enable", "x"],
        ["-m", "pack", "-m", "-c"],
        ["-mpack"],
        ["folder", "arg"],
        ["-c", FACTS, "--registry", "y"],
        ["-c" + FACTS, "-h"],
        ["facts.py", "--help"],
        ["facts.py", "--", "--strict"],
        ["facts.py", "", " ", "ä", "*"],
    ],
)
def test_the_program_sees_what_plain_python_shows(facts, program):
    """argv, sys.path, __main__, flags and the working directory are those of plain python."""
    assert same(facts, *program, check=True)


@pytest.mark.parametrize(
    "flags",
    [
        ["-X", "dev"],
        ["-Xutf8"],
        ["-W", "error"],
        ["-Wignore::UserWarning:m"],
        ["-u"],
        ["-O"],
        ["-OO", "-B"],
        ["-bb", "-q", "-s"],
        ["-uBX", "faulthandler"],
        ["-W", "ignore", "-X", "importtime", "-X", "utf8=1"],
    ],
)
def test_flags_of_the_interpreter_are_kept(facts, flags):
    """What stands before `-m shimhub` reaches the program's interpreter, each flag once."""
    plain, hubbed = both(facts, "facts.py", flags=flags)
    assert plain.stdout == hubbed.stdout


def test_a_cluster_of_flags_that_ends_in_m_is_kept(facts):
    """`python -uBm shimhub run` and `python -Bmshimhub run` keep u and B."""
    plain = facts.start([sys.executable, "-uB", "facts.py"])
    for spelled in (["-uBm", "shimhub"], ["-uBmshimhub"]):
        hubbed = facts.start([sys.executable, *spelled, "run", "facts.py"])
        assert plain.stdout == hubbed.stdout


@pytest.mark.skipif(sys.version_info < (3, 11), reason="-P is new in Python 3.11")
def test_safe_path_is_kept(facts):
    """With -P the script's folder stays out of sys.path, also under the hub."""
    plain, hubbed = both(facts, "facts.py", flags=["-P"])
    assert plain.stdout == hubbed.stdout


@pytest.mark.parametrize("path", ["a", "a:", ":a", "a::b", "a:a", "/nowhere:.", ""])
def test_python_path_means_what_it_meant(facts, path):
    """sys.path is plain python's for every PYTHONPATH, empty entries (the folder) included."""
    path = path.replace(":", os.pathsep)
    base = os.environ.get("PYTHONPATH", "")
    plain = facts.start([sys.executable, "facts.py"], PYTHONPATH=path)
    site = facts.start(
        [sys.executable, "facts.py"], PYTHONPATH=with_site_dir(path), SHIMHUB="0", OLD=base
    )
    expected, found = plain.stdout.splitlines(), site.stdout.splitlines()
    assert expected[:-1] == found[:-1]


def test_the_site_folder_stands_in_front_once():
    """Asked twice, the folder of our sitecustomize is not added twice, and order is kept."""
    once = with_site_dir(os.pathsep.join(["a", "b"]))
    assert [SITE_DIR, "a", "b"] == once.split(os.pathsep)
    assert once == with_site_dir(once)
    assert SITE_DIR == with_site_dir("")


def test_stdin_is_the_programs(lab):
    """`run -` reads the program from stdin, and a script reads its data there."""
    plain = [sys.executable, "-"]
    hubbed = [sys.executable, "-m", "shimhub", "run", "-"]
    reader = "import sys; print(sys.argv, sys.path[0], sys.stdin.read())"
    found = []
    for command in (plain, hubbed):
        for args, text in (([*command, "x"], b"import sys\nprint(sys.argv, sys.path[0])\n"),):
            found.append(pipe(lab, args, text))
        found.append(pipe(lab, [*command[:-1], "-c", reader], b"data"))
    assert found[:2] == found[2:]
    assert b"['-', 'x'] \n" == found[0][1]
    assert b"data" in found[1][1]


def environ(lab, **env):
    """Return the environment that Lab.start would give."""
    clean = {key: value for key, value in os.environ.items() if "SHIMHUB" not in key}
    repository = str(PACKAGE_DIR.rpartition(os.sep)[0])
    path = os.pathsep.join([str(lab.site), repository])
    return clean | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(lab.root / "cache")} | env


def pipe(lab, command, text):
    """Run a command with bytes on stdin."""
    done = subprocess.run(
        command, input=text, env=environ(lab), cwd=lab.root, capture_output=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


# ---- how the program ends

CHAIN = """\
def f(n):
    return 1 / n

try:
    f(0)
except ZeroDivisionError as e:
    raise RuntimeError('second') from e
"""


@pytest.mark.parametrize(
    "body",
    [
        "raise SystemExit(7)",
        "raise SystemExit('text')",
        "raise SystemExit(None)",
        "raise SystemExit(True)",
        "raise SystemExit(300)",
        "raise SystemExit((1, 2))",
        "raise ValueError('broken')",
        "raise KeyboardInterrupt",
        "import os; os._exit(9)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
        "import atexit; atexit.register(print, 'bye'); raise SystemExit(3)",
        "1 +",
        "import no_such_module_at_all",
        CHAIN,
    ],
)
@pytest.mark.parametrize("kind", ["script", "module", "code"])
def test_the_program_ends_as_under_plain_python(lab, body, kind):
    """Exit code, signal, output and the text of tracebacks equal plain python's."""
    (lab.root / "prog.py").write_text(body + "\n")
    program = {"script": ["prog.py"], "module": ["-m", "prog"], "code": ["-c", body]}[kind]
    same(lab, *program)


@pytest.mark.parametrize("program", [["absent.py"], ["-m", "absent"], ["."], ["-m", "json"]])
def test_a_program_that_is_not_there_fails_as_under_plain_python(lab, program):
    """A missing script, module or __main__ is python's own error."""
    same(lab, *program)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_from_outside_reaches_the_program(lab, sent):
    """The process that was started is the program: a signal to it does what it does to python."""
    if signal.getsignal(sent) is signal.SIG_IGN:
        pytest.skip("ignored by whoever started the tests, and so by the children")
    (lab.root / "wait.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    codes = []
    for head in ([], ["-m", "shimhub", "run"]):
        child = subprocess.Popen(
            [sys.executable, *head, "wait.py"],
            env=environ(lab),
            cwd=lab.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with child:
            assert b"up\n" == child.stdout.readline()
            time.sleep(0.05)
            child.send_signal(sent)
            codes.append(child.wait(30))
    assert codes[0] == codes[1] != 0


def test_a_handler_of_the_program_is_its_own(lab):
    """The program's own SIGTERM handler runs, and no signal is blocked or ignored for it."""
    body = """
        import os, signal, sys
        print([signal.getsignal(one).__repr__() for one in (signal.SIGINT, signal.SIGTERM)])
        print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getsignal(signal.SIGPIPE))
        signal.signal(signal.SIGTERM, lambda *a: sys.exit(42))
        os.kill(os.getpid(), signal.SIGTERM)
    """
    (lab.root / "prog.py").write_text("if True:\n" + body)
    plain, hubbed = both(lab, "prog.py", check=False)
    assert (42, plain.stdout.splitlines()[1]) == (
        hubbed.returncode,
        hubbed.stdout.splitlines()[1],
    )


def test_run_writes_nothing_of_its_own(shimmed):
    """On stdout are the program's bytes alone; stderr is empty for a run without findings."""
    done = shimmed.cli(
        "run",
        "--registry",
        "registry.toml",
        "-c",
        "import sys, target; sys.stdout.buffer.write(b'\\0x'); assert target.f(4) == 2",
    )
    assert ("\0x", "") == (done.stdout, done.stderr)


# ---- children

CHILDREN = """\
import multiprocessing, os, subprocess, sys

def root(n):
    import target
    return target.f(n)

def work(queue, n):
    queue.put(root(n))

if __name__ == "__main__":
    code = "import target, sys; print(target.f(4.0))"
    assert b"2.0\\n" == subprocess.check_output([sys.executable, "-c", code])
    grand = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], check=True)"
    assert b"2.0\\n" == subprocess.check_output([sys.executable, "-c", grand])
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        child = context.Process(target=work, args=(queue, 9.0))
        child.start()
        assert 3.0 == queue.get(timeout=60), method
        child.join()
        print(method)
"""


@pytest.mark.filterwarnings("default")
def test_children_are_active(shimmed):
    """Children by subprocess (and theirs), spawn, fork and forkserver have the shims."""
    (shimmed.root / "prog.py").write_text(CHILDREN)
    done = shimmed.cli("run", "--registry", "registry.toml", "prog.py")
    assert "spawn" in done.stdout.split()


@pytest.mark.filterwarnings("default")
def test_children_of_auto_are_active(shimmed):
    """A program that imports shimhub.auto itself hands the shims on in the same way."""
    (shimmed.root / "prog.py").write_text("import shimhub.auto\n" + CHILDREN)
    done = shimmed.start([sys.executable, "prog.py"], SHIMHUB_REGISTRY=str(shimmed.registry))
    assert "spawn" in done.stdout.split()


def test_children_in_another_folder_find_the_registry(shimmed):
    """A relative --registry is absolute for children."""
    (shimmed.root / "prog.py").write_text(
        "import os, subprocess, sys\n"
        "code = 'import target; print(target.f(4.0))'\n"
        "subprocess.run([sys.executable, '-c', code], cwd=os.sep, check=True)\n"
    )
    done = shimmed.cli("run", "--registry", "registry.toml", "prog.py")
    assert ("2.0\n", "") == (done.stdout, done.stderr)


def test_the_words_of_run_reach_children(shimmed):
    """--only, --enable, --disable and --strict are what children decide by."""
    code = (
        "import os; print(*sorted(f'{k}={v}' for k, v in os.environ.items()"
        " if k.startswith('SHIMHUB') and not k.endswith(('DIGEST', 'REGISTRY', 'RUN_DIR'))))"
    )
    done = shimmed.cli(
        *("run", "--registry=registry.toml", "--enable", "target/f", "--enable=target/*"),
        *("--disable", "target/f", "--only", "target/f", "--strict", "-c", code),
        SHIMHUB_ENABLE="torchtitan",
    )
    assert (
        "SHIMHUB=1 SHIMHUB_DISABLE=target/f SHIMHUB_ENABLE=torchtitan,target/f,target/*"
        " SHIMHUB_ONLY=target/f SHIMHUB_PROJECT= SHIMHUB_STRICT=1\n"
    ) == done.stdout


def test_a_run_within_a_run_is_the_same_as_one(facts):
    """`run` started by a program of `run` changes nothing more."""
    inner = [sys.executable, "-m", "shimhub", "run", "facts.py"]
    plain = facts.start([sys.executable, "facts.py"]).stdout
    hubbed = facts.cli("run", "-c", f"import os; os.execv({sys.executable!r}, {inner!r})").stdout
    assert plain == hubbed


# ---- activation from inside


def test_auto_activates_this_process(shimmed):
    """`import shimhub.auto` is enough, also for what is imported already, and twice is once."""
    shimmed.run(
        """
        import sys, target
        import shimhub.auto
        assert target.f(4.0) == 2.0
        count = len(sys.meta_path)
        del sys.modules["shimhub.auto"]
        import shimhub.auto
        assert count == len(sys.meta_path)
        """,
        SHIMHUB_REGISTRY=str(shimmed.registry),
    )


def test_auto_under_run_is_the_same_finder(shimmed):
    """A program of `run` that imports shimhub.auto too has one finder."""
    code = """if True:
        import sys, shimhub.auto, target
        from shimhub.finder import Finder
        assert 1 == sum(type(one) is Finder for one in sys.meta_path)
        assert 2.0 == target.f(4.0)
        import shimhub
        assert shimhub.status().active
    """
    shimmed.cli("run", "--registry", "registry.toml", "-c", code)


@pytest.mark.parametrize("way", ["run", "auto"])
def test_the_kill_switch_switches_everything_off(shimmed, way):
    """SHIMHUB=0 leaves the program and its children without any finder of ours."""
    code = (
        "import os, subprocess, sys, target\n"
        "assert not hasattr(target, 'f')\n"
        "assert not [f for f in sys.meta_path if 'shimhub' in type(f).__module__]\n"
        "child = 'import target; assert not hasattr(target, \"f\")'\n"
        "subprocess.run([sys.executable, '-c', child], check=True)\n"
    )
    environ = {"SHIMHUB": "0", "SHIMHUB_REGISTRY": str(shimmed.registry)}
    if way == "run":
        shimmed.cli("run", "-c", code, **environ)
    else:
        shimmed.run("import shimhub.auto\n" + code, **environ)


# ---- the user's own sitecustomize


def chained(lab, *program):
    """Assert that a program does the same with our start-up file in front; returns its stdout."""
    repository = os.path.dirname(PACKAGE_DIR)
    path = os.pathsep.join([str(lab.site), repository])
    command = [sys.executable, *program]
    plain = lab.start(command, PYTHONPATH=path)
    ours = lab.start(command, PYTHONPATH=with_site_dir(path), SHIMHUB="1")
    assert (plain.stdout, plain.stderr) == (ours.stdout, ours.stderr)
    return plain


SITE = "import sys\nprint('site', __name__, __file__.split('/')[-2:], sys.path == list(sys.path))\n"


@pytest.mark.parametrize("file", ["sitecustomize.py", "sitecustomize/__init__.py"])
def test_the_users_sitecustomize_runs_once(lab, file):
    """A sitecustomize of the user, module or package, runs exactly once, with plain sys.path."""
    path = lab.site / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(SITE)
    found = chained(lab, "-c", "import sitecustomize; print(sitecustomize.__name__)")
    assert 1 == found.stdout.count("site sitecustomize")


def test_a_sitecustomize_may_import_itself_by_parts(lab):
    """A package sitecustomize with relative imports is whole."""
    package = lab.site / "sitecustomize"
    package.mkdir()
    (package / "__init__.py").write_text("from . import part\nprint(part.__name__)\n")
    (package / "part.py").write_text("")
    assert "sitecustomize.part\n" == chained(lab, "-c", "pass").stdout


def test_a_broken_sitecustomize_is_told_as_by_plain_python(lab):
    """An exception in the user's sitecustomize is python's own message; the program runs."""
    (lab.site / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
    assert "ValueError: theirs" in chained(lab, "-c", "print('ran')").stderr


def test_a_sitecustomize_that_lacks_an_import_is_told(lab):
    """An ImportError from inside of the user's sitecustomize is not taken for its absence."""
    (lab.site / "sitecustomize.py").write_text("import not_here\n")
    found = chained(lab, "-c", "print('ran')")
    assert ("ran\n", True) == (found.stdout, "not_here" in found.stderr)


def test_without_a_sitecustomize_the_program_runs(lab):
    """Where the user has none, nothing is said."""
    done = lab.cli("run", "-c", "print('ran')")
    assert ("ran\n", "") == (done.stdout, done.stderr)


def test_a_usercustomize_still_runs(lab):
    """A usercustomize is none of our business: it runs once."""
    (lab.site / "usercustomize.py").write_text("print('user')\n")
    import_user = "import site; site.ENABLE_USER_SITE or __import__('usercustomize')"
    assert "user\n" == chained(lab, "-c", import_user).stdout


def test_a_child_that_cannot_import_shimhub_says_so_and_runs(lab):
    """A child of another interpreter or path runs unpatched, with one line on stderr."""
    done = lab.start([sys.executable, "-c", "print('ran')"], PYTHONPATH=SITE_DIR, SHIMHUB="1")
    if "not importable" not in done.stderr:
        pytest.skip("shimhub is installed in this environment: every child can import it")
    assert "ran\n" == done.stdout
    assert f"not importable by {sys.executable}" in done.stderr
    assert "runs unpatched" in done.stderr


def test_a_child_whose_import_of_shimhub_fails_says_so_and_runs(lab):
    """Half an installation is told in one line; the program runs unpatched."""
    lab.module("shimhub.__init__", "")
    path = os.pathsep.join([SITE_DIR, str(lab.site)])
    done = lab.start([sys.executable, "-c", "print('ran')"], PYTHONPATH=path, SHIMHUB="1")
    assert "ran\n" == done.stdout
    assert "this process runs unpatched" in done.stderr
    assert 1 == len(done.stderr.splitlines())


def test_a_child_with_a_broken_registry_says_so_and_runs(shimmed):
    """A registry that broke after the start is told by the child, which runs unpatched."""
    shimmed.registry.write_text("nothing = \n")
    code = "print('ran')"
    repository = os.path.dirname(PACKAGE_DIR)
    done = shimmed.start(
        [sys.executable, "-c", code],
        PYTHONPATH=with_site_dir(os.pathsep.join([str(shimmed.site), repository])),
        SHIMHUB_REGISTRY=str(shimmed.registry),
    )
    assert "ran\n" == done.stdout
    assert "this process runs unpatched" in done.stderr
    assert "not valid TOML" in done.stderr


def test_a_child_without_stderr_runs(lab):
    """A process without stderr (pythonw, a daemon) starts even where we have something to say."""
    command = f"\"{sys.executable}\" -c \"open('ran', 'w')\" 2>&-"
    done = lab.start(
        ["sh", "-c", command],
        PYTHONPATH=with_site_dir(os.path.dirname(PACKAGE_DIR)),
        SHIMHUB_REGISTRY="/nowhere.toml",
    )
    assert 0 == done.returncode
    assert (lab.root / "ran").exists()


# ---- what run refuses


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--enabel", "x", "s.py"], "unknown option --enabel (did you mean '--enable'?)"),
        (["--regsitry=x", "s.py"], "unknown option --regsitry (did you mean '--registry'?)"),
        (["-x", "s.py"], "unknown option -x"),
        (["--strict=1", "s.py"], "unknown option --strict"),
        (["--enable"], "--enable needs a value"),
        ([], "no program"),
        (["-m"], "no program"),
        (["-c"], "no program"),
        (["--strict"], "no program"),
        (["--"], "no program"),
    ],
)
def test_wrong_usage_is_exit_2_with_the_usage(lab, arguments, told):
    """A mistake before the program is told with the usage, on stderr, and nothing runs."""
    done = lab.cli("run", *arguments, check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert told in done.stderr
    assert "usage: shimhub run" in done.stderr


@pytest.mark.parametrize("option", ["--enable", "--disable", "--only"])
def test_a_word_that_names_nothing_stops_before_the_start(shimmed, option):
    """An unknown id, pack or glob is exit code 2 with the nearest word; nothing runs."""
    done = shimmed.cli(
        *("run", "--registry", "registry.toml", option, "target/ff", "-c", "print(1)"),
        check=False,
    )
    assert (2, "") == (done.returncode, done.stdout)
    assert "'target/ff' (did you mean 'target/f'?)" in done.stderr


def test_a_bad_registry_stops_before_the_start(shimmed):
    """A registry with errors is exit code 2 with all of them; nothing runs."""
    shimmed.rows(ROW + "x = 1\ny = 2\n")
    done = shimmed.cli("run", "--registry", "registry.toml", "-c", "print(1)", check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "shimhub: 2 problems in the registry\n" in done.stderr


def test_a_registry_that_is_not_there_stops_before_the_start(lab):
    """A file that cannot be read is exit code 2."""
    done = lab.cli("run", "--registry", "absent.toml", "-c", "print(1)", check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "absent.toml:0: file: cannot be read" in done.stderr


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_a_result(lab, flag):
    """`run --help` prints the usage on stdout and exits with 0."""
    done = lab.cli("run", flag)
    assert done.stdout.startswith("usage: shimhub run")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_strict_makes_the_programs_import_fail(lab):
    """With --strict a shim that fails is an ImportError in the program, and so is the next try."""
    lab.module("target", "")
    lab.rows(ROW.replace("math:sqrt", "math:nothing"))
    code = (
        "for _ in range(2):\n    try:\n        import target\n    except ImportError as e:\n"
        "        print('strict' in str(e), 'target/f' in str(e))\n"
    )
    done = lab.cli("run", "--registry", "registry.toml", "--strict", "-c", code)
    assert "True True\nTrue True\n" == done.stdout
    assert "" == lab.cli("run", "--registry", "registry.toml", "-c", code).stdout


# ---- parsing, as functions


@pytest.mark.parametrize(
    ("arguments", "program"),
    [
        (["s.py", "--enable", "x"], ["s.py", "--enable", "x"]),
        (["--strict", "-m", "m", "--strict"], ["-m", "m", "--strict"]),
        (["--", "s.py", "--", "-h"], ["s.py", "--", "-h"]),
        (["-", "-h"], ["-", "-h"]),
        (["-mm", "-h"], ["-mm", "-h"]),
        (["--only", "-m", "s.py"], ["s.py"]),
    ],
)
def test_all_behind_the_program_is_verbatim(arguments, program):
    """Own options end at the program, whatever stands behind it."""
    assert program == parse(arguments).program


def test_values_may_stand_behind_a_sign_or_a_space():
    """--enable x and --enable=x are the same; an empty value and a value with = are kept."""
    found = parse(["--enable", "a", "--enable=b=c", "--enable=", "s"]).values
    assert {"--enable": ["a", "b=c", ""]} == found


def test_no_program_is_a_usage_error():
    """The parser raises what the command line tells."""
    with pytest.raises(UsageError, match="no program"):
        parse(["--enable", "s.py"])


@pytest.mark.parametrize(
    ("argv", "count", "flags"),
    [
        (["py", "-m", "shimhub", "run", "s"], 2, []),
        (["py", "-X", "dev", "-m", "shimhub", "run", "s"], 2, ["-X", "dev"]),
        (["py", "-X", "dev", "-um", "shimhub", "run", "s"], 2, ["-X", "dev", "-u"]),
        (["py", "-mshimhub", "run", "s"], 2, []),
        (["py", "-umshimhub", "run", "s"], 2, ["-u"]),
        (["py", "-X", "dev", "-mshimhub", "run", "s"], 2, ["-X", "dev"]),
        (["py", "/venv/bin/shimhub", "run", "s"], 2, []),
        (["py", "-u", "/venv/bin/shimhub", "run", "-m", "shimhub"], 3, ["-u"]),
        (["py", "-m", "shimhub", "run", "-m", "shimhub"], 3, []),
    ],
)
def test_flags_are_what_stands_before_our_own_name(argv, count, flags):
    """The interpreter's flags are cut out of sys.orig_argv by the number of our arguments."""
    assert flags == interpreter_flags(argv, count)


def test_elsewhere_than_on_posix_the_program_is_a_child(monkeypatch, tmp_path):
    """Without exec the program runs as a child, and its code is ours."""
    calls = []

    def call(command, env):
        calls.append((command, env["SHIMHUB"]))
        return 5

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SHIMHUB", raising=False)
    monkeypatch.setattr(launcher.os, "name", "nt")
    monkeypatch.setattr(launcher.subprocess, "call", call)
    with pytest.raises(SystemExit) as caught:
        launcher.run(["s.py", "a"])
    assert 5 == caught.value.code
    assert ([sys.executable, "s.py", "a"], "1") == (
        [calls[0][0][0], *calls[0][0][-2:]],
        calls[0][1],
    )


@pytest.mark.parametrize("name", ["random", "packaging", "platform", "email", "dataclasses", "csv"])
def test_a_file_beside_the_script_is_the_programs_own(lab, name):
    """What the hub imports amid the program is neither run from the script's folder nor hidden."""
    folder = lab.root / "project"
    folder.mkdir()
    (folder / f"{name}.py").write_text("mine = 1\n")
    (folder / "s.py").write_text(f"import target\nimport {name}\nprint({name}.mine, target.f)\n")
    lab.module("target")
    lab.rows(
        """
        [[shim]]
        id = "target/f"
        attach = "target:f"
        action = "alias"
        to = "math:pi"
        why = "A test."
        """
    )
    done = lab.cli("run", "--registry", str(lab.registry), str(folder / "s.py"))
    assert "1 3.14" == done.stdout[:6]


def test_strict_ends_a_start_that_cannot_be_patched(lab):
    """Where a shim of a module that is loaded before the program fails, strict does not go on."""
    lab.rows(
        """
        [[shim]]
        id = "builtins/foo"
        attach = "builtins:str.foo"
        action = "alias"
        to = "math:pi"
        why = "A test."
        """
    )
    done = lab.cli(
        "run", "--strict", "--registry", str(lab.registry), "-c", "print('ran')", check=False
    )
    assert (1, "") == (done.returncode, done.stdout)
    assert "builtins/foo" in done.stderr
