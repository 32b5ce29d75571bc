"""Cases 41 and 44 to 50 of CASES.md: child processes, start-up files, kernels, and odd hosts.

Which kind of child is active by which activation is a table in docs/activation.md, and
tests/test_activation_matrix.py runs every cell of it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

#: Children of every kind; what differs by Python is also in test_startup and test_records.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
IS_ACTIVE = "any('shimhub' in type(one).__module__ for one in __import__('sys').meta_path)"
ADDED = """\
[[shim]]
id = "target/added"
attach = "target:Added"
action = "add"
why = "Added was missing."
"""
ALIAS = """\
[[shim]]
id = "target/f"
attach = "target:f"
action = "alias"
to = "math:sqrt"
why = "f was missing."
"""


def need(*names):
    """Skip where one of these packages is not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")


@pytest.fixture
def added(lab):
    """A lab whose target has a class by a shim alone: unpickling it needs the shim."""
    lab.module("target", "")
    lab.rows(ADDED + ALIAS)
    lab.shim(
        "target/added",
        """
        def build(original, ctx):
            class Added:
                def __init__(self, number):
                    self.number = number
                def __len__(self):
                    return self.number
                def __getitem__(self, at):
                    return self.number + at
            return Added
        """,
    )
    return lab


def program(lab, text, name="prog.py"):
    """Write a program; returns its name."""
    (lab.root / name).write_text(textwrap.dedent(text))
    return name


# ---- 41: children


POOLS = """
    import multiprocessing, operator, subprocess, sys
    from concurrent.futures import ProcessPoolExecutor
    if __name__ == "__main__":
        import target
        number = operator.attrgetter("number")
        for method in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context(method)
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                assert 3 == pool.submit(number, target.Added(3)).result(), method
            child = context.Process(target=number, args=(target.Added(4),))
            child.start()
            child.join()
            assert 0 == child.exitcode, method
            print(method)
"""


@pytest.mark.parametrize("way", ["run", "auto"])
@pytest.mark.filterwarnings("default")
def test_case_41_children_have_shims_before_they_unpickle(added, way):
    """What is sent to a child by spawn, forkserver or fork may be of a class that a shim adds."""
    if way == "auto":
        name = program(added, POOLS.replace("import mult", "import shimhub.auto, mult"))
        done = added.start([sys.executable, name], SHIMHUB_REGISTRY=str(added.registry))
    else:
        done = added.cli("run", "--registry", "registry.toml", program(added, POOLS))
    assert "" == done.stderr
    assert "spawn" in done.stdout.split()


@pytest.mark.e2e
def test_case_41_data_loader_workers_have_shims_before_they_unpickle(added):
    """A dataset of a class that a shim adds reaches DataLoader workers of both kinds."""
    need("torch")
    name = program(
        added,
        """
        if __name__ == "__main__":
            import target
            from torch.utils.data import DataLoader
            for method in ("fork", "spawn"):
                loader = DataLoader(target.Added(3), num_workers=1, multiprocessing_context=method)
                assert [3, 4, 5] == [int(one) for one in loader], method
        """,
    )
    added.cli("run", "--registry", "registry.toml", name)


def test_case_41_our_own_start_starts_no_process(env):
    """From the start-up file to the applied shim we start no child, so nothing recurs."""
    (env.site / "b_audit.pth").write_text(
        "import sys; told = []; sys.started = told; sys.addaudithook(lambda name, args, told=told:"
        " name in ('subprocess.Popen', 'os.fork', 'os.posix_spawn', 'os.system', 'os.exec')"
        " and told.append(name))\n"
    )
    assert 0 == env.start("-m", "shimhub", "activate").returncode
    (env.site / "target.py").write_text("")
    row = env.root / "row.toml"
    row.write_text("schema = 1\n" + ALIAS + 'when = { python = ">=3", platform = "linux" }\n')
    code = "import os, sys, target; print(target.f(4), sys.started); os.system('true')"
    done = env.start("-c", code + "; print(sys.started)", SHIMHUB_REGISTRY=str(row))
    assert ("2.0 []\n['os.system']\n", "") == (done.stdout, done.stderr)


