"""``shimhub doctor`` in real virtual environments: each finding, and that its command mends it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from shimhub.doctor import files, registries
from shimhub.doctor.finding import NOTE, RULES
from shimhub.model import Shim
from shimhub.registry import Registry

ROOT = Path(__file__).parent.parent
BAD = "VIRTUAL_ENV", "FORCE_COLOR"

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="the commands are those of a POSIX shell"
)


class Clinic:
    """A virtual environment that sees this one's packages and shimhub, and a shell."""

    def __init__(self, env, root: Path) -> None:
        self.root = root
        self.python, self.site = env.python, env.site
        self.path = env.path_file.read_text().splitlines()
        self.cache, self.config = env.root / "cache", env.root / "config"
        told = {key: value for key, value in env.clean().items() if key not in BAD}
        self.environ = told | {"PYTHONNOUSERSITE": "1", "COLUMNS": "80"}

    def shell(self, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a script as a user would type it, in the clinic's folder."""
        return subprocess.run(
            ["sh", "-c", script],
            env=self.environ | environ,
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def look(self, first: str = "", *flags: str, options: str = "", **environ: str):
        """Return the exit code and the answer of doctor, after another command of that shell."""
        words = shlex.join([self.python, *flags, "-m", "shimhub", "doctor", "--format=json"])
        done = self.shell(f"{first}\n{words} {options}", **environ)
        assert "Traceback" not in done.stderr, done.stderr
        told = json.loads(done.stdout[done.stdout.index("{\n") :])
        assert (1, "doctor") == (told["schema"], told["kind"])
        return done.returncode, told

    def mends(self, code: str, **environ: str) -> list[dict[str, str]]:
        """Find ``code``, run what it tells, find it gone; return what was found of it."""
        exit_code, told = self.look(**environ)
        found = of(told, code)
        assert found, told["findings"]
        assert {RULES[code][0]} == {one["severity"] for one in found}
        assert exit_code == (
            1 if any(RULES[one["code"]][0] != NOTE for one in told["findings"]) else 0
        )
        commands = "\n".join(one["command"] for one in found)
        changing = [line for line in commands.splitlines() if not line.startswith("export ")]
        assert not any(str(ROOT) in line for line in changing), "tests leave the checkout alone"
        _, after = self.look(commands, **environ)
        assert [] == of(after, code), commands
        return found

    def rows(self, text: str, name: str = "registry.toml") -> str:
        """Write a registry and return its path."""
        path = self.root / name
        path.write_text("schema = 1\n" + text)
        return str(path)

    def editor(self) -> str:
        """Return an editor that deletes from the line on at which it is opened, in here only."""
        path = self.root / "editor"
        place = shlex.quote(str(self.root))
        path.write_text(f'#!/bin/sh\ncase $2 in {place}/*) sed -i "${{1#+}},\\$d" "$2" ;; esac\n')
        path.chmod(0o755)
        return str(path)


def of(told, code):
    """Return the findings of one rule."""
    return [one for one in told["findings"] if one["code"] == code]


def row(shim_id: str, attach: str = "target:f", **more: str) -> str:
    """Return an alias row."""
    keys = {"id": shim_id, "attach": attach, "action": "alias", "to": "math:sqrt", "why": "w"}
    return "[[shim]]\n" + "".join(
        f"{name} = {json.dumps(v)}\n" for name, v in (keys | more).items()
    )


@pytest.fixture
def clinic(env, tmp_path) -> Clinic:
    """A fresh environment, not activated."""
    return Clinic(env, tmp_path)


@pytest.fixture
def active(clinic) -> Clinic:
    """An activated environment."""
    assert "" == clinic.shell(f"{clinic.python} -m shimhub activate").stderr
    return clinic


# ---- what it looks like


def test_a_sound_environment_has_facts_and_no_finding_that_counts(active):
    """After `activate` the exit code is 0, and the facts say what there is."""
    code, told = active.look()
    assert (0, []) == (code, [one for one in told["findings"] if one["severity"] != NOTE])
    facts = told["facts"]
    assert ("activated", "active") == (facts["environment"], facts["process"])
    assert facts["python"].endswith(active.python)
    assert facts["cache"].startswith(str(active.cache))
    assert re.match(r"[0-9a-f]{16} \(\d+ shims in 1 file\)", facts["registry"])
    assert {"platform", "shimhub", "native"} <= facts.keys()


def test_text_fits_into_80_columns_and_commands_are_whole(clinic):
    """Sentences are wrapped; a command stands in one line behind a $, however long it is."""
    done = clinic.shell(f"{clinic.python} -m shimhub doctor", SHIMHUB="0")
    assert (1, "") == (done.returncode, done.stderr)
    lines = done.stdout.splitlines()
    assert "  $ unset SHIMHUB" in lines
    assert f"  $ {clinic.python} -m shimhub activate" in lines
    wrapped = [line for line in lines if not line.startswith("  $ ")]
    assert all(len(line) <= 80 or len(line.split()) <= 2 for line in wrapped), done.stdout
    assert re.fullmatch(r"1 warning, \d+ notes?", lines[-1])


def test_installed_targets_are_told_and_not_imported(clinic):
    """Versions of targets come from metadata; nothing of a target or a patcher runs."""
    for name in ("torch_checkpointing", "wrapt", "unsloth"):
        (clinic.site / f"{name}.py").write_text("raise SystemExit('imported')\n")
        info = clinic.site / f"{name}-99.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.1\n")
    _, told = clinic.look()
    assert "99.1" == told["facts"]["torch_checkpointing"]
    assert [one for one in of(told, "SH301") if one["where"] == "unsloth"]


def test_doctor_hears_the_users_word(clinic):
    """Rows that an option switches off are not told; a word that names nothing is exit 2."""
    registry = clinic.rows(row("old", retire="python>=3"))
    assert of(clinic.look(options=f"--registry {registry}")[1], "SH403")
    told = clinic.look(options=f"--registry {registry} --disable old")[1]
    assert [] == of(told, "SH403")
    done = clinic.shell(f"{clinic.python} -m shimhub doctor --disable odl --registry {registry}")
    assert (2, "") == (done.returncode, done.stdout)
    assert "did you mean 'old'?" in done.stderr


def test_every_rule_has_a_test():
    """Each code of the table of rules is named in this file."""
    told = Path(__file__).read_text("utf-8")
    assert [] == [code for code in RULES if f'"{code}"' not in told]


def test_every_rule_is_documented():
    """The table in docs/doctor.md is that of the rules, in their order."""
    told = (ROOT / "docs" / "doctor.md").read_text("utf-8").splitlines()
    rows = [f"| {code} | {severity} | {about} |" for code, (severity, about) in RULES.items()]
    assert rows == [line for line in told if line.startswith("| SH")]


def test_every_variable_is_known():
    """Each SHIMHUB_ variable that the code names is in the doctor's list, and no other."""
    from shimhub.doctor.process import VARIABLES

    texts = [path.read_text("utf-8") for path in (ROOT / "shimhub").rglob("*.py")]
    named = {
        one for text in texts for one in re.findall(r"(?<![.\w])SHIMHUB(?:_[A-Z]+)*\b(?!_)", text)
    }
    assert set(VARIABLES) == named


# ---- this process


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_flags_that_keep_start_up_files_from_running(clinic, flag):
    """Each of -I, -E and -S is told with what it does; the command is the same without it."""
    path = os.pathsep.join(clinic.path) if flag == "-S" else ""
    code, told = clinic.look("", flag, PYTHONPATH=path)
    (found,) = of(told, "SH001")
    assert (1, f"python {flag} ") == (code, found["what"][: 8 + len(flag)])
    done = clinic.shell(found["command"])
    assert "SH001" not in done.stdout
    assert "SH101" in done.stdout


def test_the_kill_switch(active):
    """SHIMHUB=0 is told, and nothing about a finder that is missing with reason."""
    active.mends("SH002", SHIMHUB="0")
    _, told = active.look(SHIMHUB="0")
    assert "not active (SHIMHUB=0)" == told["facts"]["process"]
    assert [] == of(told, "SH105")


def test_a_variable_that_nothing_reads(clinic):
    """A mistyped variable is told with the right name."""
    (found,) = clinic.mends("SH003", SHIMHUB_ENABEL="x")
    assert "did you mean 'SHIMHUB_ENABLE'?" in found["what"]


@pytest.mark.parametrize("name", ["SHIMHUB_ENABLE", "SHIMHUB_DISABLE", "SHIMHUB_ONLY"])
def test_a_variable_that_names_no_shim(clinic, name):
    """Words that no registry has are told with the nearest one; the command keeps the others."""
    (found,) = clinic.mends("SH004", **{name: "tritn,triton"})
    assert "did you mean 'triton'?" in found["what"]
    assert f"export {name}=triton" == found["command"]
    assert f"unset {name}" == clinic.mends("SH004", **{name: "tritn"})[0]["command"]


def test_another_digest_than_at_the_start(clinic):
    """A process whose registries differ from the launcher's is told; the same digest is not."""
    (found,) = clinic.mends("SH005", SHIMHUB_DIGEST="0123456789abcdef")
    digest = clinic.look()[1]["facts"]["registry"].split()[0]
    assert digest in found["what"]
    assert [] == of(clinic.look(SHIMHUB_DIGEST=digest)[1], "SH005")


def test_the_start_up_folder_of_another_shimhub(clinic):
    """A folder like ours on PYTHONPATH is told; the command keeps the other entries."""
    other = "/other/shimhub/activation/site"
    (found,) = clinic.mends("SH006", PYTHONPATH=f"{other}:/kept")
    assert "export PYTHONPATH=/kept" == found["command"]


def test_a_finder_that_was_taken_away(active):
    """Where start-up files should have made us active and no finder is there, that is an error."""
    hostile = "import sys; del sys.meta_path[0]\n"
    (active.site / "sitecustomize.py").write_text(hostile)
    code, told = active.look()
    (found,) = of(told, "SH105")
    assert (1, "error") == (code, found["severity"])
    done = active.shell(found["command"])
    assert "SH105" not in done.stdout
    assert "process:      active" in done.stdout


def test_a_start_that_failed(active):
    """A registry that cannot be read leaves the process unpatched: told with the reason."""
    registry = active.rows("x = 1\n")
    _, told = active.look(SHIMHUB_REGISTRY=registry)
    assert of(told, "SH105")
    assert of(told, "SH401")


def test_a_choice_that_keeps_the_hub_from_starting(active):
    """A word that names nothing keeps a booted finder from working: told, without a traceback."""
    _, told = active.look(SHIMHUB_ENABLE="nothing")
    assert "no shim, pack or glob is called 'nothing'" in of(told, "SH105")[0]["what"]


FIRST = """
import sys
from importlib.machinery import PathFinder

class First:
    def find_spec(self, name, path=None, target=None):
        return PathFinder.find_spec(name, path)

class Stubborn(list):
    def insert(self, place, finder):
        super().insert(max(place, 1), finder)

sys.meta_path = Stubborn([First(), *sys.meta_path])
"""


def test_a_finder_that_insists_on_the_first_place(active):
    """One that answers for all modules before ours is an error that names it."""
    (active.site / "sitecustomize.py").write_text(FIRST)
    (found,) = active.mends("SH106")
    assert "sitecustomize.First" in found["what"]


def test_a_shim_that_failed(active):
    """A shim that failed in this very process is told with its reason."""
    registry = active.rows(row("mine", "json:f", to="json:nothing"))
    (found,) = active.mends("SH107", SHIMHUB_REGISTRY=registry)
    assert ("mine", "export SHIMHUB_DISABLE=mine") == (found["where"], found["command"])


# ---- start-up files


def test_an_environment_that_is_not_activated(clinic):
    """That is a note, and no finding that counts."""
    code, told = clinic.look()
    assert (0, "not activated") == (code, told["facts"]["environment"])
    clinic.mends("SH101")


@pytest.mark.parametrize("suffix", [".pth", ".start"])
def test_half_an_activation(active, suffix):
    """One file without the other is a warning that names the missing one."""
    (active.site / f"zzz_shimhub{suffix}").unlink()
    assert "half activated" == active.look()[1]["facts"]["environment"]
    (found,) = active.mends("SH102")
    assert found["where"].endswith(suffix)
    assert "activated" == active.look()[1]["facts"]["environment"]


@pytest.mark.parametrize("suffix", [".pth", ".start"])
def test_a_start_up_file_of_another_version(active, suffix):
    """What mentions shimhub and is not what we write is written anew."""
    (active.site / f"zzz_shimhub{suffix}").write_text("# shimhub of old\n")
    active.mends("SH103")


def test_what_is_not_ours_is_moved_aside(active):
    """A file or folder of others in the place of ours is an error; it is kept."""
    for suffix in (".pth", ".start"):
        (active.site / f"zzz_shimhub{suffix}").unlink()
    (active.site / "zzz_shimhub.pth").write_text("/somewhere\n")
    (active.site / "zzz_shimhub.start").mkdir()
    assert 2 == len(active.mends("SH104"))
    assert "/somewhere\n" == (active.site / "zzz_shimhub.pth.aside").read_text()


# ---- the native library


def test_a_native_library_that_is_missing(clinic):
    """That is a warning with the reason; the command installs shimhub anew."""
    block = "import sys; sys.modules['shimhub.kernels._native'] = None\n"
    (clinic.site / "sitecustomize.py").write_text(block)
    code, told = clinic.look()
    (found,) = of(told, "SH201")
    assert (1, "not in use (") == (code, told["facts"]["native"][:12])
    assert found["command"].endswith(f"-m pip install --no-deps -e {ROOT}")


def test_a_native_library_that_is_switched_off(clinic):
    """SHIMHUB_NATIVE=0 is a note: the user's own word."""
    assert [] == of(clinic.look(SHIMHUB_NATIVE="0")[1], "SH201")
    clinic.mends("SH202", SHIMHUB_NATIVE="0")


@pytest.mark.parametrize("told", ["avx3", "portable, neon, sha_ni avx3"])
def test_lanes_that_cannot_be_used(clinic, told):
    """A lane that SHIMHUB_LANES misnames is an error with those to choose of."""
    (found,) = clinic.mends("SH203", SHIMHUB_LANES=told)
    assert "unknown lane 'avx3'; choose of portable" in found["what"]


# ---- others


def test_a_patcher_that_is_installed(clinic):
    """A known one is told with what it does; the command uninstalls it."""
    pytest.importorskip("pip", reason="the command is pip's")
    info = clinic.site / "unsloth-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unsloth\nVersion: 2.0\n")
    (info / "RECORD").write_text(
        "unsloth-2.0.dist-info/METADATA,,\nunsloth-2.0.dist-info/RECORD,,\n"
    )
    (found,) = [one for one in of(clinic.look()[1], "SH301") if one["where"] == "unsloth"]
    assert found["what"].startswith("unsloth 2.0: ")
    _, told = clinic.look(found["command"])
    assert "unsloth" not in [one["where"] for one in of(told, "SH301")]


