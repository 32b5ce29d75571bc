"""What is read without being named on the command line: trusted projects and entry points."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from shimhub import trust, trusting
from shimhub.errors import RegistryError, TrustError

ROW = """
[[shim]]
id = "target/f"
attach = "target:f"
action = "add"
why = "w"
"""
HAS_F = "import target; print(hasattr(target, 'f'))"


class Project:
    """A project with a registry, one shim with code and a config folder of its own."""

    def __init__(self, lab) -> None:
        self.lab = lab
        lab.module("target", "")
        lab.rows(ROW)
        lab.shim("target/f", "def build(original, ctx):\n    return lambda: 1\n")
        self.file = lab.root / "pyproject.toml"
        self.file.write_text('[tool.shimhub]\nregistry = "registry.toml"\n')
        self.env = {"XDG_CONFIG_HOME": str(lab.root / "config"), "SHIMHUB": "1"}

    def python(self, code: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run code in a process that starts as a child of `shimhub run` does."""
        site = str(Path(trust.__file__).parent / "activation" / "site")
        path = os.pathsep.join([site, str(self.lab.site), str(Path(trust.__file__).parent.parent)])
        command = [sys.executable, "-c", textwrap.dedent(code)]
        return self.lab.start(command, **(self.env | {"PYTHONPATH": path} | env))

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the project."""
        return self.lab.cli(*arguments, check=check, **self.env)


@pytest.fixture
def project(lab) -> Project:
    """A project that nobody has trusted yet."""
    return Project(lab)


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """The store of this very process, in a folder of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config" / "shimhub" / "trust"


def test_a_project_is_read_after_trust_and_not_before(project):
    """Untrusted, it is named once with the cure and not read; trusted, its shims are on."""
    before = project.python(HAS_F)
    assert "False\n" == before.stdout
    assert 1 == before.stderr.count("is not trusted; `shimhub trust` reads it")
    told = project.cli("trust").stdout
    assert "shims/target/f/shim.py" in told
    after = project.python(HAS_F)
    assert ("True\n", "") == (after.stdout, after.stderr)
    project.cli("distrust")
    assert "False\n" == project.python(HAS_F).stdout


def test_a_trusted_project_is_checked_without_openssl(project):
    """Start-up hashes with CPython's own SHA-256: hashlib would load OpenSSL in every process."""
    project.cli("trust")
    project.python("pass")  # the compiled table is warm from here on
    code = "import sys; print(sys.meta_path[0].names['target'], 'hashlib' in sys.modules)"
    assert "False False\n" == project.python(code).stdout


def test_a_python_without_a_hash_of_its_own_takes_hashlib(monkeypatch, tmp_path):
    """Builds may leave the accelerated hashes out; the digest is the same."""
    file = tmp_path / "file"
    file.write_text("content")
    own = trust.sha256_of(str(file))
    for name in ("_sha2", "_sha256"):
        monkeypatch.setitem(sys.modules, name, None)
    assert own == trust.sha256_of(str(file)) == hashlib.sha256(b"content").hexdigest()


def test_a_registry_in_the_working_directory_is_not_read(project):
    """A registry.toml that no pyproject names, beside the program, is nobody's."""
    project.file.unlink()
    done = project.python(HAS_F)
    assert ("False\n", "") == (done.stdout, done.stderr)
    (project.lab.root / "train.py").write_text(HAS_F)
    ran = project.cli("run", "train.py")
    assert "shimhub" not in ran.stderr


@pytest.mark.parametrize("changed", ["pyproject.toml", "registry.toml", "shims/target/f/shim.py"])
def test_a_change_of_any_trusted_file_ends_the_trust(project, changed):
    """The table, the rows and the code are pinned by content; the message names the file."""
    project.cli("trust")
    file = project.lab.root / changed
    file.write_text(file.read_text() + "\n# another line\n")
    done = project.python(HAS_F)
    assert "False\n" == done.stdout
    assert f"{file} is not as it was trusted" in done.stderr
    project.cli("trust")
    assert "True\n" == project.python(HAS_F).stdout


def test_code_beside_a_registry_in_another_folder_is_pinned_too(project):
    """`..` in the path of a registry leaves nothing out of the trust."""
    inner = project.lab.root / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text('[tool.shimhub]\nregistry = "../registry.toml"\n')
    told = project.cli("trust", str(inner / "pyproject.toml")).stdout
    assert str(project.lab.root / "shims" / "target" / "f" / "shim.py") in told.replace("\n", "")


def test_trust_without_a_name_tells_what_is_wrong_with_the_file_here(project):
    """A pyproject.toml that no table can be seen in is told about, not passed over."""
    project.file.write_bytes(b"\xff[tool.shimhub]\n")
    done = project.cli("trust", check=False)
    assert 2 == done.returncode
    assert "is not UTF-8" in done.stderr
    project.file.unlink()
    os.mkfifo(project.file)
    assert "there is no file" in project.cli("trust", check=False).stderr