# ---- 44: the file that Python 3.15 reads


def entries(env):
    """Return the entry points of the .start file, read as PEP 829 has it."""
    lines = (env.site / "zzz_shimhub.start").read_text("utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def test_case_44_the_entry_of_the_start_file_activates_and_not_twice(env):
    """Called once, with the .pth ignored as in 3.18 or run as well, one finder stands there."""
    assert 0 == env.start("-m", "shimhub", "activate").returncode
    (entry,) = entries(env)
    assert ":" in entry
    code = (
        f"import pkgutil, sys; before = {IS_ACTIVE}; assert pkgutil.resolve_name({entry!r})()"
        " is None; print(before, sum('shimhub' in type(f).__module__ for f in sys.meta_path))"
    )
    assert "True 1\n" == env.start("-c", code).stdout
    (env.site / "zzz_shimhub.pth").unlink()
    assert "False 1\n" == env.start("-c", code).stdout
    assert "False 0\n" == env.start("-c", code, SHIMHUB="0").stdout


# ---- 45: off is off


def test_case_45_switched_off_nothing_is_imported(env):
    """An activated environment with SHIMHUB=0 has the very modules of one without the files."""
    told = "import sys; print(sorted(sys.modules), sys.meta_path, len(sys.path_hooks))"
    addresses = env.start("-c", told).stdout
    assert 0 == env.start("-m", "shimhub", "activate").returncode
    assert addresses == env.start("-c", told, SHIMHUB="0").stdout
    assert addresses != env.start("-c", told).stdout


@pytest.mark.parametrize("way", ["run", "auto", "install", "child"])
@pytest.mark.parametrize("off", ["SHIMHUB", "SHIMHUB_DISABLE"])
def test_case_45_the_kill_switch_and_the_disable_list_are_honoured_everywhere(added, way, off):
    """By each activation, and in a child, a disabled shim is off and the other one on."""
    told = "import target; print(hasattr(target, 'Added'), hasattr(target, 'f'))"
    told = told.replace("import", {"auto": "import shimhub.auto,"}.get(way, "import"), 1)
    if way == "install":
        told = f"import shimhub; shimhub.install(); {told}"
    if way == "child":
        told = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {told!r}])"
    head = [sys.executable, *(("-m", "shimhub", "run") if way in ("run", "child") else ())]
    value = {"SHIMHUB": "0", "SHIMHUB_DISABLE": "target/added"}[off]
    done = added.start([*head, "-c", told], SHIMHUB_REGISTRY=str(added.registry), **{off: value})
    assert ("False False\n" if off == "SHIMHUB" else "False True\n", "") == (
        done.stdout,
        done.stderr,
    )


# ---- 46: ranks that differ


def test_case_46_ranks_with_another_registry_are_told_at_once_and_in_the_report(added):
    """A rank that reads other rows says so on stderr, and the report tells which ranks differ."""
    other = added.root / "other.toml"
    other.write_text("schema = 1\n" + ALIAS.replace("sqrt", "cos"))
    name = program(
        added,
        f"""
        import os, subprocess, sys
        for rank, registry in enumerate(["registry.toml", "registry.toml", {str(other)!r}]):
            told = {{"RANK": str(rank), "WORLD_SIZE": "3", "SHIMHUB_REGISTRY": registry}}
            subprocess.run([sys.executable, "-c", "import target"], env=os.environ | told)
        """,
    )
    folder = str(added.root / "records")
    done = added.cli("run", "--registry", "registry.toml", name, SHIMHUB_RUN_DIR=folder)
    assert 1 == done.stderr.count("shimhub: registries differ here (")
    report = added.cli("report", folder, "--format", "json", check=False)
    found = json.loads(report.stdout)
    assert 1 == report.returncode
    (finding,) = [one for one in found["findings"] if "registries differ" in one]
    assert finding.endswith("rank 2"), finding
    assert {"active": 3, "known": 3} == found["active"]["rank"]