def test_a_finder_of_others(clinic):
    """A finder that is neither ours nor Python's is told by name; harmless ones are not."""
    text = "import sys\nclass F:\n  def find_spec(*a): pass\nsys.meta_path.insert(0, F())\n"
    (clinic.site / "sitecustomize.py").write_text(text)
    (found,) = clinic.mends("SH302")
    assert "sitecustomize.F answers imports" in found["what"]
    (clinic.site / "sitecustomize.py").write_text(text + "F.__module__ = '_distutils_hack'\n")
    assert [] == of(clinic.look()[1], "SH302")


def test_a_line_that_runs_at_every_start(clinic):
    """Import lines of other .pth files are told, long ones cut; paths and known ones are not."""
    line = "import os; os.environ.setdefault('A_RATHER_LONG_NAME_OF_A_VARIABLE', 'a long value')"
    (clinic.site / "other.pth").write_text(line + "\n/a/path\n")
    (clinic.site / "distutils-precedence.pth").write_text("import os\n")
    (found,) = clinic.mends("SH303")
    assert (line[:60] + "…", True) == (found["what"], found["where"].endswith("other.pth"))


def test_imports_that_another_function_answers(clinic):
    """A replaced builtins.__import__ is told by name."""
    text = "import builtins\nreal = builtins.__import__\n"
    text += "def mine(*a, **k): return real(*a, **k)\nbuiltins.__import__ = mine\n"
    (clinic.site / "sitecustomize.py").write_text(text)
    (found,) = clinic.mends("SH304")
    assert "sitecustomize.mine" in found["what"]


