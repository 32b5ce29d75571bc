"""``shimhub new``: what it writes passes as it is, and nothing else changes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EVERY = [
    ("alias", "json:parse", ["--to", "json:loads"]),
    ("alias", "json:parse", []),
    ("alias", "json.older", ["--to", "json.decoder"]),
    ("alias", "acme_names_of_old", ["--to", "json"]),
    ("placeholder", "json:future", []),
    ("placeholder", "json:JSONEncoder.future", ["--message", 'say "it" \\ \x7f\u2192']),
    ("add", "numpy:float_", []),
    ("add", "json:JSONEncoder.future", []),
    ("replace", "json:JSONEncoder.encode", []),
    ("replace", "json:dumps", []),
    ("wrap", "numpy:asarray", []),
    ("adapt", "json.decoder:JSONDecoder.decode", []),
    ("adapt", "numpy:loadtxt", []),
    ("module", "json.compat", []),
    ("module", "acme_of_old", []),
    # The real thing is there: the shim steps aside, and the test says so.
    ("alias", "json:dumps", ["--to", "json:loads"]),
    ("add", "json:dumps", []),
    ("placeholder", "json:dumps", []),
    ("module", "json.decoder", []),
]


def pytest_in(lab, *arguments):
    """Run pytest in the lab's folder, as its user would."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return lab.start(command, check=False)


@pytest.mark.slow
def test_every_action_passes_as_generated(lab):
    """Rows of every action in one fresh folder: `check` is clean and the tests pass."""
    for number, (action, attach, more) in enumerate(EVERY):
        lab.cli("new", f"mine/of_{number}", "--attach", attach, "--action", action, *more)
    told = lab.cli("check", "--registry", "registry.toml", check=False).stdout
    assert str(lab.root) not in told, told
    done = pytest_in(lab)
    assert 0 == done.returncode, done.stdout
    assert f"{len(EVERY)} passed" in done.stdout


def test_a_generated_test_sees_what_the_code_does(lab):
    """Each test fails where its row or code is broken: it is no empty shell."""
    lab.cli("new", "a", "--attach=json:parse", "--action=alias", "--to=json:loads")
    lab.cli("new", "b", "--attach=json:dumps", "--action=wrap")
    lab.cli("new", "c", "--attach=json.compat", "--action=module")
    text = lab.registry.read_text("utf-8")
    lab.registry.write_text(text.replace("json:loads", "json:load"), "utf-8")
    (lab.root / "shims/b/shim.py").write_text("def build(original, ctx):\n    return original\n")
    (lab.root / "shims/c/module.py").write_text("raise ImportError('broken')\n")
    assert "3 failed" in pytest_in(lab).stdout


def test_what_is_written_is_told(lab):
    """The row's place and each file stand on stdout, relative to where one stands."""
    done = lab.cli("new", "json/dumps", "--attach=json:dumps", "--action=wrap")
    assert (
        "added json/dumps to registry.toml:3\n"
        f"wrote {os.path.join('shims', 'json', 'dumps', 'shim.py')}\n"
        f"wrote {os.path.join('shims', 'json', 'dumps', 'test_json_dumps.py')}\n"
    ) == done.stdout
    assert "" == done.stderr


def test_json_tells_whole_paths(lab):
    """With --format json there are absolute paths, and the row's line."""
    done = lab.cli("new", "a", "--attach=json:f", "--action=alias", "--format=json")
    told = json.loads(done.stdout)
    assert (1, "new", "a", 3) == (told["schema"], told["kind"], told["id"], told["line"])
    assert str(lab.registry) == told["registry"]
    assert [str(lab.root / "shims/a/test_a.py")] == told["files"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"schema = 1\n", id="plain"),
        pytest.param(b"# mine\r\nschema = 1\r\n\r\n[targets.numpy]\r\n", id="crlf"),
        pytest.param(b"\xef\xbb\xbfschema = 1", id="bom", marks=pytest.mark.slow),
        pytest.param(
            b'schema = 1\n[packs.p]\nsummary = "s"   # no line end behind this', id="no end"
        ),
        pytest.param(b"", id="empty", marks=pytest.mark.slow),
        pytest.param(b"\n\n", id="blank", marks=pytest.mark.slow),
    ],
)
def test_the_users_text_is_kept_byte_for_byte(lab, text):
    """The row is appended in the file's own line ends; all before it is as it was."""
    lab.registry.write_bytes(text)
    lab.registry.chmod(0o640)
    lab.cli("new", "a", "--attach=json:parse", "--action=alias", "--to=json:loads")
    after = lab.registry.read_bytes()
    assert after.startswith(text)
    assert (b"\r\n" in text) == (b"\r\n" in after)
    assert not re.search(rb"(?<!\r)\n", after) or b"\r\n" not in text
    assert 0o640 == lab.registry.stat().st_mode & 0o777
    assert 0 == pytest_in(lab).returncode


def test_a_linked_registry_stays_a_link(lab):
    """The file behind a symbolic link is what changes."""
    real = lab.root / "real.toml"
    real.write_text("schema = 1\n")
    lab.registry.symlink_to(real)
    lab.cli("new", "a", "--attach=json:f", "--action=alias")
    assert lab.registry.is_symlink()
    assert 'id = "a"' in real.read_text()