# ---- 47: the native library


@pytest.fixture
def copied(tmp_path):
    """A copy of the package without its extension; returns a function that asks the copy."""
    folder = tmp_path / "copy"
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "shimhub", folder / "shimhub", ignore=ignored)

    def ask(code, **env):
        clean = {key: value for key, value in os.environ.items() if "SHIMHUB" not in key}
        done = subprocess.run(
            [sys.executable, "-c", "from shimhub import kernels\n" + textwrap.dedent(code)],
            env=clean | {"PYTHONPATH": str(folder)} | env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        return done.stdout

    ask.kernels = folder / "shimhub" / "kernels"
    return ask


FALLBACK = """
    from shimhub.kernels._reference import cpu
    assert kernels.cpu_features() == cpu.cpu_features()
    print(kernels.available(), kernels.why_unavailable())
"""


def extension(name):
    """Return the file of a compiled module of this Python that is not ours."""
    return Path(importlib.util.find_spec(name).origin)


@pytest.mark.parametrize("broken", ["missing", "no library", "another module"])
def test_case_47_without_a_usable_kernel_the_reference_answers_and_says_why(copied, broken):
    """A library that is missing, no ELF or another module's is told with the cure."""
    file = copied.kernels / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    if broken == "no library":
        file.write_bytes(b"not ELF")
    elif broken == "another module":
        shutil.copy(extension("_cffi_backend"), file)
    told = copied(FALLBACK)
    assert told.startswith("False ")
    assert "reinstall shimhub" in told


def test_case_47_kernels_work_in_a_forked_child():
    """Loaded before the fork or in the child, the library answers the same."""
    from shimhub import kernels

    if not kernels.available():
        pytest.skip(kernels.why_unavailable())
    code = (
        "import os, sys; from shimhub import kernels\n"
        "if sys.argv[1] == 'before': first = kernels.cpu_features()\n"
        "child = os.fork()\n"
        "told = kernels.available(), sorted(kernels.cpu_features())\n"
        "os.write(1, f'{told}\\n'.encode())\n"
        "child and sys.exit(os.waitpid(child, 0)[1])\n"
    )
    for when in ("before", "after"):
        done = subprocess.run(
            [sys.executable, "-c", code, when],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        first, second = done.stdout.splitlines()
        assert first == second
        assert first.startswith("(True")


@pytest.mark.e2e
@pytest.mark.parametrize("first", ["kernels", "torch"])
def test_case_47_kernels_and_torchs_threads_get_along_in_either_order(first):
    """Loaded before or after torch's OpenMP, both compute on threads and answer the same."""
    need("torch")
    parts = {
        "kernels": "from shimhub import kernels; assert kernels.cpu_features()",
        "torch": (
            "import torch; torch.set_num_threads(2);"
            " assert 2.0 * 300 == float(torch.mm(torch.ones(300, 300), torch.ones(300, 300)"
            " * 2)[0, 0])"
        ),
    }
    second = parts["torch" if first == "kernels" else "kernels"]
    code = "\n".join([parts[first], second, parts["torch"], parts["kernels"]])
    command = [sys.executable, "-W", "ignore", "-c", code]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)


def test_case_47_nothing_native_is_loaded_by_an_import_of_a_target(added):
    """Neither the finder nor the hub loads a library: cffi and ours are not in the process."""
    code = """
        import sys, target
        assert target.f(4) == 2
        assert not {"_cffi_backend", "shimhub.kernels"} & set(sys.modules)
        print([line for line in open("/proc/self/maps") if "_native" in line])
    """
    (added.root / "prog.py").write_text(textwrap.dedent(code))
    if not os.path.exists("/proc/self/maps"):
        pytest.skip("reads the process's maps from /proc")
    assert "[]\n" == added.cli("run", "--registry", "registry.toml", "prog.py").stdout


# ---- 48: registries that cannot be used


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("schema = 1\n[[shim\n", "registry.toml:2: syntax: not valid TOML"),
        ("schema = 1\n" + ALIAS + 'attack = "x"\n', "8: target/f: attack: unknown key"),
        ("schema = 1\n" + ALIAS + ALIAS, "9: target/f: id: is declared twice; first in line 2"),
        ("schema = 1\n" + ADDED + 'source = "../x.py:f"\n', "source: "),
        ("schema = 1\n" + ADDED + 'source = "os:system"\n', "source: "),
    ],
)
def test_case_48_a_registry_that_cannot_be_used_is_told_with_its_place(added, text, told):
    """`run` ends with 2 before the program, and names file, line, key and what is wrong."""
    added.registry.write_text(text)
    done = added.cli("run", "--registry", "registry.toml", "-c", "print(1)", check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert told in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="about the permissions of POSIX")
