"""``shimhub accel``: what users see, in 80 columns and as JSON, and how it ends."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from shimhub.accel import calibration, crossovers, table
from shimhub.accel._fitting import Point
from shimhub.accel.table import Entry
from shimhub.cli import main, schema

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and no calibration in use before or after."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    crossovers.forget()
    yield tmp_path
    crossovers.forget()


@pytest.fixture
def run(capsys):
    """Run a command in this process; gives its exit code, and what it printed on both streams."""

    def run(*words):
        code = main(["accel", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def quick(monkeypatch):
    """Times that are made up, at once: torch is the better one from some size on."""
    pytest.importorskip("torch")
    monkeypatch.setattr(calibration, "SIZES", (2, 8, 32))
    monkeypatch.setattr(calibration, "pair_us", lambda *_: (next(times), 10.0))
    times = iter([1.0, 5.0, 50.0] * 100)


def answer_of(told):
    """Return the JSON, which is valid by the schema."""
    answer = json.loads(told)
    jsonschema.validate(answer, json.loads(schema.FILE.read_text()))
    return answer


def test_what_is_shipped_is_shown(run):
    """A line of at most 80 columns for each entry, and that nothing was measured here."""
    code, told, _ = run("show")
    assert 0 == code
    assert [] == [line for line in told.splitlines() if len(line) > 80]
    assert "matmul        ndarray float32 " in told
    assert "not calibrated here; `shimhub accel calibrate` measures this machine" in told


def test_what_is_shipped_is_shown_as_json(run):
    """With every time that it was made from."""
    code, told, _ = run("show", "--format", "json")
    answer = answer_of(told)
    assert (0, "accel-show", None) == (code, answer["kind"], answer["file"])
    assert len(table.shipped().entries) == len(answer["entries"])


@pytest.mark.usefixtures("quick")
def test_calibrating_showing_forgetting(run):
    """What was measured is kept, shown as such, and gone in the end."""
    code, told, _ = run("calibrate", "--op", "relu", "--budget", "1")
    assert (0, 5) == (code, told.count("calibrated"))
    assert "kept in" in told
    assert [] == [line for line in told.splitlines() if len(line) > 80 and "/" not in line]
    assert "calibrated" in run("show")[1]
    code, told, _ = run("forget")
    assert (0, "1 calibration removed; the shipped figures serve") == (code, told.splitlines()[-1])
    assert "calibrated" not in run("show")[1].replace("not calibrated", "")


@pytest.mark.usefixtures("quick")
def test_json_is_valid_by_the_schema(run):
    """Of all three."""
    made = answer_of(run("calibrate", "--op", "relu", "--budget", "1", "--format", "json")[1])
    assert "" == made["not_kept"]
    assert 5 == len(made["entries"])
    shown = answer_of(run("show", "--format", "json")[1])
    assert (made["file"], "") == (shown["file"], shown["why_not"])
    assert {"calibrated", "shipped"} == {one["source"] for one in shown["entries"]}
    assert [made["file"]] == answer_of(run("forget", "--format", "json")[1])["files"]


@pytest.mark.usefixtures("quick")
def test_what_is_not_kept_is_told(run, cache):
    """And was measured all the same."""
    (cache / "shimhub").write_text("")
    code, told, _ = run("calibrate", "--op", "relu", "--budget", "1")
    assert 0 == code
    assert "not kept:" in told
    answer = answer_of(run("calibrate", "--op", "relu", "--budget", "1", "--format", "json")[1])
    assert answer["file"] is None
    assert "Not a directory" in answer["not_kept"]


def test_a_calibration_of_other_versions_is_told(run):
    """With what differs."""
    theirs = {**table.validators(), "numpy": "1.0"}
    table.store(table.Table(theirs))
    assert "numpy: 1.0, here" in run("show")[1].replace("\n", " ")
    (other,) = answer_of(run("show", "--format", "json")[1])["others"]
    assert table.path_of(theirs) == other["file"]
    assert other["differs"][0].startswith("numpy: 1.0, here ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["calibrate", "--op", "rleu"], "ops: 'rleu' is no operation and no group of them"),
        (["calibrate", "--budget", "0"], "budget_s is 0.0"),
        (["calibrate", "--plot", "p.gif"], "p.gif: a picture's name ends in .png, .svg, .pdf"),
    ],
)
def test_wrong_use_is_told(run, words, told):
    """Exit code 2, and a line on stderr."""
    code, _, error = run(*words)
    assert 2 == code
    assert f"shimhub: {told}" in error


@pytest.mark.usefixtures("quick")
def test_a_stopped_calibration_leaves_the_last_one(run, monkeypatch):
    """Exit code 130, and a line on stderr; no traceback."""
    run("calibrate", "--op", "relu", "--budget", "1")
    before = run("show")[1]

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(calibration, "pair_us", stop)
    code, _, error = run("calibrate", "--op", "relu")
    assert (130, "shimhub: stopped; what was kept before is in use\n") == (code, error)
    assert before == run("show")[1]


def test_what_cannot_be_removed_is_told(run):
    """Exit code 2, the file and the system's reason."""
    os.makedirs(table.path_of({"cpu": "one"}))
    code, _, error = run("forget")
    assert 2 == code
    assert error.endswith(".json: Is a directory\n")


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.0, math.inf, "always"),
        (math.inf, math.inf, "never"),
        (0.0, 31_277.0, "< 31,277 (177^2)"),
        (4096.0, math.inf, ">= 4,096 (64^2)"),
        (4096.0, 31_277.0, "4,096..31,276"),
        (1_048_576.0, 16_777_217.0, "1,048,576..16,777,216"),
    ],
)
def test_a_range_of_tensors_is_shown(run, low, high, told):
    """In the words of its two ends, in 80 columns; and as JSON."""
    one = Entry("relu", "tensor", "float32", low, (Point(4, 1.0, 10.0),), high)
    table.store(table.Table(table.validators(), {one.key: one}))
    crossovers.forget()
    (line,) = [one for one in run("show")[1].splitlines() if one.endswith(" calibrated")]
    assert 80 >= len(line)
    assert f"relu          tensor float32  {told} " in line
    entries = answer_of(run("show", "--format", "json")[1])["entries"]
    (found,) = [one for one in entries if one["source"] == "calibrated"]
    ends = [None if math.isinf(end) else end for end in (low, high)]
    assert ends == [found["threshold"], found["until"]]


