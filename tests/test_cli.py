from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shimhub import __version__
from shimhub.cli import main, schema

REPOSITORY = Path(__file__).parent.parent

TWO = """
[targets.target]
[packs.p]
summary = "s"
[[shim]]
id = "target/f"
packs = ["p"]
attach = "target:f"
action = "alias"
to = "math:sqrt"
why = "f was missing."
upstream = "https://example.org/a/rather/long/address/of/a/change/that/made/it/needed/really"
[[shim]]
id = "target/g"
attach = "target:g"
action = "placeholder"
message = "Install the other thing."
why = "A reason that is wrapped at the end of a line of eighty characters, for it is so long."
when = { target = ">=2" }
"""


@pytest.fixture
def two(lab):
    """A lab with two rows, one of which is gated."""
    lab.module("target", "__version__ = '1.0'\n")
    lab.rows(TWO)
    return lab


def shims(done):
    """Return the JSON of an answer, by id."""
    told = json.loads(done.stdout)
    return told, {one["id"]: one for one in told["shims"]}


def fits(text):
    """Whether each line has 80 columns at most, but for a word that is longer by itself."""
    return all(len(line) <= 80 or 1 >= len(line.split()) - 1 for line in text.splitlines())


def test_list_tells_every_shim_with_status_and_reason(two):
    """`list` has a line for each shim of all registries, and exits with 0."""
    done = two.cli("list", "--registry", "registry.toml")
    lines = done.stdout.splitlines()
    assert "" == done.stderr
    assert any("target/f" in line and line.startswith("PENDING ") for line in lines)
    assert "torch/distributed/set_timeout" in done.stdout


def test_text_fits_into_80_columns(two):
    """list, explain and check wrap their text; only a word that is longer sticks out."""
    for arguments in (["list"], ["explain", "target/f"], ["explain", "target/g"]):
        told = two.cli(*arguments, "--registry", "registry.toml").stdout
        assert fits(told), told
        assert told.endswith("\n")


def test_the_packaged_list_fits_into_80_columns(lab):
    """So does what shimhub brings itself."""
    assert fits(lab.cli("list").stdout)


def test_a_list_in_json_has_a_schema_key(two):
    """JSON carries its schema, its kind, the registries' digest and whole verdicts."""
    told, found = shims(two.cli("list", "--registry", "registry.toml", "--format", "json"))
    assert (1, "list", 16) == (told["schema"], told["kind"], len(told["digest"]))
    assert {"id", "status", "reason", "evidence", "seconds"} == set(found["target/f"])
    assert "PENDING" == found["target/f"]["status"]


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        ([], "PENDING", "waits for target"),
        (["--disable", "target/f"], "DISABLED", "disabled by 'target/f'"),
        (["--disable", "p", "--enable", "target/f"], "PENDING", ""),
        (["--only", "target/g"], "DISABLED", "`only`"),
        (["--only", "p"], "PENDING", ""),
        (["--disable", "target/*,torch/*"], "DISABLED", "disabled by 'target/*'"),
    ],
)
def test_list_hears_the_users_word(two, words, status, part):
    """--only, --enable and --disable are heard as `run` hears them."""
    done = two.cli("list", "--registry", "registry.toml", "--format=json", *words)
    found = shims(done)[1]["target/f"]
    assert (status, True) == (found["status"], part in found["reason"])


@pytest.mark.parametrize("what", ["target/f", "target:f"])
def test_explain_tells_a_row_in_full(two, what):
    """By id or attach point: status, reason, why, upstream, pack, file and origin."""
    told = two.cli("explain", what, "--registry", "registry.toml").stdout
    assert told.startswith("target/f: PENDING\n")
    flat = " ".join(told.split())
    for part in (
        "attach: target:f",
        "action: alias",
        "why: f was missing.",
        "upstream: https://example.org",
        "packs: p",
        f"file: {two.registry}",
        "origin: named by the user",
    ):
        assert part in flat


def test_explain_of_a_module_tells_all_its_rows(two):
    """A module's name stands for all rows that attach to it."""
    done = two.cli("explain", "target", "--registry", "registry.toml", "--format", "json")
    told, found = shims(done)
    assert ("explain", {"target/f", "target/g"}) == (told["kind"], set(found))
    assert "target" in found["target/g"]["evidence"]