def test_case_48_a_registry_that_everybody_can_write_is_refused(added):
    """Its rows name code that would run: the message names the file and the command to mend it."""
    added.registry.chmod(0o666)
    done = added.cli("run", "--registry", "registry.toml", "-c", "print(1)", check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert f"can be written by everybody; `chmod o-w {added.registry}`" in done.stderr
    added.registry.chmod(0o664)
    told = "import target; print(target.f(4))"
    assert "2.0\n" == added.cli("run", "--registry", "registry.toml", "-c", told).stdout


def test_case_48_only_the_declared_file_is_executed(added):
    """Other files of a shim's folder, its package and the registry's folder are not run."""
    for place in ("shims/__init__.py", "shims/target/__init__.py", "shims/target/added/probe.py"):
        (added.root / place).write_text("raise SystemExit('executed')\n")
    (added.root / "conftest.py").write_text("raise SystemExit('executed')\n")
    told = "import target; print(target.Added(3).number)"
    done = added.cli("run", "--registry", "registry.toml", "-c", told)
    assert ("3\n", "") == (done.stdout, done.stderr)


# ---- 49: shutdown, reload, coverage, debugger, frozen


SHUTDOWN = """
    import sys, target, threading, time
    class Late:
        def __del__(self):
            for name in ("target", "wave", "no_such_module"):
                sys_modules.pop(name, None)
                try:
                    __import__(name)
                    print(name)
                except ImportError as error:
                    print(error)
    sys_modules = sys.modules
    target.late = sys.late = late = Late()
    def forever():
        while True:
            sys_modules.pop("wave", None)
            import wave
            time.sleep(0.001)
    threading.Thread(target=forever, daemon=True).start()
    time.sleep(0.01)
"""


def test_case_49_imports_at_interpreter_shutdown_are_as_under_plain_python(added):
    """An object that imports when sys.meta_path is gone, and a thread that still does."""
    name = program(added, SHUTDOWN)
    plain = added.start([sys.executable, name])
    ours = added.cli("run", "--registry", "registry.toml", name)
    assert (plain.stdout, plain.stderr) == (ours.stdout, ours.stderr)


def test_case_49_the_debugger_steps_over_a_patched_import(added):
    """Pdb runs a program to its end under `run` as under plain python, with shims on."""
    name = program(added, "import target\nprint('f' in vars(target))\n")
    script = "next\nnext\nnext\ncontinue\nquit\n"
    told = []
    for head in ([], ["-m", "shimhub", "run", "--registry", "registry.toml"]):
        done = subprocess.run(
            [sys.executable, *head, "-m", "pdb", name],
            input=script,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(added.site), str(ROOT)])},
            cwd=added.root,
            capture_output=True,
            text=True,
            check=False,
        )
        told.append((done.returncode, done.stdout, done.stderr))
    plain, ours = told
    assert "True" in ours[1]
    assert plain == (ours[0], ours[1].replace("True", "False"), ours[2])