# ---- registries


def test_an_error_of_a_registry(clinic):
    """Each is told with file and line; the command opens it there."""
    registry = clinic.rows("x = 1\n")
    found = clinic.mends("SH401", SHIMHUB_REGISTRY=registry, EDITOR=clinic.editor())
    assert [f"{registry}:2"] == [one["where"] for one in found]
    code, told = clinic.look(SHIMHUB_REGISTRY=registry)
    assert (0, []) == (code, of(told, "SH401"))


def test_a_registry_that_is_gone(clinic):
    """A file of SHIMHUB_REGISTRY that does not exist is taken out of the variable."""
    kept = clinic.rows(row("mine"))
    (found,) = clinic.mends("SH401", SHIMHUB_REGISTRY=f"{clinic.root}/gone.toml:{kept}")
    assert f"export SHIMHUB_REGISTRY={kept}" == found["command"]


def test_a_row_that_waits_for_a_module_that_nearly_exists(clinic):
    """What `check` finds, the doctor tells with the command that opens the row."""
    registry = clinic.rows(row("mine", "numpi:f"))
    (found,) = clinic.mends("SH402", SHIMHUB_REGISTRY=registry, EDITOR=clinic.editor())
    assert "did you mean 'numpy'?" in found["what"]


def test_code_without_a_row_is_moved_aside(clinic):
    """A folder that no row has leaves shims/, and is kept."""
    folder = clinic.root / "shims" / "left" / "over"
    folder.mkdir(parents=True)
    (folder / "shim.py").write_text("x = 1\n")
    clinic.mends("SH402", SHIMHUB_REGISTRY=clinic.rows(row("mine")))
    assert "x = 1\n" == (clinic.root / "over.aside" / "shim.py").read_text()


