"""What processes leave behind, and what ``shimhub report`` makes of it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shimhub import paths, records, report
from shimhub.activation import runs
from shimhub.errors import ReportError

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
    """A lab with one row, whose runs are recorded in ``runs``."""
    lab.module("target", "")
    lab.rows(ROW)
    return lab


def recorded(lab, *arguments: str, check: bool = True, **env: str) -> report.Report:
    """Run a program and read what it left behind."""
    folder = lab.root / "record"
    lab.cli(
        "run", "--registry", "registry.toml", *arguments, check=check,
        **{"SHIMHUB_RUN_DIR": str(folder)} | env,
    )  # fmt: skip
    return report.read(str(folder))


values = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_the_small_writer_writes_json(value):
    """Whatever it writes, the json module reads back, in ASCII and on one line."""
    text = records.json_of(value)
    assert value == json.loads(text)
    assert text.isascii()
    assert "\n" not in text


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["python", "train.py", "--token", "secret"], "train.py"),
        (["python", "-X", "dev", "-W", "error", "-u", "train.py"], "train.py"),
        (["python", "-m", "pkg.mod", "-x"], "-m pkg.mod"),
        (["python", "-Im", "pkg.mod"], "-m pkg.mod"),
        (["python", "-c", "print('secret')"], "-c"),
        (["python", "-cprint('secret')"], "-c"),
        (["python", "-"], "-"),
        (["python", "-m"], "-m"),
        (["python"], "interactive"),
        (["python", "-uX", "dev", "train.py"], "train.py"),
        (["python", "-Wignore::x", "-Xdev", "train.py"], "train.py"),
        (["python", "--check-hash-based-pycs", "never", "train.py"], "train.py"),
        (["python", "-uBmpkg"], "-m pkg"),
    ],
)
def test_a_record_names_the_program_and_no_argument(command, what):
    """Arguments and code may hold secrets; the script or module is what people look for."""
    assert what == records.what_of(command)


@pytest.mark.parametrize(
    ("command", "environ", "role"),
    [
        (["python", "train.py"], {}, "process"),
        (["python", "train.py"], {"RANK": "0", "WORLD_SIZE": "2"}, "rank"),
        (["python", "-c", "from multiprocessing.spawn import spawn_main"], {}, "worker"),
        (["app", "--multiprocessing-fork"], {"RANK": "0", "WORLD_SIZE": "2"}, "worker"),
        (
            ["python", "-c", "from multiprocessing.resource_tracker import main"],
            {"RANK": "0", "WORLD_SIZE": "2"},
            "process",
        ),
    ],
)
def test_the_role_of_a_process(command, environ, role):
    """Ranks are told by the variables of launchers, workers by their command line."""
    assert role == records.role_of(command, environ)


def test_each_process_of_a_run_leaves_a_record(shimmed):
    """The program, a spawned and a forked child: each with its role, and its shims."""
    (shimmed.root / "prog.py").write_text(
        "import multiprocessing as mp\n"
        "def work():\n"
        "    import target\n"
        "    assert 2.0 == target.f(4.0)\n"
        "if __name__ == '__main__':\n"
        "    for method in ('fork', 'spawn'):\n"
        "        child = mp.get_context(method).Process(target=work)\n"
        "        child.start(); child.join()\n"
        "        assert 0 == child.exitcode\n"
        "    work()\n"
    )
    found = recorded(shimmed, "prog.py")
    assert (2, 2) == found.counts["worker"]
    assert {"target/f": {"APPLIED": 3}} == found.shims
    assert [] == found.findings
    assert ["prog.py"] == [one.what for one in found.processes if "prog" in one.what][:1]


def test_a_forked_child_tells_what_was_applied_before(shimmed):
    """A shim that the parent applied is applied in the child, and the report says so."""
    code = "import os, target\nif os.fork() == 0:\n    os._exit(0)\nassert 0 == os.wait()[1]\n"
    found = recorded(shimmed, "-c", code)
    assert {"target/f": {"APPLIED": 2}} == found.shims
    assert ["process", "worker"] == sorted(one.role for one in found.processes)


def test_a_failed_shim_is_a_finding(shimmed):
    """The report names shim, process and reason."""
    shimmed.rows(ROW.replace("math:sqrt", "math:nothing"))
    found = recorded(shimmed, "-c", "import target")
    assert 1 == len(found.findings)
    assert "target/f is FAILED in process" in found.findings[0]
    assert "math:nothing" in found.findings[0]


def test_another_registry_in_one_process_is_a_finding(shimmed):
    """A child that was given other registries differs, on stderr and in the report."""
    code = (
        "import os, subprocess, sys\n"
        "env = {**os.environ, 'SHIMHUB_REGISTRY': ''}\n"
        "subprocess.run([sys.executable, '-c', 'pass'], env=env, check=True)\n"
    )
    found = recorded(shimmed, "-c", code)
    assert 2 == len({one.digest for one in found.processes})
    assert ["registries differ between processes"] == [
        one.partition(":")[0] for one in found.findings
    ]


def start_line(**told):
    """Return the first line of a record."""
    base = {"role": "process", "pid": 1, "ppid": 0, "what": "x", "version": "1", "digest": "d"}
    return json.dumps({"kind": "start", "time": 0, **base, **told}) + "\n"


def write(folder: Path, name: str, *lines: str) -> None:
    """Write one file of a run."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(lines))