@pytest.mark.e2e
@pytest.mark.parametrize("way", ["run", "auto"])
def test_case_49_coverage_measures_a_program_as_without_us(added, way):
    """`coverage run` under `run`, and of a program with shimhub.auto, sees the same lines."""
    need("coverage")
    head = "import shimhub.auto\n" if way == "auto" else "import sys\n"
    name = program(added, head + "import target\nprint('f' in vars(target))\n")
    own = ["-m", "shimhub", "run"] if way == "run" else []
    told = {}
    for switch in ("0", "1"):
        added.start(
            [sys.executable, *own, "-m", "coverage", "run", "--include=prog.py", name],
            SHIMHUB=switch,
            SHIMHUB_REGISTRY=str(added.registry),
        )
        report = [sys.executable, "-m", "coverage", "json", "-q", "-o", "-"]
        told[switch] = json.loads(added.start(report).stdout)["files"]["prog.py"]
    assert [1, 2, 3] == told["1"]["executed_lines"]
    assert told["0"] == told["1"]


@pytest.mark.e2e
def test_case_49_autoreload_of_ipython_keeps_shims(added):
    """%autoreload 2 reloads a patched module that was edited: the edit and the shim are there."""
    need("IPython")
    name = program(
        added,
        f"""
        import os, sys, time, warnings
        import shimhub.auto
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        def cell(text):
            found = shell.run_cell(text)
            found.raise_error()
            return found.result
        cell("%load_ext autoreload")
        cell("%autoreload 2")
        cell("import target")
        assert cell("target.f(4)") == 2.0
        file = {str(added.site / "target.py")!r}
        with open(file, "w") as stream:
            stream.write("edited = 1\\n")
        later = time.time() + 10
        os.utime(file, (later, later))
        assert cell("target.edited") == 1
        assert cell("target.f(4)") == 2.0
        assert cell("import shimhub; shimhub.status()['target/f'].status") == "APPLIED"
        """,
    )
    added.start([sys.executable, name], SHIMHUB_REGISTRY=str(added.registry))


def test_case_49_an_interpreter_that_is_part_of_an_application(added):
    """Without site, an executable of its own, argv or __main__'s file, auto works: as if frozen."""
    added.run(
        """
        import sys
        assert "site" not in sys.modules
        sys.frozen, sys._MEIPASS, sys.executable, sys.orig_argv = True, "/nowhere", "", []
        del sys.argv
        import shimhub.auto
        import target
        assert target.f(4) == 2.0
        import __phello__.spam
        """,
        "-S",
        SHIMHUB_REGISTRY=str(added.registry),
        PYTHONPATH=os.pathsep.join(
            [str(added.site), str(ROOT), *(one for one in sys.path if one.endswith("-packages"))]
        ),
    )


# ---- 50: free threads and lazy imports


def test_case_50_the_finder_reads_a_table_that_nobody_changes(added):
    """An install swaps the table for another one; a reader needs no lock, whatever it holds."""
    added.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        finder = next(one for one in __import__("sys").meta_path if "Finder" in type(one).__name__)
        first = finder.names
        told = dict(first)
        shimhub.install()
        assert finder.names is not first and "target" in first and first == told
        assert "target" not in finder.names
    """)


def test_case_50_a_lazy_module_gets_its_shims_when_it_becomes_real(added):
    """A module that is loaded at first use (3.15's lazy imports, LazyLoader) is patched then."""
    added.module("target", "print('body')\n")
    done = added.run("""
        import importlib.util, sys
        import shimhub
        shimhub.install(registry=REGISTRY)
        spec = importlib.util.find_spec("target")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules["target"] = module
        spec.loader.exec_module(module)
        assert "APPLIED" != shimhub.status()["target/f"].status
        print("before")
        assert module.f(4) == 2.0
        assert "APPLIED" == shimhub.status()["target/f"].status
    """)
    assert "before\nbody\n" == done.stdout