def test_explain_of_a_pack_lists_its_shims(two):
    """With what it is for, how many have which status, and why; a module of that name in full."""
    two.rows(
        TWO
        + """
        [packs.target]
        summary = "All that the target lacks."
        opt_in = true
        [[shim]]
        id = "target/h"
        packs = ["target"]
        attach = "other:h"
        action = "alias"
        to = "math:sqrt"
        why = "h was missing."
        """
    )
    told = two.cli("explain", "p", "--registry", "registry.toml").stdout
    assert told.startswith("pack p\n  summary:      s\n  shims:        1 PENDING\n")
    assert "PENDING     target/f  waits for" in told
    assert "target/g" not in told
    assert fits(told)
    told = two.cli("explain", "target", "--registry", "registry.toml").stdout
    assert told.startswith("target/f: PENDING\n")
    assert "\ntarget/g: " in told
    pack = told[told.index("pack target\n") :]
    assert "  turned on by: --enable target\n" in pack
    assert "PENDING     target/h  " in pack


def test_explain_of_a_pack_in_json_names_it(two):
    """The pack, and its shims with all evidence, as the schema has it."""
    done = two.cli("explain", "p", "--registry", "registry.toml", "--format", "json")
    told, found = shims(done)
    assert {"name": "p", "summary": "s", "opt_in": False} == told["pack"]
    assert ["target/f"] == list(found)
    assert "target:f" == found["target/f"]["evidence"]["attach"]
    done = two.cli("explain", "target/f", "--registry", "registry.toml", "--format", "json")
    assert "pack" not in json.loads(done.stdout)
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(json.loads(schema.FILE.read_text("utf-8"))).validate(told)


def test_explain_of_an_unknown_name_suggests_one(two):
    """A name that nothing has is exit code 2, with the nearest id, on stderr."""
    done = two.cli("explain", "target/ff", "--registry", "registry.toml", check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "did you mean 'target/f'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_finds_nothing_in_a_clean_registry(two):
    """A clean user registry adds no finding to those of the packaged one."""
    before = two.cli("check", check=False).stdout
    assert before == two.cli("check", "--registry", "registry.toml", check=False).stdout


def test_check_tells_findings_with_exit_1(two):
    """A finding is a line with file, key and cure, and exit code 1."""
    two.shim("nobody", "x = 1\n")
    done = two.cli("check", "--registry", "registry.toml", check=False)
    assert (1, "") == (done.returncode, done.stderr)
    assert "nobody:0: folder: has code but no row; add one or delete it" in done.stdout
    assert "problem" in done.stdout.splitlines()[-1]


def test_one_problem_is_no_problems(two):
    """The count reads like a sentence."""
    two.shim("nobody", "x = 1\n")
    done = two.cli("check", "--registry", "registry.toml", check=False)
    last = done.stdout.splitlines()[-1]
    count = len(done.stdout.splitlines()) - 1
    assert last == ("1 problem" if count == 1 else f"{count} problems")


def test_check_in_json_has_a_schema_key(two):
    """Findings in JSON carry file, line, key and message."""
    two.shim("nobody", "x = 1\n")
    done = two.cli("check", "--registry", "registry.toml", "--format", "json", check=False)
    told = json.loads(done.stdout)
    assert (1, 1, "check") == (done.returncode, told["schema"], told["kind"])
    assert {"file", "line", "key", "message"} == set(told["problems"][-1])


@pytest.mark.parametrize("command", ["list", "explain"])
def test_a_bad_registry_is_exit_2_with_all_its_problems(lab, command):
    """Commands that need a registry tell its errors alike; for `check` they are findings."""
    lab.rows("x = 1\ny = 2\n")
    words = ["torch"] if command == "explain" else []
    done = lab.cli(command, *words, "--registry", "registry.toml", check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "shimhub: 2 problems in the registry\n" in done.stderr
    assert f"{lab.registry}:3: y: unknown key" in done.stderr


def test_one_problem_of_a_registry_is_told_as_one(lab):
    """One is `1 problem`."""
    lab.rows("x = 1\n")
    assert "1 problem in the" in lab.cli("list", "--registry=registry.toml", check=False).stderr


@pytest.mark.parametrize("option", ["--only", "--enable", "--disable"])
def test_a_word_that_names_nothing_is_exit_2(two, option):
    """An unknown word is told with the nearest one."""
    done = two.cli("list", "--registry", "registry.toml", option, "target/ff", check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "'target/ff' (did you mean 'target/f'?)" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["lst"], ["list", "--formt"], ["list", "extra"], ["explain"], ["list", "--format=x"]],
)
def test_wrong_usage_is_exit_2(lab, arguments):
    """An unknown command, option or value is usage on stderr, and nothing on stdout."""
    done = lab.cli(*arguments, check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "usage: shimhub" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list", "--help"],
        ["explain", "-h"],
        ["check", "-h"],
        ["run", "-h"],
        ["doctor", "-h"],
    ],
)
def test_help_is_a_result(lab, arguments):
    """--help prints the usage on stdout, exits with 0 and fits into 80 columns."""
    done = lab.cli(*arguments, COLUMNS="80")
    assert "" == done.stderr
    assert "usage: shimhub" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_help_names_every_command(lab):
    """The first help has all commands."""
    told = lab.cli("--help").stdout
    assert all(f"    {name} " in told for name in ("run", "list", "explain", "check"))