def test_a_rank_without_a_record_is_a_finding(tmp_path):
    """WORLD_SIZE says how many there must be; a rank's own child is no rank."""
    rank = {"role": "rank", "world_size": "4", "launch": "host:1"}
    write(tmp_path, "10-1.jsonl", start_line(pid=10, rank="0", **rank))
    write(tmp_path, "11-1.jsonl", start_line(pid=11, rank="2", **rank))
    write(tmp_path, "12-1.jsonl", start_line(pid=12, ppid=11, rank="2", **rank))
    found = report.read(str(tmp_path))
    assert {"rank": (2, 4), "worker": (0, 0), "process": (1, 1)} == found.counts
    assert ["rank 1 of 4", "rank 3 of 4"] == [one.partition(" left")[0] for one in found.findings]
    assert "active in 2/4 ranks, 1/1 other processes" in report.text_of(found)


def test_calls_are_told_by_shim_and_reason(tmp_path):
    """Fallbacks are counted; a mismatch, an error and a breaker are findings."""
    events = [
        {"kind": "fallback", "shim": "a", "reason": "dtype"},
        {"kind": "mismatch", "shim": "a", "reason": "1 is not 2"},
        {"kind": "breaker", "shim": "a", "reason": "3 errors"},
    ]
    lines = [json.dumps(one) + "\n" for one in events]
    totals = json.dumps({"kind": "totals", "shim": "a", "fallbacks": {"dtype": 3}}) + "\n"
    write(tmp_path, "1-1.jsonl", start_line(), *lines)
    write(tmp_path, "2-1.jsonl", start_line(pid=2), lines[0], totals)
    found = report.read(str(tmp_path))
    assert {"a": {"dtype": 4}} == found.fallbacks
    assert ["differs from the original", "is switched off"] == [
        one.removeprefix("a ").partition(" in ")[0].partition(" after")[0] for one in found.findings
    ]
    assert "4 x dtype" in report.text_of(found)


def test_half_a_line_is_told_and_the_rest_counts(tmp_path):
    """A process that was killed while it wrote loses that line alone."""
    write(tmp_path, "1-1.jsonl", start_line(), '{"kind": "sh')
    write(tmp_path, "2-1.jsonl", "[]\n")
    write(tmp_path, "3-1.jsonl")
    found = report.read(str(tmp_path))
    assert 1 == len(found.processes)
    assert "is no record line" in found.findings[0]


def test_a_fork_that_became_another_program_counts_once(tmp_path):
    """After fork and exec the program's own record counts; a later fork does not hide it."""
    write(tmp_path, "5-1.jsonl", start_line(pid=5, role="worker"))
    write(tmp_path, "5-2.jsonl", start_line(pid=5, role="process", what="b.py"))
    write(tmp_path, "5-3.jsonl", start_line(pid=5, role="worker"))
    assert ["b.py"] == [one.what for one in report.read(str(tmp_path)).processes]


def test_report_prints_the_last_run_and_exits_by_findings(shimmed):
    """0 without findings, 1 with, 2 where there is no run; JSON has it all."""
    state = {"XDG_STATE_HOME": str(shimmed.root / "state")}
    none = shimmed.cli("report", check=False, **state)
    assert (2, "") == (none.returncode, none.stdout)
    assert "start one with `shimhub run`" in none.stderr
    shimmed.cli("run", "--registry", "registry.toml", "-c", "import target", **state)
    good = shimmed.cli("report", **state)
    assert "active in 1/1 other processes\n  target/f: APPLIED in 1\n" == good.stdout
    told = json.loads(shimmed.cli("report", "--format", "json", **state).stdout)
    assert (1, "report") == (told["schema"], told["kind"])
    assert {"target/f": {"APPLIED": 1}} == told["shims"]
    shimmed.rows(ROW.replace("math:sqrt", "math:nothing"))
    shimmed.cli("run", "--registry", "registry.toml", "-c", "import target", **state)
    assert 1 == shimmed.cli("report", check=False, **state).returncode


