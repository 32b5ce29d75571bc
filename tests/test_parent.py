"""``run --report``: the parent that watches, forwards and ends like the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from shimhub.activation import parent

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
CHILD = "import time; time.sleep(1)"


def popen(lab, *arguments: str, **env: str) -> subprocess.Popen[str]:
    """Start `run --report` and return it while it runs."""
    inherited = {key: value for key, value in os.environ.items() if "SHIMHUB" not in key}
    state = {"XDG_STATE_HOME": str(lab.root / "state"), "XDG_CACHE_HOME": str(lab.root / "cache")}
    return subprocess.Popen(
        [sys.executable, "-m", "shimhub", "run", "--report", *arguments],
        env=inherited | state | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_says_where_shims_were_active_after_the_program(lab):
    """Stdout is the program's; the report comes on stderr with the run's folder; the code stays."""
    done = lab.cli("run", "--report", "-c", "print('mine'); raise SystemExit(7)", check=False)
    assert (7, "mine\n") == (done.returncode, done.stdout)
    assert done.stderr.startswith("shimhub: active in 1/1 other processes\n")
    assert "  run: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "why"),
    [
        (["-S", "-c", CHILD], None, "-S keeps start-up files from running"),
        (["-I", "-c", CHILD], None, "`shimhub activate` covers them"),
        (["-E", "-c", CHILD], None, "`shimhub activate` covers them"),
        (["-c", CHILD], {}, "an environment of its own"),
        (["-c", CHILD], "lost", "does not find shimhub"),
    ],
)
def test_a_python_without_the_hub_is_told_with_the_reason(lab, arguments, env, why):
    """A child that no start-up file reached is a finding, not silence."""
    given = {"{**os.environ, 'PYTHONPATH': ''}" if env == "lost" else repr(env)}.pop()
    code = (
        "import os, subprocess, sys\n"
        f"subprocess.run([sys.executable, *{arguments!r}], env={given}, check=True)\n"
    )
    done = lab.cli("run", "--report", "-c", code)
    assert "active in 1/2 other processes" in done.stderr, done.stderr
    assert why in done.stderr


@pytest.mark.parametrize("number", [*NUMBERS, signal.SIGXCPU, signal.SIGRTMIN])
def test_a_signal_to_the_parent_reaches_the_program(lab, number):
    """The program's handler runs, and its code is the run's."""
    code = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(9))\n"
        "print('ready', flush=True)\n"
        "time.sleep(30)\n"
    )
    run = popen(lab, "-c", code)
    assert "ready\n" == run.stdout.readline()
    run.send_signal(number)
    _, told = run.communicate(timeout=20)
    assert 9 == run.returncode, told
    assert "shimhub: active in" in told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_the_parent_dies_of_the_programs_signal(lab, number):
    """A shell sees the same signal as without a parent; the report is still printed."""
    code = f"import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), {number})"
    done = lab.cli("run", "--report", "-c", code, check=False)
    assert -number == done.returncode
    assert "shimhub: active in" in done.stderr


def test_ctrl_c_in_a_terminal_interrupts_the_program_once(lab):
    """The terminal signals the whole group: the parent does not add a second one."""
    code = (
        "import os, pty, sys, time\n"
        "pid, terminal = pty.fork()\n"
        "if pid == 0:\n"
        f"    program = '''{INTERRUPTED}'''\n"
        "    os.execv(sys.executable,"
        " [sys.executable, '-m', 'shimhub', 'run', '--report', '-c', program])\n"
        "text = b''\n"
        "while b'ready' not in text: text += os.read(terminal, 1000)\n"
        "os.write(terminal, b'\\x03')\n"
        "try:\n"
        "    while True: text += os.read(terminal, 1000)\n"
        "except OSError: pass\n"
        "sys.stdout.write(text.decode())\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    done = lab.start([sys.executable, "-c", code], check=False)
    assert 5 == done.returncode, done.stdout
    assert 1 == done.stdout.count("interrupted")
    assert "active in 1/1" in done.stdout


INTERRUPTED = (
    "import signal, sys, time\n"
    'signal.signal(2, lambda *_: print("interrupted", flush=True))\n'
    "end = time.time() + 2\n"
    'print("ready", flush=True)\n'
    "while time.time() < end:\n"
    "    time.sleep(0.1)\n"
    "sys.exit(5)\n"
).replace("\n", "\\n")


def test_stdin_is_the_programs(lab):
    """What is piped in reaches the program as without a parent."""
    run = subprocess.run(
        [sys.executable, "-m", "shimhub", "run", "--report", "-c", "print(input()[::-1])"],
        env=os.environ | {"XDG_STATE_HOME": str(lab.root / "state")},
        input="abc\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cba\n" == run.stdout


def test_a_short_child_without_the_hub_is_told(lab):
    """Half a second is enough to be seen on a busy machine; so are many of them."""
    code = (
        "import subprocess, sys\n"
        "for _ in range(3):\n"
        "    subprocess.run([sys.executable, '-S', '-c', 'import time; time.sleep(0.5)'])\n"
    )
    done = lab.cli("run", "--report", "-c", code)
    assert 3 == done.stderr.count("-S keeps start-up files from running"), done.stderr


def test_a_process_in_the_middle_of_an_exec_is_seen_once(monkeypatch):
    """Where its image is not told yet, or still the one from before, it is noted by its new one."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        watcher, below = parent.Watcher(os.getpid()), parent._below
        for early in (0, 12345):
            seen = [(child.pid, os.getpid(), early)]
            monkeypatch.setattr(parent, "_below", lambda _, seen=seen: seen)
            watcher.look()
        monkeypatch.setattr(parent, "_below", below)
        watcher.look()
    finally:
        child.communicate(b"\n")
    assert [child.pid] == [pid for pid, image in watcher.found if pid == child.pid and image]
    assert [] == [pid for pid, image in watcher.found if not image]