def test_the_version_is_a_result(lab):
    """--version prints the version."""
    assert f"{__version__}\n" == lab.cli("--version").stdout


def test_answers_import_no_target(two):
    """list, explain and check read metadata alone."""
    for name in ("torch", "target"):
        two.module(name, "raise SystemExit('imported')\n")
    two.cli("list", "--registry", "registry.toml")
    two.cli("explain", "target", "--registry", "registry.toml")
    assert "imported" not in two.cli("check", check=False).stderr


def test_the_kill_switch_is_told(two):
    """With SHIMHUB=0 each row of the list says what switches it off."""
    done = two.cli("list", "--registry", "registry.toml", "--format", "json", SHIMHUB="0")
    assert {"DISABLED"} == {one["status"] for one in shims(done)[1].values()}
    assert "SHIMHUB=0" in done.stdout


def test_environment_names_registries(two):
    """SHIMHUB_REGISTRY adds files to list and explain, in their order."""
    done = two.cli("explain", "target/f", SHIMHUB_REGISTRY=str(two.registry))
    assert "origin:       SHIMHUB_REGISTRY" in done.stdout


# ---- tables for people, and pipes


def test_a_pipe_gets_plain_text(two):
    """Without a terminal no answer has an escape sequence or a box, with rich installed or not."""
    told = two.cli("list", "--registry", "registry.toml", TERM="xterm-256color").stdout
    assert "\x1b" not in told
    assert "─" not in told


def tables(lab, *arguments, **environ):
    """Return what a terminal of 80 columns would show, by FORCE_COLOR."""
    pytest.importorskip("rich")
    defaults = {"FORCE_COLOR": "1", "COLUMNS": "80", "TERM": "xterm-256color"}
    told = lab.cli(*arguments, "--registry", "registry.toml", **(defaults | environ)).stdout
    return "\n".join(line.rstrip() for line in told.splitlines())


def test_force_color_stands_for_a_terminal(two):
    """With FORCE_COLOR a list is a coloured table of 80 columns at most."""
    told = tables(two, "list", NO_COLOR="")
    assert "\x1b[" in told
    plain = re.sub(r"\x1b\[[0-9;]*m", "", told)
    plain = "\n".join(line.rstrip() for line in plain.splitlines())
    assert plain == tables(two, "list", NO_COLOR="1")


def test_no_color_keeps_the_table(two):
    """With NO_COLOR there is a table without any escape sequence; all its words are there."""
    told = tables(two, "list", NO_COLOR="1")
    assert "\x1b" not in told
    assert all(len(line) <= 80 for line in told.splitlines())
    head, rule, *lines = told.splitlines()
    assert ["status", "shim"] == head.split()
    assert {"─"} == set(rule)
    place = [line.split() for line in lines].index(["PENDING", "target/f"])
    assert "waits for target to be imported" == lines[place + 1].strip()
    assert lines[place].index("target/f") == lines[place + 1].index("waits")
    assert two.cli("list", "--registry=registry.toml").stdout.split() == told.split()[3:]