def test_a_run_folder_that_cannot_be_made_is_told_and_the_program_runs(shimmed):
    """No records are no reason not to train."""
    (shimmed.root / "file").write_text("")
    done = shimmed.cli("run", "-c", "print(1)", XDG_STATE_HOME=str(shimmed.root / "file"))
    assert "1\n" == done.stdout
    assert "no records" in done.stderr


def test_a_run_folder_that_went_away_is_told_once(shimmed):
    """A program that removes it, or a child that may not write there, goes on."""
    folder = shimmed.root / "record"
    code = (
        "import os, shutil; shutil.rmtree(os.environ['SHIMHUB_RUN_DIR'])\nimport target; print(1)"
    )
    done = shimmed.cli(
        "run", "--registry", "registry.toml", "-c", code, SHIMHUB_RUN_DIR=str(folder)
    )
    assert "1\n" == done.stdout
    assert 1 == done.stderr.count("no record in")


def test_old_runs_go_and_foreign_files_stay(tmp_path, monkeypatch):
    """The newest are kept; a folder with a file that is not ours is not removed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    home = Path(paths.runs_dir())
    home.mkdir(parents=True)
    (home / "0000-a-file").write_text("mine")
    (home / "9999-a-file").write_text("mine")
    for number in range(runs.KEPT + 3):
        write_to = home / f"2020{number:04}-000000-1"
        write_to.mkdir(parents=True)
        (write_to / "1-1.jsonl").write_text("")
    (home / "20200000-000000-1" / "notes.txt").write_text("mine")
    made = runs.folder_for({})
    names = sorted(one.name for one in home.iterdir() if one.is_dir())
    assert runs.KEPT + 1 == len(names)
    assert "20200000-000000-1" == names[0]
    assert ["notes.txt"] == os.listdir(home / names[0])
    assert made == str(home / names[-1])
    assert 0o700 == os.stat(made).st_mode & 0o777
    assert made == report.latest()
    assert "mine" == (home / "0000-a-file").read_text()


def test_install_alone_leaves_a_record_where_asked(shimmed):
    """A process without start-up file that calls install() with SHIMHUB_RUN_DIR set records too."""
    folder = shimmed.root / "record"
    folder.mkdir()
    shimmed.run(
        "import shimhub; shimhub.install(registry=REGISTRY); import target; shimhub.uninstall()",
        SHIMHUB_RUN_DIR=str(folder),
    )
    assert {"target/f": {"APPLIED": 1}} == report.read(str(folder)).shims


def test_calls_at_call_time_reach_the_report(shimmed):
    """Fallbacks of the program and of a worker of multiprocessing are counted to the last."""
    shimmed.module("target", "def f(x):\n    return x\n")
    shimmed.rows(ROW.replace("alias", "replace").replace('to = "math:sqrt"', ""))
    shimmed.shim(
        "target/f",
        """
        import shimhub
        def build(original, ctx):
            def f(x):
                raise shimhub.Decline("odd")
            return f
    """,
    )
    (shimmed.root / "prog.py").write_text(
        "import multiprocessing as mp\n"
        "def work():\n"
        "    import target\n"
        "    for x in range(5): assert x == target.f(x)\n"
        "if __name__ == '__main__':\n"
        "    for method in ('fork', 'spawn'):\n"
        "        child = mp.get_context(method).Process(target=work)\n"
        "        child.start(); child.join()\n"
        "        assert 0 == child.exitcode\n"
        "    work()\n"
    )
    found = recorded(shimmed, "prog.py")
    assert {"target/f": {"odd": 15}} == found.fallbacks
    assert [] == found.findings


@pytest.mark.parametrize(
    ("code", "is_told"),
    [
        ("sys.meta_path[:] = [one for one in sys.meta_path if 'shimhub' not in str(one)]", True),
        ("import target; del sys.meta_path[0]", True),
        ("import shimhub; shimhub.uninstall()", False),
        ("import target, shimhub; shimhub.uninstall(); shimhub.install()", False),
        ("pass", False),
    ],
)
def test_a_finder_that_is_gone_at_the_end_is_a_finding(shimmed, code, is_told):
    """What somebody else took off sys.meta_path is told; what uninstall() did is not."""
    found = recorded(shimmed, "-c", f"import sys; {code}").findings
    assert is_told == any("ended without our finder" in one for one in found), found


def test_no_record_without_the_variable(shimmed):
    """An active process that nobody records writes nothing."""
    root = str(Path(paths.PACKAGE_DIR).parent)
    shimmed.start(
        [sys.executable, "-c", "import target"],
        PYTHONPATH=os.pathsep.join([paths.SITE_DIR, str(shimmed.site), root]),
        SHIMHUB_REGISTRY=str(shimmed.registry),
    )
    assert not (shimmed.root / "state").exists()
    with pytest.raises(ReportError, match="nowhere"):
        report.read("/nowhere")