def test_a_row_that_has_outlived_its_use(clinic):
    """A row whose retirement rule is met is told; one's own is deleted, another's switched off."""
    registry = clinic.rows(row("kept") + row("old", "target:g", retire="python>=3"))
    (found,) = clinic.mends("SH403", SHIMHUB_REGISTRY=registry, EDITOR=clinic.editor())
    assert found["what"].startswith("old: obsolete since python>=3")
    packaged = Shim("old", "m:f", "alias", "w", file=registry, line=3, retire="python>=3")
    assert "1 packaged shims, natively there (python>=3)" == registries.obsolete_state(
        Registry((packaged,), {}, {})
    )
    assert "export SHIMHUB_DISABLE=a,old" == registries._drop(packaged, {"SHIMHUB_DISABLE": "a"})


def test_a_row_that_hides_another(clinic):
    """A note names both files."""
    first = clinic.rows(row("mine"), "first.toml")
    second = clinic.rows(row("mine"), "second.toml")
    environ = {"SHIMHUB_REGISTRY": f"{first}:{second}", "EDITOR": clinic.editor()}
    (found,) = clinic.mends("SH404", **environ)
    assert (first in found["what"], second in found["where"]) == (True, True)


def test_rows_that_exclude_each_other(clinic):
    """Both rows of a conflict are told; the command switches one off."""
    registry = clinic.rows(row("a") + row("b", "target:g", conflicts=["a"]))
    found = clinic.mends("SH405", SHIMHUB_REGISTRY=registry)
    assert found


