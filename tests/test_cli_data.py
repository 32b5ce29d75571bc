"""``python -m shimhub data``: what users see, and docs/data.md, whose blocks run here."""

from __future__ import annotations

import argparse
import gzip
import inspect
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
tokenizers = pytest.importorskip("tokenizers")

from shimhub.cli import cells, main, schema  # noqa: E402
from shimhub.data.writing._json_values import plain  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "data.md").read_text("utf-8")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with a few files, seen as in a pipe."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    rows = [{"id": i, "text": f"text {i % 7}", "ids": list(range(i % 9))} for i in range(50)]
    Path("a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = pa.table({"input_ids": pa.array([row["ids"] for row in rows], pa.list_(pa.int32()))})
    pq.write_table(table, "ids.parquet", row_group_size=20)
    tok = tokenizers.Tokenizer(tokenizers.models.WordLevel({"text": 0, "?": 1}, unk_token="?"))
    tok.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tok.save("tokenizer.json")
    return tmp_path


@pytest.fixture
def run(here, capsys):  # noqa: ARG001 - commands run in that folder
    """Run a command in this process; returns its exit code, stdout and stderr."""

    def start(*words):
        capsys.readouterr()
        try:
            code = main(["data", *words])
        except SystemExit as error:  # argparse
            code = error.code
        told = capsys.readouterr()
        return code, told.out, told.err

    return start


TOKENIZE = ("tokenize", "a.jsonl", "--tokenizer", "tokenizer.json", "--workers", "1")
PACK = ("pack", "ids.parquet", "--length", "16", "--workers", "1")
DEDUP = ("dedup", "a.jsonl", "--by", "text", "--workers", "1")
CONVERT = ("convert", "a.jsonl", "--as", "parquet", "--workers", "1")
JOBS = [CONVERT, DEDUP, TOKENIZE, PACK]


# ---- answers


@pytest.mark.parametrize(
    "words",
    [
        ("info", "a.jsonl", "--count"),
        ("info", "a.jsonl", "ids.parquet"),
        ("head", "a.jsonl"),
        ("stats", "ids.parquet", "--workers", "1"),
        *[(*job, "-o", "out") for job in JOBS],
        *[(*job, "--dry-run") for job in JOBS],
    ],
    ids=lambda words: " ".join((words[0], words[-1])),
)
def test_json_answers_are_valid_by_the_schema(words, run):
    """Each command prints one object of its kind, and text that fits into 80 columns."""
    jsonschema = pytest.importorskip("jsonschema")
    code, out, err = run(*words, "--format", "json")
    told = json.loads(out)
    jsonschema.Draft202012Validator(json.loads(schema.FILE.read_text("utf-8"))).validate(told)
    kind = "estimate" if "--dry-run" in words else words[0]
    assert (f"data-{kind}", "") == (told["kind"], err)
    code_of_text, out, _ = run(*words, "--overwrite") if "-o" in words else run(*words)
    assert code == code_of_text
    assert max(map(len, out.splitlines())) <= 80


def test_a_job_is_done_once(run):
    """The same command again finds its work done, and tells the same."""
    first = run(*TOKENIZE, "-o", "out")
    assert (0, first[1]) == run(*TOKENIZE, "-o", "out")[:2]
    code, _, err = run(*TOKENIZE, "--max-length", "1", "-o", "out")
    assert 2 == code
    assert "not empty" in err


def test_a_dry_run_writes_nothing(run, here):
    """No folder is made; -o is not needed."""
    before = sorted(here.iterdir())
    for job in JOBS:
        assert 0 == run(*job, "--dry-run", "-o", "out")[0]
    assert before == sorted(here.iterdir())


def test_a_plot_is_drawn(run):
    """With --plot there is a picture."""
    pytest.importorskip("matplotlib")
    assert 0 == run(*PACK, "-o", "out", "--plot", "p.png")[0]
    assert b"\x89PNG" == Path("p.png").read_bytes()[:4]


def test_progress_is_on_stderr(run):
    """Lines where they are asked for, none in a pipe otherwise; never on stdout."""
    code, out, err = run(*TOKENIZE, "-o", "out", "--progress")
    assert (0, True) == (code, "tokenize: done" in err)
    assert out == run(*TOKENIZE, "-o", "out", "--no-progress")[1]


# ---- exit codes


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("head", "nothing.jsonl"), 2, "No such file"),
        (("head", "a.jsonl", "--columns", "idd"), 2, "idd"),
        (("head", "a.jsonl", "-n", "0"), 2, "-n 0"),
        (("head", "a.jsonl", "--input-format", "xml"), 2, "invalid choice"),
        (("head", "bad.jsonl"), 1, "line 2"),
        (("head", "unknown.bin"), 1, "format is not known"),
        (("info", "bad.jsonl", "--count"), 1, ""),
        (("stats", "bad.jsonl", "--on-error", "skip", "--workers", "1"), 1, ""),
        (("stats", "a.jsonl", "--runner", "env"), 2, "needs -o"),
        (("convert", "a.jsonl"), 2, "needs -o"),
        (("convert", "a.jsonl", "-o", "o", "--as", "xml"), 2, "none of"),
        (("convert", "a.jsonl", "-o", "a.jsonl"), 2, "a.jsonl"),
        (
            ("pack", "ids.parquet", "-o", "o", "--length", "4", "--workers", "1"),
            1,
            "over --length 4",
        ),
        (("tokenize", "a.jsonl", "-o", "o", "--tokenizer", "none.json"), 2, "none.json"),
        (("dedup", "a.jsonl", "-o", "o", "--near"), 2, "by"),
        (("dedup", "a.jsonl", "-o", "o", "--on-drift", "unify"), 2, "--on-drift unify"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_wrong_is_told_with_its_exit_code(words, code, part, run):
    """1 is for data, 2 for usage; no traceback, and nothing on stdout that is no answer."""
    Path("bad.jsonl").write_text('{"a": 1}\n{"a"\n')
    Path("unknown.bin").write_bytes(b"\1\2\3")
    found, out, err = run(*words)
    assert (code, "") == (found, "" if "Traceback" not in err else err)
    assert part in err
    assert bool(out) == (not part)


@pytest.mark.parametrize("name", ["info", "head", "stats", "convert", "dedup", "tokenize", "pack"])
def test_help_fits_into_a_terminal(name, run, monkeypatch):
    """80 columns, with all words that an option takes."""
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run(name, "--help")
    assert (0, True) == (code, max(map(len, out.splitlines())) <= 80)
    told = " ".join(out.split())
    assert "do not tell it: parquet, arrow, json, jsonl, csv, tsv, text" in told


def test_ctrl_c_while_a_command_is_imported(here):
    """130 and a word, no traceback: a second of imports is before the first line of work."""
    code = (
        "import builtins, sys\n"
        "import shimhub.cli as cli\n"
        "real = builtins.__import__\n"
        "def stop(name, *rest, **more):\n"
        "    if name == 'pyarrow' or name == 'shimhub.cli.commands':\n"
        "        raise KeyboardInterrupt\n"
        "    return real(name, *rest, **more)\n"
        "builtins.__import__ = stop\n"
        "sys.exit(cli.main(['data', 'head', 'a.jsonl']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (130, "shimhub: stopped\n") == (done.returncode, done.stderr)


def test_what_was_left_out_is_told_on_stderr(run):
    """Exit code 1 and the first error, where no row but the rest of a file was lost, too."""
    packed = gzip.compress(Path("a.jsonl").read_bytes())
    Path("b.jsonl.gz").write_bytes(packed[:-9])
    code, out, err = run("convert", "a.jsonl", "b.jsonl.gz", "-o", "out", "--on-error", "skip")
    assert (1, True) == (code, "convert: done" in out)
    assert err.startswith("shimhub: left out: ")
    assert "b.jsonl.gz" in err


def test_help_has_no_option_that_is_refused(run):
    """``dedup`` copies rows: what would read other values is told as refused, and not offered."""
    for command, is_there in (("convert", True), ("dedup", False)):
        code, out, _ = run(command, "--help")
        assert (0, is_there, is_there) == (code, "--on-drift" in out, "--infer" in out)


def test_without_pyarrow_the_cure_is_told(here):
    """A Python that lacks it says what to install, with exit code 5; help is there anyway."""
    (here / "hidden").mkdir()
    (here / "hidden" / "sitecustomize.py").write_text("import sys\nsys.modules['pyarrow'] = None\n")
    environ = {**os.environ, "PYTHONPATH": f"{here / 'hidden'}{os.pathsep}{ROOT}"}
    for words, code, part in (("info a.jsonl", 5, "pip install 'shimhub[data]'"), ("-h", 0, "")):
        done = subprocess.run(
            [sys.executable, "-m", "shimhub", "data", *words.split()],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (code, True) == (done.returncode, part in done.stderr), done.stderr


FULL = """
import resource, sys
from shimhub.cli import main

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(main(["data", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("convert big.jsonl -o out --as parquet --workers 1", "out/part-00000.parquet"),
        ("convert big.jsonl -o out.csv --workers 2", ".out.csv.shimhub/part-00000.csv"),
        ("dedup big.jsonl -o out --workers 1", "out/.shimhub/hash/00000.arrow"),
        ("head big.parquet.gz", "temporary/shimhub-"),
    ],
)
def test_a_full_disk_is_told_with_the_file(words, path, here):
    """Exit code 5 and the path of what could not be written, whoever wrote it."""
    pytest.importorskip("resource")
    texts = [f"{at * at}" for at in range(20_000)]
    Path("big.jsonl").write_text("".join(f'{{"a": "{one}"}}\n' for one in texts))
    pq.write_table(pa.table({"a": texts}), "big.parquet", compression="none")
    Path("big.parquet.gz").write_bytes(gzip.compress(Path("big.parquet").read_bytes()))
    Path("temporary").mkdir()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(here / "temporary")}
    done = subprocess.run(
        [sys.executable, "-c", FULL, *words.split()],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 5 == done.returncode, done.stderr
    assert f"shimhub: {here / path}" in done.stderr
    assert ": File too large" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_little_space_is_told_before_a_job(run, monkeypatch):
    """Exit code 5, too: it is not possible here, however it is asked for."""
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    code, out, err = run(*CONVERT, "-o", "out")
    assert (5, "") == (code, out)
    assert f"{Path.cwd()} has 0.00 GB free" in err


def test_ctrl_c_says_how_to_go_on(here):
    """130, no traceback, and the same command goes on from there."""
    rows = "".join(json.dumps({"text": "text " * 50}) + "\n" for _ in range(40_000))
    Path("big.jsonl").write_text(rows)
    words = ["tokenize", "big.jsonl", "-o", "out", "--tokenizer", "tokenizer.json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "shimhub", "data", *words, "--workers", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not list(here.glob("out/.shimhub/tmp/*")) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (130, "") == (process.returncode, out), err
    assert "run the same command again to go on" in err
    assert "Traceback" not in err


# ---- the words of errors


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("head", "unknown.bin"), "give --input-format one of parquet"),
        (("convert", "unknown.bin", "-o", "o"), "give --input-format one of parquet"),
        (("convert", "a.jsonl", "-o", "o.csv", "--as", "tsv"), "--as says tsv"),
        (("head", "a.jsonl", "--columns", "idd"), "--columns has 'idd'"),
        (("head", "a.jsonl", "-n", "0"), "-n 0: give 1 or more"),
        (("head", "a.jsonl", "two.jsonl", "-n", "99"), "or --on-drift unify to widen it"),
        (("head", "a.jsonl", "--split", "train"), "--split train is for folders of splits"),
        (("head", "cut.csv", "--max-line", "9"), "raise --max-line"),
        (("convert", "a.jsonl", "-o", "full"), "or pass --overwrite to replace"),
        (
            (*PACK[:2], "-o", "o", "--length", "4"),
            "over --length 4; pass --overlong split, truncate",
        ),
        (
            (*PACK, "-o", "o", "--strategy", "wrapped", "--cu-seqlens"),
            "--cu-seqlens: --strategy wr",
        ),
        ((*TOKENIZE, "-o", "o", "--overlong", "drop"), "--overlong drop needs --max-length"),
        (("dedup", "a.jsonl", "-o", "o", "--near"), "name it with --by"),
        (("dedup", "a.jsonl", "-o", "o", "--infer"), "leave --infer out, or convert"),
        (("stats", "a.jsonl", "--runner", "env"), "--runner env needs -o"),
        (("info", "latin.csv", "--count"), "give --encoding"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_errors_name_options_as_the_shell_has_them(words, told, run):
    """What is an argument in Python is told as an option of the command that was run."""
    Path("unknown.bin").write_bytes(b"\1\2\3")
    Path("two.jsonl").write_text('{"x": 1}\n')
    Path("latin.csv").write_bytes(b"a\nb\xe9\n")
    Path("cut.csv").write_text("a\n" + "long" * 9 + "\n")
    Path("full").mkdir()
    Path("full", "foreign").touch()
    code, out, err = run(*words)
    assert code in {1, 2}
    assert told in " ".join((out + err).split())
    assert not re.search(r"[ (][a-z_]+=", out + err)


def test_every_argument_has_an_option_or_is_known_to_have_none():
    """No argument of Python comes into a message of the command line without a word for it."""
    from shimhub import data
    from shimhub.cli import commands, data_words

    parsers = {}
    for action in commands._parser()._subparsers._group_actions:
        parsers = action.choices["data"]._subparsers._group_actions[0].choices
    faces = {
        **dict.fromkeys(("info", "head"), data.streaming_dataset_reader),
        **{name: getattr(data, name) for name in ("convert", "dedup", "tokenize", "pack", "stats")},
    }
    for name, face in faces.items():
        own = [one for one in inspect.signature(face).parameters if one != "asked"]
        shared = [] if name in {"info", "head"} else data.JobOptions.__annotations__
        for argument in [*own[1:], *shared]:
            text = f"give {argument}= or not"
            assert text != data_words.in_options(text, parsers[name]), (name, argument)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("leave it out, as in columns=['a', 'b c']", "leave it out, as in --columns a,'b c'"),
        ("give columns=['a']", "give --columns a"),
        ("on_error='skip' or 'raise'", "--on-error skip or raise"),
    ],
)
def test_values_are_as_a_shell_takes_them(text, told):
    """Lists with commas, choices without quotes."""
    from shimhub.cli import data_words

    parser = argparse.ArgumentParser()
    parser.add_argument("--columns")
    parser.add_argument("--on-error")
    assert told == data_words.in_options(text, parser)


def test_paths_and_data_keep_their_words(run):
    """A folder that is called as an option is, and what is quoted, stay as they are."""
    folder = Path("format=csv", "split=train")
    folder.mkdir(parents=True)
    (folder / "bad.jsonl").write_text('{"a": 1}\n{"a"\n')
    assert "/format=csv/split=train/bad.jsonl, line 2" in run("head", str(folder / "bad.jsonl"))[2]


# ---- what reaches the terminal


def test_control_characters_are_escapes(run):
    """A text of the data moves no cursor, whatever is shown of it."""
    pq.write_table(pa.table({"a\x1b[2J": ["x\x1b]0;title\x07\n\ty", "\u202eb"]}), "c.parquet")
    for words in (("head", "c.parquet"), ("info", "c.parquet"), ("stats", "c.parquet")):
        _, out, _ = run(*words)
        assert [] == [one for one in out if not one.isprintable() and one != "\n"]
    assert r"x\x1b]0;title\x07\n\ty" in run("head", "c.parquet")[1]


def test_wide_rows_are_cut_in_text_and_whole_in_json(run):
    """An ellipsis ends what does not fit; letters of two columns count as two."""
    row = {"text": "long " * 100, "wide": "漢字" * 60, "nested": {"a": [1] * 500}}
    pq.write_table(pa.Table.from_pylist([row]), "w.parquet")
    out = run("head", "w.parquet")[1]
    assert max(map(cells.width, out.splitlines())) <= 80
    assert "…" in out
    assert [row] == json.loads(run("head", "w.parquet", "--format", "json")[1])["rows"]


def test_many_columns_are_a_list(run):
    """Where a table has no room, each row is a list of its cells."""
    pq.write_table(pa.table({f"column_{i}": ["x" * 30] for i in range(12)}), "m.parquet")
    out = run("head", "m.parquet")[1]
    assert out.startswith("row 0\n  column_0   " + "x" * 30 + "\n")


def test_no_rows_are_told(run):
    """An empty file has no table."""
    pq.write_table(pa.table({"a": pa.array([], pa.int8())}), "e.parquet")
    assert (0, "no rows\n", "") == run("head", "e.parquet")


def test_values_that_json_has_not():
    """Times, bytes, decimals and floats beyond numbers are text; the rest stays."""
    import datetime as dt
    import decimal

    value = [
        float("nan"),
        -float("inf"),
        float("inf"),
        b"\xff",
        dt.date(2020, 1, 2),
        dt.timedelta(days=1, microseconds=1),
        decimal.Decimal("1.50"),
        {"a": (None, True, 2**70, 1.5)},
    ]
    expected = [
        "NaN",
        "-Infinity",
        "Infinity",
        "/w==",
        "2020-01-02",
        "86400.000001",
        "1.50",
        {"a": [None, True, 2**70, 1.5]},
    ]
    assert expected == plain(value)
    json.dumps(plain(value), allow_nan=False)


def test_cells():
    """Sizes, shares and nested values as people read them."""
    sizes = ["unknown", "0 B", "999 B", "1 kB", "1.5 MB", "2 GB"]
    assert sizes == [
        cells.bytes_text(size) for size in (-1, 0, 999, 1000, 1_500_000, 2_000_000_000)
    ]
    assert ("0 %", "12.50 %") == (cells.share(0, 0), cells.share(1, 8))
    assert "{a: [1, 'x'], b: b'y'}" == cells.shown({"a": [1, "x"], "b": b"y"})
    assert ("null", "1", "a b") == (cells.shown(None), cells.shown(1), cells.shown("a b"))
    assert ("abc", "ab…", "漢…") == (
        cells.cut("abc", 3),
        cells.cut("abcd", 3),
        cells.cut("漢字字", 4),
    )


# ---- docs/data.md and examples/data

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
#: Sizes depend on pyarrow's version, seconds on the machine.
CHANGING = re.compile(r"[\d.,]+ (?:[kMG]?B)\b|seconds: +[\d.]+| +size\b")


def masked(text):
    """Return a transcript without what changes, nor the space beside it."""
    return [re.sub(r" +", " ", CHANGING.sub("~", line)).rstrip() for line in text.splitlines()]


def transcript(text):
    """Yield the commands of a block and what they print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield shlex.split(command)[4:], printed


def test_the_page_is_what_happens(run):
    """Each block of Python runs, one after the other; commands print what the page says."""
    for needed in ("torch", "datasets", "matplotlib"):
        pytest.importorskip(needed)
    for path in Path().iterdir():
        path.unlink()
    names = {"__name__": "page"}
    for kind, text in BLOCKS:
        if kind == "python":
            exec(compile(text, "docs/data.md", "exec"), names)
        for words, printed in transcript(text) if kind == "console" else ():
            code, out, err = run(*words)
            assert (0, "") == (code, err)
            assert masked(printed) == masked(out)
    assert Path("fill.png").exists()


def test_the_page_names_every_command_and_runner():
    """What there is, is told; and the README's commands of the example run."""
    from shimhub.data.jobs._choices import RUNNERS, STRATEGIES

    for name in (*RUNNERS, *STRATEGIES, "info", "head", "stats", "convert", "dedup"):
        assert f"`{name}`" in PAGE


@pytest.mark.usefixtures("here")
def test_the_example_goes_from_texts_to_packed_rows(capsys, monkeypatch):
    """It prints what its README shows, but for the numbers; run again, it finds its work done."""
    script = ROOT / "examples" / "data" / "pipeline.py"
    monkeypatch.setattr(sys, "argv", [str(script), "made"])
    for _ in range(2):
        runpy.run_path(str(script), run_name="__main__")
        told = capsys.readouterr().out
        readme = (script.parent / "README.md").read_text("utf-8")
        shown = [re.sub(r"[\d.]+", "~", line.strip()) for line in readme.splitlines()]
        lines = [re.sub(r"[\d.]+", "~", line) for line in told.splitlines()]
        assert 3 == len(lines)
        assert set(lines) <= set(shown)
    fill = float(re.search(r"([\d.]+)% full", told)[1])
    assert 95 < fill <= 100
