"""How a run is told of speed: ``--speed``, SHIMHUB_SPEED, and a trusted project's table."""

from __future__ import annotations

import json
import os

import pytest

from shimhub import trust, trusting
from shimhub.activation.launcher import UsageError, environment, parse
from shimhub.config import config_of, variables_of
from shimhub.errors import RegistryError


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    """Work in an empty folder with a trust store of its own."""
    for name in ("CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.chdir(tmp_path)


def config(**environ):
    """Return what an install is told by SHIMHUB_* variables alone."""
    told = {f"SHIMHUB_{name}": value for name, value in environ.items()}
    return config_of(None, None, None, None, False, dict(os.environ) | told)


def made(*arguments, **environ):
    """Return what `run` tells the program of speed."""
    return environment(parse([*arguments, "x.py"]), dict(os.environ) | environ).get(
        "SHIMHUB_SPEED", ""
    )


def test_the_option_becomes_a_variable(tmp_path):
    """A word as it is, a file by its full path; the last of several counts, and over a variable."""
    (tmp_path / "a.yaml").write_text("seed: 1\n")
    assert "auto" == made("--speed", "auto")
    assert "off" == made("--speed=auto", "--speed=off", SHIMHUB_SPEED="auto")
    assert str(tmp_path / "a.yaml") == made("--speed", "a.yaml")
    assert "" == made()


@pytest.mark.parametrize(
    ("told", "said"),
    [("auot", "no file 'auot'"), ("a.yaml", "pre.ision"), ('{"sed": 1}', "did you mean 'seed'")],
)
def test_a_mistake_stops_the_run_before_it_starts(told, said, tmp_path):
    """A file that is not there, or has a key that means nothing, is a usage error."""
    (tmp_path / "a.yaml").write_text("precison: bf16\n")
    with pytest.raises(UsageError, match=rf"--speed: .*{said}"):
        made("--speed", told)


def test_an_option_without_a_value_is_told():
    """--speed at the end has nothing to say."""
    with pytest.raises(UsageError, match="--speed needs a value"):
        parse(["--speed"])


def test_what_is_told_turns_the_pack_on_or_off():
    """Any settings enable it, ``off`` disables it, and without a word nothing is said of it."""
    found = config(SPEED="auto")
    assert ("auto", ("speed",)) == (found.speed, found.selection.enable)
    found = config(SPEED="off")
    assert ((), ("speed",)) == (found.selection.enable, found.selection.disable)
    found = config()
    assert ("", (), ()) == (found.speed, found.selection.enable, found.selection.disable)


def test_children_are_told_the_same():
    """The variables for a child have the word; without one there is none."""
    assert "auto" == variables_of(config(SPEED="auto"))["SHIMHUB_SPEED"]
    assert "SHIMHUB_SPEED" not in variables_of(config())


def test_a_projects_table_counts_once_it_is_trusted(tmp_path):
    """Before, nothing of it is used; then its content is; a variable wins over it."""
    project = tmp_path / "pyproject.toml"
    project.write_text("[tool.shimhub.speed]\nseed = 1\noptimizer.fused = true\n")
    assert "" == config().speed
    trusting.trust_project(str(project))
    found = config()
    assert {"seed": 1, "optimizer": {"fused": True}} == json.loads(found.speed)
    assert ("speed",) == found.selection.enable
    assert ("off", ()) == (config(SPEED="off").speed, config(SPEED="off").selection.enable)
    project.write_text("[tool.shimhub.speed]\nseed = 2\n")
    assert "" == config().speed
    assert "is not as it was trusted" in trust.granted(os.environ).refused


def test_a_project_may_give_a_word(tmp_path):
    """``speed = "auto"`` is enough."""
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.shimhub]\nspeed = "auto"\n')
    assert {"speed": "auto"} == trusting.trust_project(str(project)).settings
    assert "auto" == config().speed


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[tool.shimhub]\nspeed = true\n", "must be a table, 'auto' or 'off', not True"),
        ("[tool.shimhub.speed]\nsed = 1\n", "did you mean 'seed'"),
        ("[tool.shimhub.speed]\nseed = 1979-05-27\n", "seed"),
        ("[tool.shimhub.speed]\ncompile.backend = 1979-05-27\n", "compile.backend"),
        ("[tool.shimhub.speed]\ncompile.options.x = 12:30:00\n", "compile.options"),
        ("[tool.shimhub.speed]\noptimizer.lr = nan\n", "optimizer.lr"),
    ],
)
def test_a_table_with_mistakes_is_not_trusted(table, said, tmp_path):
    """The error has the file and what is wrong; the store is as it was."""
    project = tmp_path / "pyproject.toml"
    project.write_text(table)
    with pytest.raises(RegistryError, match=rf"pyproject.toml:\d+: speed: .*{said}"):
        trusting.trust_project(str(project))
    assert [] == trusting.entries()


def test_a_project_that_is_not_trusted_changes_nothing_and_is_told(tmp_path, capsys):
    """A run beside it has no word on speed; one that names its own keeps to that."""
    (tmp_path / "pyproject.toml").write_text("[tool.shimhub.speed]\noptimizer.fused = true\n")
    assert "" == made()
    told = capsys.readouterr().err
    assert f"shimhub: {tmp_path}/pyproject.toml has [tool.shimhub] and is not trusted" in told
    assert "auto" == made("--speed", "auto")
    assert "is not trusted" in capsys.readouterr().err


def test_a_link_is_what_it_leads_to(tmp_path):
    """A project's file that is a link is trusted by content; settings are read through one."""
    (tmp_path / "real.toml").write_text("[tool.shimhub.speed]\nseed = 1\n")
    (tmp_path / "other.toml").write_text("[tool.shimhub.speed]\nseed = 2\n")
    project = tmp_path / "pyproject.toml"
    project.symlink_to("real.toml")
    trusting.trust_project(str(project))
    assert {"seed": 1} == json.loads(config().speed)
    project.unlink()
    project.symlink_to("other.toml")
    assert "" == config().speed
    (tmp_path / "link.toml").symlink_to("other.toml")
    assert str(tmp_path / "link.toml") == made("--speed", "link.toml", SHIMHUB_PROJECT="")
    for odd in ("nowhere", "/dev/zero", "."):
        (tmp_path / "odd.toml").unlink(missing_ok=True)
        (tmp_path / "odd.toml").symlink_to(odd)
        with pytest.raises(UsageError, match=r"there is no file 'odd\.toml'"):
            made("--speed", "odd.toml", SHIMHUB_PROJECT="")


def test_a_project_that_is_trusted_through_a_linked_folder_counts(tmp_path, monkeypatch):
    """Its place is where it lies, however the user got there."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "pyproject.toml").write_text('[tool.shimhub]\nspeed = "auto"\n')
    trusting.trust_project(str(tmp_path / "link" / "pyproject.toml"))
    monkeypatch.chdir(tmp_path / "link")
    assert "auto" == config().speed