def test_a_wide_terminal_has_three_columns(two):
    """Where the reason fits beside the id it stands there."""
    told = tables(two, "list", NO_COLOR="1", COLUMNS="140")
    assert ["status", "shim", "reason"] == told.splitlines()[0].split()
    assert re.search(r"^PENDING +target/f +waits for target to be imported$", told, re.MULTILINE)


def test_explain_at_a_terminal(two):
    """Explain shows names and values of the same row side by side, within 80 columns."""
    told = tables(two, "explain", "target/g", NO_COLOR="1")
    assert told.startswith("target/g: PENDING\n  reason ")
    assert all(len(line) <= 80 for line in told.splitlines())
    assert "A reason that is wrapped" in told


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"FORCE_COLOR": ""}])
def test_no_table_where_none_can_be(two, environ):
    """A dumb terminal gets plain text even with FORCE_COLOR, and an empty FORCE_COLOR is none."""
    plain = two.cli("list", "--registry", "registry.toml").stdout
    assert plain == tables(two, "list", **environ) + "\n"


def test_without_rich_a_terminal_gets_plain_text(two):
    """Where the extra `cli` is missing the text is that of a pipe."""
    plain = two.cli("list", "--registry", "registry.toml").stdout
    two.module("rich", "raise ImportError('not installed')\n")
    told = two.cli("list", "--registry", "registry.toml", FORCE_COLOR="1", TERM="xterm")
    assert (plain, "") == (told.stdout, told.stderr)


def test_a_real_terminal_gets_the_table(two):
    """A pseudo-terminal counts as one, without FORCE_COLOR; rich is not imported for a pipe."""
    pytest.importorskip("rich")
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    code = "import sys, shimhub.cli as c; c.main(['list']); print('rich' in sys.modules)"
    assert two.run(code).stdout.endswith("\nFalse\n")
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "PYTHONPATH": str(REPOSITORY)}
    environ.pop("FORCE_COLOR", None)
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=theirs, env=environ, cwd=two.root) as process:
        os.close(theirs)
        shown = b""
        while not shown.endswith(b"True\r\n") and process.poll() is None:
            shown += os.read(ours, 65536)
    os.close(ours)
    assert "─" in shown.decode()
    assert shown.endswith(b"True\r\n")


def test_words_of_a_registry_move_no_cursor(two):
    """A control character in a row is shown as an escape, in a pipe and at a terminal."""
    two.rows(TWO.replace("f was missing.", "\\u001b[2Jgone"))
    for environ in ({}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}):
        told = two.cli("explain", "target/f", "--registry=registry.toml", **environ).stdout
        assert r"\x1b[2Jgone" in told
        assert "\x1b" not in told


def test_a_terminal_that_lacks_a_letter_shows_an_escape(two):
    """Answers are given whatever the encoding of stdout is."""
    two.rows(TWO.replace("f was missing.", "naïve →"))
    options = ("explain", "target/f", "--registry=registry.toml")
    assert r"na\xefve \u2192" in two.cli(*options, PYTHONIOENCODING="ascii").stdout


def test_a_reader_may_leave():
    """`shimhub list | head -1` ends without a traceback, as a program does that SIGPIPE ends."""
    command = [sys.executable, "-m", "shimhub", "list", "--format=json"]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, env=environ, check=False)
    os.close(theirs)
    assert (141, b"") == (done.returncode, done.stderr)


# ---- exit codes of what is no finding


def test_an_environment_that_cannot_serve_is_exit_5(lab, monkeypatch, capsys):
    """A file that cannot be read or a package that is missing is told in one line."""
    monkeypatch.setattr(schema, "FILE", lab.root / "gone")
    assert 5 == main(["schema"])
    assert str(lab.root / "gone") in capsys.readouterr().err
    done = lab.start([sys.executable, "-S", "-m", "shimhub", "list"], check=False)
    assert (5, "") == (done.returncode, done.stdout)
    assert re.fullmatch(r"shimhub: .* does not find \w+, which shimhub needs; .*\n", done.stderr)


def test_a_mistake_of_ours_is_exit_3(monkeypatch, capsys):
    """An unexpected exception shows its traceback and is told apart from findings."""
    monkeypatch.setattr(schema, "FILE", None)
    assert 3 == main(["schema"])
    told = capsys.readouterr().err
    assert told.startswith("Traceback")
    assert told.endswith("shimhub: this is a mistake in shimhub, and no finding\n")