def test_a_child_says_nothing_again_and_has_the_same_project(project):
    """In another folder a child still finds the project, by the variable; refusals come once."""
    child = f"""
        import os, subprocess, sys
        os.chdir("/")
        subprocess.run([sys.executable, "-c", {HAS_F!r}], check=True)
    """
    done = project.python(child)
    assert ("False\n", 1) == (done.stdout, done.stderr.count("not trusted"))
    project.cli("trust")
    assert ("True\n", "") == (project.python(child).stdout, project.python(child).stderr)


def test_run_uses_the_project_of_the_working_directory(project):
    """The launcher finds and tells it too, once for all processes."""
    project.cli("trust")
    assert "True\n" == project.cli("run", "-c", HAS_F).stdout
    project.file.write_text(project.file.read_text() + "strict = true\n")
    refused = project.cli("run", "-c", HAS_F)
    assert ("False\n", 1) == (refused.stdout, refused.stderr.count("not as it was trusted"))


def test_settings_of_the_table_count_and_the_command_line_beats_them(project):
    """`disable` in the table turns a shim off; --enable of the same id turns it on again."""
    project.file.write_text(project.file.read_text() + 'disable = ["target/f"]\n')
    project.cli("trust")
    assert "False\n" == project.cli("run", "-c", HAS_F).stdout
    assert "True\n" == project.cli("run", "--enable", "target/f", "-c", HAS_F).stdout
    project.file.write_text('[tool.shimhub]\nregistry = "registry.toml"\nonly = "target/*"\n')
    project.cli("trust")
    assert "True\n" == project.cli("run", "-c", HAS_F).stdout
    assert "False\n" == project.cli("run", "--only", "torch/*", "-c", HAS_F).stdout


def test_a_store_that_others_can_write_is_refused(project):
    """Then nothing is trusted; the message says how to look and mend, and the program runs."""
    project.cli("trust")
    store = project.lab.root / "config" / "shimhub" / "trust"
    for place, mode in ((store, 0o666), (store.parent, 0o777)):
        old = place.stat().st_mode
        place.chmod(mode)
        done = project.python(HAS_F)
        assert "False\n" == done.stdout
        assert "can be written by others" in done.stderr
        assert 2 == project.cli("trust", check=False).returncode
        place.chmod(old)
    assert "True\n" == project.python(HAS_F).stdout


def test_a_store_that_cannot_be_read_is_told(project):
    """A folder in its place is no store; nothing is trusted, and that is said."""
    store = project.lab.root / "config" / "shimhub" / "trust"
    store.mkdir(parents=True)
    done = project.python(HAS_F)
    assert "False\n" == done.stdout
    assert "cannot be read" in done.stderr


def test_mistakes_in_the_table_come_with_line_and_cure(store, tmp_path):
    """Unknown keys, wrong types and line breaks are errors; the store stays as it was."""
    file = tmp_path / "pyproject.toml"
    file.write_text(
        '[tool.shimhub]\nregistri = "x"\nenable = 1\nstrict = "yes"\nonly = ["a\\nb"]\n'
    )
    with pytest.raises(RegistryError) as caught:
        trusting.trust_project(str(file))
    told = [(one.line, one.key) for one in caught.value.problems]
    assert [(2, "registri"), (3, "enable"), (4, "strict"), (5, "only")] == told
    assert "did you mean 'registry'?" in str(caught.value)
    assert not store.exists()


def test_what_cannot_be_trusted_is_told(store, tmp_path):
    """A missing file, a file without the table, and a registry with errors are refused."""
    with pytest.raises(TrustError, match="there is no file"):
        trusting.trust_project(str(tmp_path / "none.toml"))
    file = tmp_path / "pyproject.toml"
    file.write_text("[project]\nname = 'x'\n")
    with pytest.raises(TrustError, match=r"no \[tool.shimhub\] table"):
        trusting.trust_project(str(file))
    file.write_text('[tool.shimhub]\nregistry = "none.toml"\n')
    with pytest.raises(RegistryError, match=r"none\.toml"):
        trusting.trust_project(str(file))
    with pytest.raises(TrustError, match="is not trusted"):
        trusting.distrust("acme")
    assert not store.exists()


@pytest.mark.usefixtures("store")
def test_a_store_that_cannot_be_written_is_told(tmp_path):
    """A file where its folder should be: the error names it."""
    (tmp_path / "config").write_text("")
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.shimhub]\n")
    with pytest.raises(TrustError, match="nothing was changed"):
        trusting.trust_project(str(file))


def test_projects_keep_apart_in_the_store(store, tmp_path):
    """Trusting one anew and distrusting another leaves the third as it was."""
    files = [tmp_path / name / "pyproject.toml" for name in ("a", "b", "ab")]
    for file in files:
        file.parent.mkdir()
        file.write_text('[tool.shimhub]\nenable = "cpu-device"\n')
        trusting.trust_project(str(file))
    trusting.trust_project(str(files[0]))
    trusting.distrust(str(files[1]))
    assert [str(files[2]), str(files[0])] == [one.name for one in trusting.entries()]
    assert {"enable": "cpu-device"} == trusting.entries()[0].settings
    assert 0o600 == store.stat().st_mode & 0o777


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("[tool.shimhub]", True),
        (" [ tool . shimhub ]", True),
        ('[tool."shimhub"]', True),
        ("tool.shimhub.strict = true", True),
        ("# [tool.shimhub]", False),
        ("dependencies = ['shimhub']", False),
        ("[tool.shimhubbub]", False),
    ],
)
def test_a_table_of_ours_is_seen_without_parsing(tmp_path, text, is_found):
    """The spellings of TOML that people use are seen; a mention is no table."""
    (tmp_path / "pyproject.toml").write_text(text + "\n")
    assert is_found == bool(trust.find_project())