# ---- trust


@pytest.fixture
def project(clinic) -> Path:
    """A pyproject.toml in the clinic's folder that names a registry beside it."""
    clinic.rows(row("mine"))
    path = clinic.root / "pyproject.toml"
    path.write_text('[tool.shimhub]\nregistry = ["registry.toml"]\n')
    return path


def test_a_project_that_is_not_trusted(clinic, project):
    """A [tool.shimhub] that is not read is told; the command trusts it, and its row is there."""
    before = clinic.look()[1]["facts"]["registry"]
    (found,) = clinic.mends("SH501")
    assert str(project) == found["where"]
    after = clinic.look()[1]["facts"]["registry"]
    assert ("1 file", "2 files") == (before[-7:-1], after[-8:-1])


def test_a_distribution_that_offers_a_registry(clinic):
    """An entry point that is not trusted is a note; its package is not imported for it."""
    clinic.rows(row("theirs"), "acme.toml")
    package = clinic.site / "acme"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    (package / "registry.toml").write_text("schema = 1\n" + row("theirs"))
    info = clinic.site / "acme-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[shimhub.registries]\nacme = acme\n")
    (found,) = clinic.mends("SH502")
    assert str(package / "registry.toml") == found["where"]
    assert "2 files" in clinic.look()[1]["facts"]["registry"]
    for path in package.iterdir():
        path.unlink()
    (found,) = clinic.mends("SH503")
    assert found["command"].endswith("distrust acme")


@pytest.mark.usefixtures("project")
def test_a_trusted_file_that_changed(clinic):
    """An edit makes the project unread until it is trusted anew."""
    clinic.mends("SH501")
    registry = clinic.rows(row("mine") + row("other", "target:g"))
    (found,) = clinic.mends("SH503")
    assert registry == found["where"]