def test_a_range_of_short_rows_has_its_line(run):
    """Below that of all other tensors of the operation."""
    rows = (Point(16, 1.0, 3.0),)
    one = Entry("softmax", "tensor", "float32", 0.0, rows, 2049.0, rows, (math.inf, math.inf))
    table.store(table.Table(table.validators(), {one.key: one}))
    crossovers.forget()
    lines = [one for one in run("show")[1].splitlines() if one.endswith(" calibrated")]
    assert lines[0].startswith("softmax       tensor float32  < 2,049 (45^2) ")
    assert lines[1].startswith("softmax       rows of float32 never ")
    entries = answer_of(run("show", "--format", "json")[1])["entries"]
    (found,) = [one for one in entries if one["source"] == "calibrated"]
    assert ([None, None], [[16, 1, 3]]) == (found["short"], found["rows"])


def test_a_file_of_an_older_form_is_told(run):
    """It is not used, and calibrating again is the cure."""
    table.store(table.Table(table.validators()))
    file = Path(table.path_of(table.validators()))
    file.write_text(file.read_text().replace(table.SCHEMA, "shimhub.accel.table/1"))
    crossovers.forget()
    told = run("show")[1].replace("\n", " ")
    assert "its file is shimhub.accel.table/1, which is not shimhub.accel.table/2; " in told


def test_without_torch_there_is_nothing_to_measure(run, monkeypatch):
    """Exit code 5, and the cure."""
    monkeypatch.setattr(calibration.torch_ffi, "torch_available", lambda: False)
    code, _, error = run("calibrate")
    assert 5 == code
    assert "pip install torch" in error


@pytest.mark.slow
def test_a_picture_is_drawn(run, tmp_path):
    """Of what is in use."""
    pytest.importorskip("matplotlib")
    file = tmp_path / "p.svg"
    assert 0 == run("show", "--plot", str(file))[0]
    assert "</svg>" in file.read_text()


def test_other_commands_do_not_import_accel(lab):
    """Listing shims needs no numpy."""
    code = "import sys, shimhub.cli.commands; print('numpy' in sys.modules)"
    assert "False\n" == lab.run(code).stdout
