"""The reading, comparing and reporting of CPython's tests, and the driver on a small run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance import cpython, cpython_lab, cpython_run
from tests.conformance.cpython_children import (
    Unreached,
    flags_of,
    process,
    reason_of,
    text_of,
    unreached,
)
from tests.conformance.cpython_report import (
    Row,
    Version,
    findings,
    markdown,
    of_data,
    to_data,
)
from tests.conformance.cpython_results import (
    Difference,
    Run,
    RunError,
    compare,
    lasting,
    listed_in,
    parse,
    plain,
    unlisted,
)
from tests.conformance.cpython_run import Compared

BEGIN = {"begin": {"finder": True, "hub": False}, "version": "3.12.1"}
END = {"end": {"finder": True, "started": 2, "hooked": 2}, "status": 0, "canary": True}
EXTRA = Difference("t.loads (name='shimhub')", (), ("pass",))
BROKEN = Difference("t.breaks", ("pass",), ("fail: AssertionError",))


def lines(*results: tuple[str, str, str], status: int = 0) -> list[str]:
    """What the driver writes: begin, results, end."""
    told = [{"id": test, "outcome": it, "detail": detail} for test, it, detail in results]
    return [json.dumps(one) for one in (BEGIN, *told, {**END, "status": status})]


def run_of(*results: tuple[str, str, str], status: int = 0) -> Run:
    """What the harness makes of these results."""
    return parse("test_t", lines(*results, status=status))


# ---- reading


def test_every_result_of_an_id_is_kept():
    """A test that fails and then breaks in its tearDown has both outcomes under its one id."""
    found = run_of(("t.a", "fail", "AssertionError"), ("t.a", "error", "OSError"))
    assert ("error: OSError", "fail: AssertionError") == found.outcomes["t.a"]
    assert 2 == found.tests
    assert [1, 1, 0] == [found.count("fail"), found.count("error"), found.count("pass")]


def test_subtests_are_results_of_their_own():
    """A subtest has its own id, and counts."""
    found = run_of(("t.a [x] (k=1)", "pass", ""), ("t.a", "pass", ""))
    assert {"t.a", "t.a [x] (k=1)", "test_t (exit status)"} == set(found.outcomes)


def test_a_run_without_its_end_is_an_error():
    """A crash in the middle is never taken for a short list of tests."""
    with pytest.raises(RunError, match="ended before"):
        parse("test_t", lines(("t.a", "pass", ""))[:-1])


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("<f at 0x7f12ab34cd>", "<f at 0x…>"),
        ("@test_4242_tmp.py", "@test_tmp.py"),
        ("/tmp/tmpab12_x9/a.py", "/tmp…/a.py"),
        ("t.test_python_compat", "t.test_python_compat"),
        ("mask 0x1f", "mask 0x1f"),
        ("/venv/lib/x.pth", "<environment>/lib/x.pth"),
    ],
)
def test_only_what_changes_with_every_process_is_taken_out(told: str, expected: str):
    """Addresses, scratch names and folders go; names of tests and small numbers stay."""
    assert expected == plain(told, {"/venv": "<environment>"})


# ---- comparing


def test_equal_runs_do_not_differ_whatever_the_order():
    """Results are compared by id."""
    one = run_of(("t.a", "pass", ""), ("t.b", "skip", "no"))
    other = run_of(("t.b", "skip", "no"), ("t.a", "pass", ""))
    assert [] == compare(one, other)


@pytest.mark.parametrize(
    "other",
    [
        [("t.a", "fail", "AssertionError"), ("t.b", "skip", "no")],
        [("t.a", "pass", ""), ("t.b", "skip", "another reason")],
        [("t.a", "pass", "")],
        [("t.a", "pass", ""), ("t.b", "skip", "no"), ("t.c", "pass", "")],
        [("t.a", "pass", ""), ("t.a", "pass", ""), ("t.b", "skip", "no")],
    ],
    ids=["outcome", "reason", "one less", "one more", "twice"],
)
def test_each_kind_of_difference_is_found(other: list[tuple[str, str, str]]):
    """Another outcome, another reason of a skip, a test less, a test more, or one run twice."""
    one = run_of(("t.a", "pass", ""), ("t.b", "skip", "no"))
    assert 1 == len(compare(one, run_of(*other)))


def test_the_exit_status_is_compared():
    """Status 3 of regrtest, a test that changed its environment, differs from 0."""
    (found,) = compare(run_of(status=0), run_of(status=3))
    assert "test_t (exit status): 0 without the hub, 3 with it" == str(found)


def test_only_what_differs_in_every_attempt_lasts():
    """What agrees in one attempt is unsteady, and is still told."""
    flaky = Difference("t.flaky", ("pass",), ("fail",))
    assert ([BROKEN], [flaky]) == lasting([[BROKEN, flaky], [BROKEN], [BROKEN, flaky]])
    assert ([], []) == lasting([[]])


# ---- what is listed


def test_extra_covers_a_test_more_that_passes_and_nothing_else():
    """An ``extra`` line is no excuse for a failure, nor for a test that is gone."""
    (rule,) = listed_in("* hub extra t.* -- why")
    gone = Difference(EXTRA.test, ("pass",), ())
    fails = Difference(EXTRA.test, (), ("fail",))
    assert [BROKEN, gone, fails] == unlisted("3.12", "hub", [EXTRA, BROKEN, gone, fails], [rule])


def test_brackets_of_a_subtest_are_no_glob():
    """``[`` in an id stands for itself."""
    (rule,) = listed_in("3.12|3.13 hub any t.a [x]* -- why")
    one = Difference("t.a [x] (k=1)", ("pass",), ())
    assert [] == unlisted("3.13", "hub", [one], [rule])
    assert [one] == unlisted("3.11", "hub", [one], [rule])
    assert [one] == unlisted("3.12", "light", [one], [rule])


@pytest.mark.parametrize("line", ["* hub any t.a", "* hub any t.a -- ", "* hub some t.a -- why"])
def test_a_listed_difference_has_a_kind_and_a_reason(line: str):
    """A line without one is an error that names the line."""
    with pytest.raises(ValueError, match="line 2 should be"):
        listed_in("# comment\n" + line)


def test_the_committed_list_can_be_read():
    """Each line of cpython_exceptions.txt has its parts, and no mode that does not exist."""
    listed = listed_in(cpython.EXCEPTIONS.read_text(encoding="utf-8"))
    modes = {mode for one in listed for mode in one.modes.split("|")}
    assert modes <= {*cpython_run.MODES}


# ---- the page


def version_of(*differences: Difference, mode: str = "hub") -> Version:
    """A version with one test module that has these differences in one mode."""
    row = Row("test_t")
    without, active = run_of(("t.a", "pass", ""), ("t.b", "skip", "no")), run_of()
    row.take(mode, Compared(without, active, list(differences), [EXTRA], 1))
    return Version("3.12", "3.12.1", "abc1234", "0123456789ab", "2026-11-21", [row])


def test_kept_results_come_back_as_they_were():
    """Through JSON and back, with differences as such."""
    version = version_of(BROKEN)
    assert version == of_data(json.loads(json.dumps(to_data(version))))


def test_findings_are_unlisted_differences_and_stale_reasons():
    """Each names version, test module, mode and test."""
    listed = listed_in("3.12 hub any t.other -- why")
    told = findings(version_of(BROKEN), listed)
    assert ["Python 3.12, test_t, hub: " + str(BROKEN)] == told[:1]
    assert ["Python 3.12: listed, and not so any more: t.other"] == told[1:]
    assert [] == findings(version_of(BROKEN), listed_in("3.12 hub any t.breaks -- why"))


def test_a_reason_for_what_was_not_run_is_not_stale():
    """A line for another version, or another mode, is not asked for."""
    listed = listed_in("3.13 hub any t.other -- why\n3.12 light any t.other -- why")
    assert [] == findings(version_of(), listed)


def test_page_has_figures_differences_and_reasons():
    """A row a test module; listed differences are counted beside the others."""
    listed = listed_in("3.12 hub extra t.loads* -- it is loaded")
    page = markdown([version_of(BROKEN, EXTRA)], listed, "3.12 t.x -- -S\n", ["3.10"])
    assert "| test_t | 2 | 1 | 1 | 0 |  | 0 | 1 (+ 1 listed) |" in page
    head = "| test module | results | passed | skipped | failed | under the finder | rows applied |"
    assert f"{head} hub |" in page
    assert "## Python 3.10\n\nNot on this machine: not run." in page
    assert "it is loaded" in page
    assert "- Python 3.12: t.x -- -S" in page


def test_page_says_which_test_module_an_interpreter_lacks():
    """A missing test package is told, not counted as equal."""
    version = version_of()
    version.rows.append(Row("test_gone", is_missing=True))
    assert "| test_gone | not in this interpreter |" in markdown([version], [], "", [])


# ---- activity


@pytest.mark.parametrize(
    ("mode", "begin", "end"),
    [
        ("light", (False, False), (True, True)),
        ("light", (True, True), (True, True)),
        ("light", (True, False), (False, True)),
        ("light", (True, False), (True, False)),
        ("hub", (True, False), (True, True)),
        ("off", (True, False), (False, False)),
        ("bare", (False, False), (False, True)),
    ],
)
def test_a_run_that_was_not_as_active_as_told_is_an_error(mode, begin, end):
    """Finder and hub at first, finder and canary at last: all as the mode wants it."""
    first = dict(zip(("finder", "hub"), begin, strict=True))
    last = dict(zip(("finder", "canary"), end, strict=True))
    with pytest.raises(RunError, match="should be"):
        cpython_run.proved(mode, Run("w", {}, first, last))


def test_records_are_proved_as_well():
    """A run that should leave records and has none is an error, and the other way round."""
    first, last = {"finder": True, "hub": True}, {"finder": True, "canary": True, "applied": 1}
    done = Run("w", {}, first, last)
    assert done == cpython_run.proved("targets", done, records=1)
    for mode, records in (("targets", 0), ("hub", 1)):
        with pytest.raises(RunError, match=f"{records} records"):
            cpython_run.proved(mode, done, records)


def test_a_hub_that_applied_nothing_is_an_error():
    """The row that makes the hub adopt must have been applied."""
    first, last = {"finder": True, "hub": True}, {"finder": True, "canary": True, "applied": 0}
    with pytest.raises(RunError, match="no row was applied in the mode hub"):
        cpython_run.proved("hub", Run("w", {}, first, last))


def test_the_test_process_gets_no_setting_of_ours_or_of_python():
    """What the shell has of PYTHON*, SHIMHUB* and VIRTUAL_ENV stays outside."""
    made = cpython_run.clean({"PYTHONPATH": "x", "SHIMHUB": "0", "VIRTUAL_ENV": "y", "HOME": "z"})
    assert {"HOME", "LC_ALL", "PYTHONHASHSEED", "XDG_CACHE_HOME"} == made.keys()


def test_an_interpreter_is_found_by_what_it_says(tmp_path: Path, monkeypatch):
    """A python3.99 on PATH that is another version is not taken; one of pyenv's is."""
    bin_ = tmp_path / "versions" / "3.99.1" / "bin"
    bin_.mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    for file, told in ((tmp_path / "python3.99", "3.7"), (bin_ / "python", "3.99")):
        file.write_text(f"#!/bin/sh\necho {told}\n")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert bin_ / "python" == cpython_lab.find_python("3.99")
    assert cpython_lab.find_python("3.98") is None


# ---- the driver and the witness, for real


def test_driver_writes_each_kind_of_result(tmp_path: Path):
    """In a process of its own, on a test module that has them all."""
    code = """
    import unittest
    class T(unittest.TestCase):
        def test_error(self): raise OSError
        def test_fail(self): self.fail()
        def test_pass(self): pass
        def test_skip(self): self.skipTest("a reason")
        @unittest.expectedFailure
        def test_expected(self): self.fail()
        @unittest.expectedFailure
        def test_unexpected(self): pass
        def test_subtests(self):
            for k in (1, 2):
                with self.subTest(k=k): self.assertEqual(1, k)
    class Broken(unittest.TestCase):
        @classmethod
        def setUpClass(cls): raise ValueError
        def test_never(self): pass
    """
    (tmp_path / "sample.py").write_text("\n".join(one[4:] for one in code.splitlines()))
    out = tmp_path / "out"
    use = f"""
import sys, unittest
sys.path[:0] = [{str(tmp_path)!r}, {str(cpython_run.HERE)!r}]
import cpython_driver as driver
class Result(unittest.TextTestResult): pass
recorder = driver.Recorder({str(out)!r})
recorder.write(begin=driver.activity())
driver.listen(Result, recorder)
unittest.main("sample", argv=["x"], exit=False,
              testRunner=unittest.TextTestRunner(sys.stderr, resultclass=Result))
recorder.write(end={{"started": recorder.started}}, status=0)
"""
    subprocess.run([sys.executable, "-c", use], check=True, capture_output=True)
    found = parse("t", out.read_text(encoding="utf-8").splitlines())
    assert found.outcomes.pop("t (exit status)") == ("0",)
    assert {
        "sample.T.test_error": ("error: OSError",),
        "sample.T.test_fail": ("fail: AssertionError",),
        "sample.T.test_pass": ("pass",),
        "sample.T.test_skip": ("skip: a reason",),
        "sample.T.test_expected": ("expected failure: AssertionError",),
        "sample.T.test_unexpected": ("unexpected success",),
        "sample.T.test_subtests (k=1)": ("pass",),
        "sample.T.test_subtests (k=2)": ("fail: AssertionError",),
        "setUpClass (sample.Broken)": ("error: ValueError",),
    } == found.outcomes
    assert {"finder": False, "hub": False} == found.begin
    assert 7 == found.end["started"]


def test_witness_tells_what_a_process_starts_and_what_came(tmp_path: Path):
    """A child that runs the witness is reached; one that does not, under -S, is not."""
    witness = str(cpython_run.HERE / "cpython_witness.py")
    watch = f"a = {{}}; exec(open({witness!r}).read(), a); a['watch']({str(tmp_path)!r})"
    reached, other = [sys.executable, "-c", watch], [sys.executable, "-S", "-c", "pass"]
    code = (
        f"{watch}; {watch}\nimport subprocess, sys; sys.audit('conformance.test', 't.a')\n"
        f"subprocess.run({reached!r}); subprocess.run({other!r}); subprocess.run(['true'])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    told = [process(int(one.stem), one.read_text()) for one in tmp_path.glob("*.txt")]
    assert 2 == len(told)
    for one in told:
        one.hooked = True
    (found,) = unreached(told, Path(sys.executable))
    assert "t.a" == found.test
    assert found.reason.startswith("-S: ")


def test_a_process_without_the_finder_is_told_with_the_test_that_started_it():
    """It came to the start-up files, and was not active."""
    parent = process(1, "('process', 0, ['python', 'driver'], True)\n('test', 't.a')\n")
    parent.started.append(("t.a", ("python", "-c", "x")))
    child = process(2, "('process', 1, ['python', '-c', 'x'], False)\n")
    expected = [Unreached("t.a", "starts without the hub")]
    assert expected == list(unreached([parent, child], Path("python")))


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("p", "-X", "utf8", "-I", "-c", "-S"), "XIc"),
        (("p", "-Xutf8", "-IS", "a.py", "-h"), "XIS"),
        (("p", "--version"), ""),
        (("p", "-mS"), "m"),
        (("p", "-"), ""),
    ],
)
def test_flags_are_those_of_the_interpreter(argv: tuple[str, ...], expected: str):
    """Values of options and what belongs to the program are no flags."""
    assert set(expected) == flags_of(argv)


def test_reasons_tell_flags_and_copies_apart():
    """-S, a copy elsewhere, options that only print, and what is left."""
    told = [
        reason_of(argv, Path("/e/bin/python"))
        for argv in (
            ("/e/bin/python", "-S"),
            ("/tmp/x/python", "-c", ""),
            ("/e/bin/python", "-h"),
            ("/e/bin/python", "-c", ""),
        )
    ]
    heads = ["-S: ", "starts a copy", "prints something", "ends before `site` is done (-c)"]
    assert [True] * 4 == [one.startswith(head) for one, head in zip(told, heads, strict=True)]


def test_data_file_joins_versions_of_the_same_test_and_reason():
    """A line has the versions, the test and the reason."""
    one = Unreached("t.a", "-S")
    text = text_of({"3.10": [one], "3.11": [one, Unreached("t.b", "-S")]})
    assert ["3.10|3.11 t.a -- -S", "3.11 t.b -- -S"] == text.splitlines()[2:]
