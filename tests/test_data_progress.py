"""Progress on stderr: who sees what, and that nothing else notices."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import textwrap

import pytest

from shimhub.data.jobs._progress import _bytes, _count, _time, progress


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Gone(io.StringIO):
    """A stderr whose reader has gone away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def on_terminal(code: str, **env: str) -> str:
    """Return what a Python process with ``code`` writes to a terminal of 80 columns on stderr."""
    leader, terminal = pty.openpty()
    clean = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM")}
    done = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=clean | {"TERM": "xterm-256color", "COLUMNS": "80"} | env,
    )
    os.close(terminal)
    told = b""
    while True:
        try:
            found = os.read(leader, 65536)
        except OSError:  # EIO: the process has closed its side
            break
        told += found
    os.close(leader)
    assert b"" == done.communicate()[0]
    return told.decode()


BAR = """
    from shimhub.data.jobs._progress import progress
    with progress(1000, "a label that is far too long for it", {enabled}) as told:
        told.advance(bytes=1000, rows=7)
        {then}
"""


def test_without_a_terminal_nothing_is_told(capsys):
    """By default a pipe gets no byte, whatever is counted."""
    clock = Clock()
    with progress(10, "read", clock=clock) as told:
        clock.now += 1000
        told.advance(bytes=10, rows=3)
    assert ("", "") == capsys.readouterr()


def test_lines_come_every_ten_seconds_where_asked(capsys):
    """With True there is a line each ten seconds, with speed and time left, and one at the end."""
    clock = Clock()
    with progress(10_000_000, "read", enabled=True, clock=clock) as told:
        for _ in range(10):
            clock.now += 2.5
            told.advance(bytes=1_000_000, rows=1000)
    lines = [
        "read: 4.0 MB/10.0 MB 400 kB/s 400 rows/s 0:00:15 left",
        "read: 8.0 MB/10.0 MB 400 kB/s 400 rows/s 0:00:05 left",
        "read: done: 10.0 MB, 10,000 rows in 0:00:25, 400 kB/s",
    ]
    told = capsys.readouterr()
    assert lines == told.err.splitlines()
    assert "" == told.out


def test_an_unknown_total_has_no_time_left(capsys):
    """Without a total, what is done is told, and no more is claimed."""
    clock = Clock()
    with progress(None, "read", enabled=True, clock=clock) as told:
        clock.now += 10
        told.advance(bytes=500)
    lines = ["read: 500 B 50 B/s", "read: done: 500 B in 0:00:10, 50 B/s"]
    assert lines == capsys.readouterr().err.splitlines()


def test_what_was_done_before_is_not_speed(capsys):
    """A resumed job counts from where it was, at the speed of this run."""
    clock = Clock()
    with progress(1000, "read", enabled=True, done=800, clock=clock) as told:
        clock.now += 10
        told.advance(bytes=100)
    first = capsys.readouterr().err.splitlines()[0]
    assert "read: 900 B/1.0 kB 10 B/s 0:00:10 left" == first


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_goes_on_and_is_told(error, capsys):
    """The exception leaves the with statement; the last line says that the work stopped."""
    told = progress(10, "read", enabled=True)
    told.advance(bytes=5)
    with pytest.raises(error), told:
        raise error
    assert "read: stopped: 5 B in 0:00:00" in capsys.readouterr().err


def test_closing_twice_tells_once(capsys):
    """The end is told once, and what is counted afterwards shows nothing."""
    told = progress(10, "read", enabled=True)
    told.close()
    told.advance(bytes=1)
    told.close()
    assert 1 == len(capsys.readouterr().err.splitlines())


@pytest.mark.parametrize("stream", [Gone, "closed", None])
def test_a_stderr_that_is_gone_stops_no_work(stream, monkeypatch):
    """A broken, closed or missing stderr ends the telling alone."""
    clock = Clock()
    found = io.StringIO() if stream == "closed" else stream and stream()
    monkeypatch.setattr(sys, "stderr", found)
    told = progress(10, "read", enabled=True, clock=clock)
    if stream == "closed":
        found.close()
    for _ in range(2):
        clock.now += 11
        told.advance(bytes=1)
    told.close()