def test_a_trusted_file_that_is_gone(clinic, project):
    """A registry that was deleted is told; the command takes the trust back."""
    clinic.mends("SH501")
    (clinic.root / "registry.toml").unlink()
    (found,) = clinic.mends("SH503")
    assert f"distrust {project}" in found["command"]


@pytest.mark.usefixtures("project")
def test_a_store_that_others_can_write(clinic):
    """Nothing that such a store trusts is used; the command takes the right away."""
    clinic.mends("SH501")
    (clinic.config / "shimhub" / "trust").chmod(0o666)
    (found,) = clinic.mends("SH504")
    assert found["command"].startswith("chmod go-w ")
    assert "2 files" in clinic.look()[1]["facts"]["registry"]


def test_a_store_that_cannot_be_read(clinic):
    """A folder in the place of the store is moved aside."""
    (clinic.config / "shimhub" / "trust").mkdir(parents=True)
    (found,) = clinic.mends("SH504")
    assert "cannot be read" in found["what"]


def test_a_trusted_project_that_names_no_shim(clinic):
    """A setting that names nothing is told with the nearest word; the file is opened."""
    project = clinic.root / "pyproject.toml"
    project.write_text('[tool.shimhub]\nenable = ["tritn"]\n')
    clinic.mends("SH501")
    _, told = clinic.look()
    (found,) = of(told, "SH505")
    assert "'tritn' names no shim, pack or glob (did you mean 'triton'?)" in found["what"]
    mend = f"EDITOR='sed -i s/tritn/triton/'; {found['command']}; {clinic.python} -m shimhub trust"
    assert [] == of(clinic.look(mend)[1], "SH505")


# ---- copies and caches


def test_another_copy_of_shimhub(clinic):
    """A second copy on sys.path is told with its version and leaves PYTHONPATH."""
    other = clinic.root / "other"
    (other / "shimhub").mkdir(parents=True)
    (other / "shimhub" / "_version.py").write_text('__version__ = "0.0.7"\n')
    (found,) = clinic.mends("SH406", PYTHONPATH=f"{ROOT}:{other}")
    assert ("another copy, 0.0.7", str(other / "shimhub")) == (found["what"][:19], found["where"])
    (clinic.site / "shimhub").mkdir()
    (clinic.site / "shimhub" / "_version.py").write_text("")
    (found,) = of(clinic.look(PYTHONPATH=str(ROOT))[1], "SH406")
    assert "of unknown version" in found["what"]
    assert found["command"].endswith("-m pip uninstall -y shimhub")


def test_a_registry_that_a_build_left_in_the_package(clinic):
    """An old copy in a checkout's package is told and removed; the checkout's is read again."""
    checkout = clinic.root / "checkout"
    shutil.copytree(ROOT / "shimhub", checkout / "shimhub")
    for folder in (checkout, checkout / "shimhub"):
        (folder / "shims").mkdir()
        (folder / "registry.toml").write_text("schema = 1\n")
    assert [] == of(clinic.look(PYTHONPATH=str(checkout))[1], "SH409")
    (checkout / "registry.toml").write_text("schema = 1\n" + row("mine"))
    clinic.mends("SH409", PYTHONPATH=str(checkout))
    assert "(1 shim in" in clinic.look(PYTHONPATH=str(checkout))[1]["facts"]["registry"]


def test_files_without_an_owner(monkeypatch):
    """Where the system knows no owner of files, no compiled table is used, and that is no news."""
    monkeypatch.delattr(os, "geteuid", raising=False)
    assert [] == list(files.of_cache())


def test_metadata_of_another_version(clinic):
    """An installation that is older than its code is told."""
    info = clinic.site / "shimhub-0.0.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shimhub\nVersion: 0.0.7\n")
    (found,) = of(clinic.look()[1], "SH407")
    assert "0.0.7" in found["what"]
    assert f"pip install --no-deps -e {ROOT}" in found["command"]


def test_a_cache_that_others_can_write(clinic):
    """Folder and tables must be writable by their owner alone; the command sees to that."""
    clinic.look()
    folder = clinic.cache / "shimhub"
    (table,) = folder.glob("*.table")
    table.chmod(0o666)
    clinic.mends("SH408")
    folder.chmod(0o777)
    (found,) = clinic.mends("SH408")
    assert str(folder) == found["where"]


def test_a_cache_that_cannot_be_written(clinic):
    """A file in the place of the folder is told; the command names another place."""
    clinic.cache.write_text("")
    (found,) = clinic.mends("SH408")
    assert "it cannot be written" == found["what"]