def refused(lab, *arguments):
    """Return what `new` says on stderr when it changes nothing."""
    before = {path: path.read_bytes() for path in lab.root.rglob("*") if path.is_file()}
    done = lab.cli("new", *arguments, check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "Traceback" not in done.stderr
    after = {
        path: path.read_bytes()
        for path in lab.root.rglob("*")
        if path.is_file() and "cache" not in path.parts
    }
    assert {path: text for path, text in before.items() if "cache" not in path.parts} == after
    return done.stderr


def test_an_unknown_action_is_told_with_the_nearest(lab):
    """A typo of the action is usage, with the right word and all there are."""
    told = refused(lab, "a", "--attach=json:f", "--action=allias")
    assert "no action 'allias' (did you mean 'alias'?); there are module, add" in told


@pytest.mark.parametrize("shim_id", ["mine", "triton"])
def test_an_id_that_exists_is_told_with_its_place(lab, shim_id):
    """An id of the registry or of the packaged one is an error with file and line."""
    lab.rows('[[shim]]\nid = "mine"\nattach = "m:f"\naction = "alias"\nto = "m:g"\nwhy = "w"\n')
    told = refused(lab, shim_id, "--attach=json:f", "--action=alias")
    assert re.search(rf"registry\.toml:\d+: {shim_id}: exists already", told)
    assert (f"{lab.registry}:2: mine" in told) == (shim_id == "mine")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["A b", "--attach=json:f", "--action=alias"], "must be lower-case words"),
        (["a", "--attach=json", "--action=add"], "needs a name in the module"),
        (["a", "--attach=json:f", "--action=module"], "give 'pkg.mod' without ':'"),
        (["a", "--attach=json:f g", "--action=add"], "words that Python can name"),
        (["a", "--attach=json:class", "--action=add"], "words that Python can name"),
        (["a", '--attach=json:f"', "--action=add"], "words that Python can name"),
        (["a", "--attach=json:f", "--action=alias", "--to=json:f"], "the attach point itself"),
        (["a", "--attach=json:f", "--action=add", "--to=json:g"], "it belongs to alias"),
        (["../a", "--attach=json:f", "--action=alias"], "must be lower-case words"),
        (["a", "--attach=json:f"], "the following arguments are required: --action"),
    ],
)
def test_a_row_that_would_have_an_error_is_not_written(lab, arguments, told):
    """The rules of registries hold before anything is written."""
    assert told in refused(lab, *arguments)
    assert not lab.registry.exists()
    assert not (lab.root / "shims").exists()


def test_a_registry_with_errors_is_left_alone(lab):
    """Mistakes that are there already are told with their own lines."""
    lab.rows("x = 1\n")
    told = refused(lab, "a", "--attach=json:f", "--action=wrap")
    assert f"{lab.registry}:2: x: unknown key" in told
    lab.registry.write_text("shim = [\n")
    assert "not valid TOML" in refused(lab, "a", "--attach=json:f", "--action=wrap")
    lab.registry.write_text("schema = 1\nshim = []\n")
    assert f"{lab.registry}:" in refused(lab, "a", "--attach=json:f", "--action=wrap")


@pytest.mark.parametrize("name", ["shim.py", "test_a.py"])
def test_a_file_that_is_there_is_not_overwritten(lab, name):
    """Code or a test in the way is an error, and stays."""
    lab.shim("a", "x = 1\n", name)
    told = refused(lab, "a", "--attach=json:f", "--action=wrap")
    assert f"{lab.root / 'shims' / 'a' / name}:0: file: exists already; nothing was changed" in told
    assert not lab.registry.exists()


def test_a_folder_that_cannot_be_made_is_told(lab):
    """A file where a folder belongs, or a folder where the registry belongs, is an error."""
    (lab.root / "shims").write_text("")
    assert "shims" in refused(lab, "a", "--attach=json:f", "--action=wrap")
    (lab.root / "shims").unlink()
    lab.registry.mkdir()
    told = refused(lab, "a", "--attach=json:f", "--action=wrap")
    assert f"{lab.registry}:0: file: cannot be read" in told


def test_a_registry_elsewhere_gets_its_shims_beside_it(lab):
    """--registry leads; missing folders are made."""
    lab.cli("new", "a", "--attach=json:f", "--action=add", "--registry=x/y/mine.toml")
    assert (lab.root / "x/y/shims/a/shim.py").is_file()
    assert 0 == pytest_in(lab).returncode


@pytest.mark.parametrize(
    ("attach", "told"),
    [
        ("target:f", "SystemExit: imported"),
        ("nowhere.at_all:f", "No module named 'nowhere'"),
        ("json:a.b.c", "does not exist here"),
        ("datetime:datetime.fromisoformat", "immutable type"),
    ],
)
def test_what_does_not_apply_here_is_written_and_told(lab, attach, told):
    """A target may be on another machine: row, code and test are there, and exit code 1."""
    lab.module("target", "raise RuntimeError('SystemExit: imported')\n")
    done = lab.cli("new", "a", f"--attach={attach}", "--action=wrap", check=False)
    assert 1 == done.returncode
    assert "it does not apply here, so its test fails: " in done.stderr
    assert told in done.stderr, done.stderr
    assert (lab.root / "shims/a/shim.py").exists()


def test_rows_that_are_added_at_once_are_all_there(lab):
    """Processes wait for each other: none overwrites another's row."""
    command = [sys.executable, "-m", "shimhub", "new"]
    asked = [[*command, f"x{n}", "--attach=json:dumps", "--action=wrap"] for n in range(4)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen(one, cwd=lab.root, env=env) for one in asked]
    assert [0] * 4 == [one.wait() for one in running]
    assert 4 == lab.registry.read_text().count("[[shim]]")