def test_silent_is_silent(capsys):
    """False shows nothing, wherever stderr goes."""
    with progress(10, "read", enabled=False) as told:
        told.advance(bytes=10)
    assert ("", "") == capsys.readouterr()


FORK = """
import os
from shimhub.data.jobs._progress import progress

told = progress(10, "read", enabled=True)
if (child := os.fork()) == 0:
    told.advance(bytes=1)
    told.close("child")
    os._exit(0)
assert (child, 0) == os.waitpid(child, 0)
told.close()
"""


def test_a_forked_child_tells_nothing():
    """A worker that inherits the object does not write into its parent's progress."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    assert ["read: done: 0 B in 0:00:00, 0 B/s"] == done.stderr.splitlines()


def test_a_terminal_gets_one_line_of_80_columns():
    """With rich there is a bar in one line of at most 80 columns, and the cursor comes back."""
    pytest.importorskip("rich")
    shown = on_terminal(BAR.format(enabled=None, then=""), NO_COLOR="1")
    pictures = [part.rstrip() for part in shown.replace("\x1b[2K", "").split("\r") if "B/s" in part]
    assert pictures
    assert all(len(one.replace("\x1b[?25l", "")) <= 80 for one in pictures)
    assert "a label that …" in pictures[-1]
    assert "1.0 kB/1.0 kB" in pictures[-1]
    assert shown.rstrip().endswith("\x1b[?25h")


def test_no_color_leaves_the_bar_without_colours():
    """NO_COLOR takes every colour, and only those."""
    pytest.importorskip("rich")
    assert "\x1b[3" in on_terminal(BAR.format(enabled=None, then=""), FORCE_COLOR="1").replace(
        "\x1b[38;5", "\x1b[3"
    )
    bare = on_terminal(BAR.format(enabled=None, then=""), NO_COLOR="1")
    assert "━" in bare
    assert "m" not in bare.split("━")[1]


def test_an_interrupted_bar_gives_the_terminal_back():
    """After KeyboardInterrupt the cursor is shown again, before the traceback."""
    pytest.importorskip("rich")
    shown = on_terminal(BAR.format(enabled=None, then="raise KeyboardInterrupt"))
    assert -1 < shown.rfind("\x1b[?25h") < shown.rfind("KeyboardInterrupt")


@pytest.mark.parametrize("why", ["dumb", "without rich"])
def test_no_bar_where_there_can_be_none(why):
    """On a dumb terminal, or without rich, nothing is shown by default, and lines if asked."""
    start = "import sys\nsys.modules['rich'] = None" if why == "without rich" else ""
    env = {"TERM": "dumb"} if why == "dumb" else {}
    shown = on_terminal(start + textwrap.dedent(BAR.format(enabled=None, then="")), **env)
    assert "" == shown
    shown = on_terminal(start + textwrap.dedent(BAR.format(enabled=True, then="")), **env)
    assert "too long for it: done: 1.0 kB, 7 rows in 0:00:00" in shown


@pytest.mark.parametrize(
    ("shown", "number"),
    [
        *(("0 B", 0), ("999 B", 999), ("1.0 kB", 999.6), ("99.9 kB", 99_900), ("100 kB", 99_960)),
        *(("1.0 MB", 999_600), ("12.3 GB", 12.34e9), ("5000 TB", 5e15)),
    ],
)
def test_bytes_have_three_digits(shown, number):
    """Bytes are in decimal units, as disks are sold."""
    assert shown == _bytes(number)


def test_counts_and_times_are_short():
    """Rows take k and M; times are hours, minutes and seconds."""
    assert ["7", "1.5k", "250k", "2.0M"] == [_count(one) for one in (7, 1500, 250_000, 2e6)]
    assert ["0:00:01", "0:01:01", "27:46:40"] == [_time(one) for one in (0.6, 61, 100_000)]