def test_a_program_that_became_one_without_the_hub_is_told(lab):
    """After an exec with -S the record of before is not taken for the new program's."""
    sleep = "import time; time.sleep(0.5)"
    code = (
        "import os, sys\n"
        "if os.fork() == 0:\n"
        f"    os.execv(sys.executable, [sys.executable, '-S', '-c', {sleep!r}])\n"
        "os.wait()\n"
        f"os.execv(sys.executable, [sys.executable, '-S', '-c', {sleep!r}])\n"
    )
    done = lab.cli("run", "--report", "-c", code)
    assert 2 == done.stderr.count("-S keeps start-up files from running"), done.stderr


def test_an_exec_into_an_active_program_is_no_finding(lab):
    """What records itself after the exec is active."""
    code = "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'print(1)'])"
    done = lab.cli("run", "--report", "-c", code)
    assert "1\n" == done.stdout
    assert "finding" not in done.stderr


def test_a_process_whose_parent_ended_is_still_seen(lab):
    """A daemon that init would adopt is below the run as long as that lasts."""
    code = (
        "import os, sys, time\n"
        "os.system(f\"setsid {sys.executable} -S -c 'import time; time.sleep(1)' &\")\n"
        "time.sleep(0.6)\n"
    )
    done = lab.cli("run", "--report", "-c", code)
    assert 1 == done.stderr.count("-S keeps start-up files from running"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "why"),
    [
        (["-Wignore::SyntaxWarning", "-c", CHILD], "{}", "an environment of its own"),
        (["-X", "dev", "-I", "-c", CHILD], "None", "`shimhub activate` covers them"),
        (["-W", "error", "-S", "-c", CHILD], "None", "-S keeps start-up files"),
        (["-uBS", "-c", CHILD], "None", "-S keeps start-up files"),
    ],
)
def test_the_reason_is_read_from_the_flags_as_python_reads_them(lab, arguments, env, why):
    """Values of -W and -X are no flags, and flags behind them are."""
    code = (
        "import os, subprocess, sys\n"
        f"subprocess.run([sys.executable, *{arguments!r}], env={env}, check=True)\n"
    )
    told = lab.cli("run", "--report", "-c", code).stderr
    assert 1 == told.count("finding:")
    assert why in told


@pytest.mark.parametrize("gone", ["shutil.rmtree(folder)", "shutil.move(folder, folder + 'x')"])
def test_a_run_folder_that_is_gone_costs_the_report_and_nothing_else(lab, gone):
    """The program's code is the run's, and one line says why there is no report."""
    code = f"import os, shutil; folder = os.environ['SHIMHUB_RUN_DIR']; {gone}; raise SystemExit(7)"
    done = lab.cli("run", "--report", "-c", code, check=False)
    assert 7 == done.returncode
    assert "shimhub: no report: " in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_place_for_records_the_program_runs_and_no_file_is_touched(lab):
    """A state folder that cannot be made costs the report; `seen.jsonl` here is the user's."""
    (lab.root / "seen.jsonl").write_text("precious")
    code = "raise SystemExit(7)"
    done = lab.cli("run", "--report", "-c", code, check=False, XDG_STATE_HOME="/dev/null")
    assert 7 == done.returncode
    assert "no report, as there are no records" in done.stderr
    assert "Traceback" not in done.stderr
    assert "precious" == (lab.root / "seen.jsonl").read_text()


def test_a_program_that_stops_itself_stops_the_parent_and_goes_on_with_it(lab):
    """A shell sees the job stopped; SIGCONT to the parent lets both go on."""
    code = "import os, signal; print('1', flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
    run = popen(lab, "-c", f"{code}; print('2')")
    assert "1\n" == run.stdout.readline()
    _, status = os.waitpid(run.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    run.send_signal(signal.SIGCONT)
    assert "2\n" == run.communicate(timeout=20)[0]
    assert 0 == run.returncode


def test_another_program_below_is_no_python(lab):
    """`sleep` needs no shims."""
    done = lab.cli("run", "--report", "-c", "import os; os.system('sleep 0.8')")
    assert "active in 1/1" in done.stderr


def test_processes_that_end_while_we_look_are_no_error():
    """A pid that is gone has no command, no variables and no executable."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert ([], frozenset({""})) == (parent._command(gone.pid), parent._variables(gone.pid))
    assert not parent._is_python(gone.pid)
    assert 0 == parent._image(gone.pid)


def test_where_signals_cannot_be_awaited_the_program_still_runs(monkeypatch, tmp_path):
    """MacOS and Windows have no sigtimedwait: the program runs without being watched."""
    monkeypatch.delattr(signal, "sigtimedwait")
    command = [sys.executable, "-c", "raise SystemExit(4)"]
    assert 4 == parent.supervise(command, dict(os.environ), str(tmp_path))
