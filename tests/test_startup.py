"""``shimhub activate`` and ``deactivate`` in real virtual environments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shimhub.activation import startup
from shimhub.errors import ActivationError

ROOT = Path(__file__).parent.parent
IS_ACTIVE = "import sys; print(any('shimhub' in type(one).__module__ for one in sys.meta_path))"


def test_activate_makes_every_start_active_and_deactivate_none(env):
    """The files are written, work also under -I and -E, and go without a trace."""
    before = sorted(env.site.iterdir())
    assert "False\n" == env.start("-c", IS_ACTIVE).stdout
    wrote = env.start("-m", "shimhub", "activate")
    assert (0, "") == (wrote.returncode, wrote.stderr)
    assert ["zzz_shimhub.pth", "zzz_shimhub.start"] == [
        Path(line.removeprefix("wrote ")).name for line in wrote.stdout.splitlines()
    ]
    for flags in ([], ["-I"], ["-E"], ["-s"], ["-P"] if sys.version_info >= (3, 11) else []):
        assert "True\n" == env.start(*flags, "-c", IS_ACTIVE).stdout, flags
    assert "False\n" == env.start("-c", IS_ACTIVE, SHIMHUB="0").stdout
    assert "False\n" == env.start("-S", "-c", IS_ACTIVE).stdout
    assert 0 == env.start("-m", "shimhub", "deactivate").returncode
    assert "False\n" == env.start("-c", IS_ACTIVE).stdout
    assert before == sorted(env.site.iterdir())


def test_the_start_entry_imports_nothing_more_where_it_is_off(env):
    """CPython 3.15 imports what the .start file names also with SHIMHUB=0: that is one module."""
    env.start("-m", "shimhub", "activate")
    (entry,) = env.site.glob("*.start")
    module, name = entry.read_text().strip().split(":")
    code = f"import sys, {module}; {module}.{name}(); print('shimhub.finder' in sys.modules)"
    assert "False\n" == env.start("-c", code, SHIMHUB="0").stdout
    assert "True\n" == env.start("-c", code).stdout


def test_activating_twice_is_the_same_as_once(env):
    """The second call writes the same files; one finder stands on sys.meta_path."""
    first = env.start("-m", "shimhub", "activate").stdout
    assert first == env.start("-m", "shimhub", "activate").stdout
    count = "import sys; print(sum('shimhub' in type(f).__module__ for f in sys.meta_path))"
    assert "1\n" == env.start("-c", count).stdout
    assert (
        "nothing to remove\n"
        == (
            env.start("-m", "shimhub", "deactivate").stdout
            and env.start("-m", "shimhub", "deactivate")
        ).stdout
    )


def test_activate_refuses_where_shimhub_is_not_installed(env):
    """What only PYTHONPATH finds would not be found at the next start: nothing is left behind."""
    env.path_file.unlink()
    ours = [one for one in sys.path if one.endswith("site-packages")]
    done = env.start("-m", "shimhub", "activate", PYTHONPATH=os.pathsep.join([str(ROOT), *ours]))
    assert 5 == done.returncode
    assert "python -m pip install shimhub" in done.stderr
    assert [] == list(env.site.glob("zzz*"))


def test_activate_refuses_outside_of_a_virtual_environment():
    """A whole Python installation is changed only when asked for by name."""
    done = subprocess.run(
        [sys._base_executable, "-S", "-m", "shimhub", "activate"],
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 5 == done.returncode
    assert "say --system" in done.stderr


def test_an_uninstalled_shimhub_leaves_one_line_and_no_harm(env):
    """Files that outlive the package say so once, with the cure, and the program runs."""
    env.start("-m", "shimhub", "activate")
    env.path_file.unlink()
    done = env.start("-c", "print('ran')")
    assert (0, "ran\n") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert "remove zzz_shimhub.pth and zzz_shimhub.start" in done.stderr


def test_a_broken_registry_does_not_keep_python_from_starting(env):
    """A start under a registry with errors is told and goes on; strict ends it with 1."""
    env.start("-m", "shimhub", "activate")
    bad = env.root / "bad.toml"
    bad.write_text("schema = 2\n")
    done = env.start("-c", "print('ran')", SHIMHUB_REGISTRY=str(bad))
    assert (0, "ran\n") == (done.returncode, done.stdout)
    assert 1 == done.stderr.count("this process runs unpatched")
    strict = env.start("-c", "print('ran')", SHIMHUB_REGISTRY=str(bad), SHIMHUB_STRICT="1")
    assert (1, "") == (strict.returncode, strict.stdout)


def test_the_start_file_names_the_callable_of_pep_829(env):
    """Python 3.15 resolves the entry and calls it; beside the .pth of today nothing runs twice."""
    env.start("-m", "shimhub", "activate")
    (entry,) = (env.site / "zzz_shimhub.start").read_text().splitlines()
    code = f"import sys, pkgutil; pkgutil.resolve_name({entry!r})()\n{IS_ACTIVE}\n"
    count = "print(sum('shimhub' in type(f).__module__ for f in sys.meta_path))"
    assert "True\n1\n" == env.start("-c", code + count).stdout
    (env.site / "zzz_shimhub.pth").unlink()
    assert "True\n1\n" == env.start("-c", code + count).stdout


def test_a_folder_that_cannot_be_written_is_left_as_it_was(tmp_path):
    """The error names the place; no half of the pair stays."""
    (tmp_path / "zzz_shimhub.start").mkdir()
    with pytest.raises(ActivationError, match="nothing was changed"):
        startup.activate(str(tmp_path))
    assert ["zzz_shimhub.start"] == [one.name for one in tmp_path.iterdir()]


def test_a_file_that_is_not_ours_is_left_alone(tmp_path):
    """A file of that name without a word of shimhub is somebody else's."""
    foreign = tmp_path / "zzz_shimhub.pth"
    foreign.write_text("import os\n")
    for change in (startup.deactivate, startup.activate):
        with pytest.raises(ActivationError, match="remove it by hand"):
            change(str(tmp_path))
    assert "import os\n" == foreign.read_text()
    assert [foreign] == list(tmp_path.iterdir())


def test_deactivate_says_what_it_cannot_remove(tmp_path):
    """A folder in place of the file is an error that names it."""
    (tmp_path / "zzz_shimhub.pth").write_text(startup._PTH)
    (tmp_path / "zzz_shimhub.start").mkdir()
    with pytest.raises(ActivationError, match=r"zzz_shimhub\.start"):
        startup.deactivate(str(tmp_path))


def test_an_older_version_of_the_files_is_told_and_replaced(tmp_path):
    """What another version wrote is not ours until activate writes it anew."""
    (tmp_path / "zzz_shimhub.pth").write_text("import shimhub\n")
    assert ["foreign", "missing"] == [one.state for one in startup.startup_files(str(tmp_path))]
    startup.activate(str(tmp_path))
    assert startup.is_activated(str(tmp_path))
    assert [] == list(startup.other_lines(str(tmp_path)))


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_cannot_be_read_has_no_lines(tmp_path, kind):
    """A dangling link or a folder that ends in .pth runs nothing at the start."""
    if kind == "link":
        (tmp_path / "x.pth").symlink_to("/nowhere")
    else:
        (tmp_path / "x.pth").mkdir()
    assert [] == list(startup.other_lines(str(tmp_path)))