@pytest.mark.usefixtures("store")
def test_a_pyproject_that_is_no_file_is_no_project(tmp_path):
    """A pipe is not read, which would never end; nor is a file of megabytes."""
    os.mkfifo(tmp_path / "pyproject.toml")
    assert "" == trust.find_project()
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.shimhub]\n" + b"#" * trust.MAX_BYTES)
    assert "" == trust.find_project()


def test_a_working_directory_that_is_gone_has_no_project(project):
    """A process whose folder was removed starts."""
    code = f"""
        import os, subprocess, sys
        os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
        subprocess.run([sys.executable, "-c", {HAS_F!r}], check=True)
    """
    project.file.unlink()
    assert "False\n" == project.python(code).stdout


# ---- entry points


@pytest.fixture
def acme(project) -> Project:
    """An installed distribution that offers a registry, in a package that cannot be imported."""
    lab = project.lab
    lab.module("acme.__init__", "raise RuntimeError('imported')")
    lab.module("acme.shims.__init__", "raise RuntimeError('imported')")
    folder = lab.site / "acme" / "shims"
    (folder / "registry.toml").write_text("schema = 1\n" + ROW.replace("target", "target"))
    lab.registry.rename(folder / "registry.toml")
    (lab.root / "shims").rename(folder / "shims")
    info = lab.site / "acme_dist-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-dist\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[shimhub.registries]\nacme = acme.shims\n")
    project.file.unlink()
    return project


def test_an_entry_point_is_read_after_trust_by_its_name(acme):
    """Its package is found and never imported: one that raises does no harm."""
    assert "False\n" == acme.python(HAS_F).stdout
    told = acme.cli("trust", "acme")
    assert "trusted: entry point acme" in told.stdout
    assert "True\n" == acme.python(HAS_F).stdout
    assert "entry point acme" in acme.cli("explain", "target/f").stdout
    acme.cli("distrust", "acme")
    assert "False\n" == acme.python(HAS_F).stdout


def test_a_trusted_entry_point_counts_only_where_it_is_installed(acme):
    """The store belongs to the user, the distribution to an environment."""
    acme.cli("trust", "acme")
    elsewhere = acme.python("import sys; print(len(sys.path))", PYTHONPATH=os.defpath)
    assert "" == elsewhere.stderr
    code = "import shimhub; print('target/f' in shimhub.plan())"
    root = str(Path(trust.__file__).parent.parent)
    assert "False\n" == acme.python(code, PYTHONPATH=root).stdout
    (acme.lab.site / "acme" / "shims" / "registry.toml").unlink()
    assert "False\n" == acme.python(HAS_F).stdout


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("acme = acme.shims", "acne", "did you mean 'acme'?"),
        ("acme = nowhere", "acme", "leads to no file"),
        ("acme = acme.shims:other.toml", "acme", "leads to no file"),
        ("acme = acme.shims:../../../registry.toml", "acme", "leads to no file"),
        ("acme = acme.shims:/dev/null", "acme", "leads to no file"),
        ("acme = ", "acme", "leads to no file"),
        ("acme = acme.shims:registry.toml", "acme", ""),
    ],
)
def test_entry_points_that_lead_nowhere_are_told(acme, text, name, told):
    """A typo gets a suggestion; a missing package or file is named."""
    info = acme.lab.site / "acme_dist-1.0.dist-info"
    (info / "entry_points.txt").write_text(f"[shimhub.registries]\n{text}\n")
    acme.lab.rows("")  # three folders above
    done = acme.cli("trust", name, check=False)
    assert (2 if told else 0) == done.returncode, done.stderr
    assert told in done.stderr


@pytest.mark.parametrize("text", ["[[[", "[shimhub.registries]\nacme\n", "\0\0", "= = ="])
def test_entry_points_of_a_broken_distribution_hurt_nobody(acme, text):
    """A file of entry points that cannot be read takes neither the command nor a start along."""
    info = acme.lab.site / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(text)
    done = acme.cli("trust", "acme", check=False)
    assert "Traceback" not in done.stderr
    assert 0 == done.returncode, done.stderr
    assert "True\n" == acme.python(HAS_F).stdout


def test_two_distributions_with_one_name_are_refused(acme):
    """Which of the two was meant is for the user to say."""
    info = acme.lab.site / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[shimhub.registries]\nacme = acme.shims\n")
    done = acme.cli("trust", "acme", check=False)
    assert 2 == done.returncode
    assert "offered by" in done.stderr
