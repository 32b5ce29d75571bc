"""CASES.md 1 to 15: finder and loader beside everything else that lives on ``sys.meta_path``."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import subprocess
import sys
import textwrap
import zipfile

import pytest

ADD = """
    [[shim]]
    id = "{0}/added"
    attach = "{0}:added"
    action = "alias"
    to = "math:tau"
    why = "{0} lacks it."
"""
WRAP = """
    [[shim]]
    id = "{0}/f"
    attach = "{0}:f"
    action = "wrap"
    why = "One more."
"""
INSTALL = "import shimhub; shimhub.install(registry=REGISTRY)\n"


def adding(lab, *modules: str) -> None:
    """Write a registry that adds the name ``added`` to each of ``modules``."""
    lab.rows("".join(textwrap.dedent(ADD).format(module) for module in modules))


def wrapping(lab, module: str = "target") -> None:
    """Write a registry whose row makes ``module.f`` return one more than the original."""
    lab.rows(textwrap.dedent(WRAP).format(module))
    code = "def build(original, ctx):\n    def f():\n        return original() + 1\n    return f\n"
    lab.shim(f"{module}/f", code)


def alike(lab, code: str) -> str:
    """Run ``code`` without and with the hub, require the same of both, and return stdout."""
    code = textwrap.dedent(code)
    plain = lab.run("import shimhub\n" + code)
    hooked = lab.run(INSTALL + code)
    assert plain.stderr == hooked.stderr
    assert plain.stdout == hooked.stdout
    assert plain.returncode == hooked.returncode
    return plain.stdout + plain.stderr


def zipped(lab, **modules: str) -> None:
    """Write ``site/bundle.zip`` with ``modules``."""
    with zipfile.ZipFile(lab.site / "bundle.zip", "w") as archive:
        for name, text in modules.items():
            archive.writestr(f"{name}.py", textwrap.dedent(text))


# -- 1 to 4: threads and half-made modules --------------------------------------------------------


def test_case_01_thread_imports_child_during_init(lab):
    """A target that imports its own child in a thread from its ``__init__`` does not deadlock."""
    lab.module(
        "target.__init__",
        """
        import importlib, threading
        worker = threading.Thread(target=importlib.import_module, args=("target.child",))
        worker.start()
        worker.join(20)
        assert not worker.is_alive(), "deadlock"
        """,
    )
    lab.module("target.child")
    adding(lab, "target", "target.child")
    lab.run(
        INSTALL
        + """
import math, target
assert target.added is target.child.added is math.tau
"""
    )


def test_case_01_finder_uses_the_path_it_is_given(lab):
    """The child is searched where importlib says, without importing or even finding the parent."""
    lab.module("elsewhere.child", "HERE = True\n")
    adding(lab, "target.child")
    lab.run(
        INSTALL
        + f"""
import sys, importlib.util
def forbidden(*args): raise AssertionError("find_spec under the import lock")
importlib.util.find_spec = forbidden
finder = next(f for f in sys.meta_path if type(f).__module__ == "shimhub.finder")
before = set(sys.modules)
spec = finder.find_spec("target.child", [{str(lab.site / "elsewhere")!r}])
assert spec.origin.endswith("child.py") and "target" not in sys.modules
assert finder.find_spec("target.child", ["/nowhere"]) is None
"""
    )


def test_case_02_many_threads_import_one_target(lab):
    """However many threads import or look up a target at once, it is patched exactly once."""
    lab.module("target", "import time\ntime.sleep(0.001)\ndef f(): return 0\n")
    wrapping(lab)
    lab.run(
        INSTALL
        + """
import importlib, importlib.util, sys, threading
sys.setswitchinterval(1e-5)
got, errors = [], []
def work(number, barrier):
    try:
        barrier.wait()
        if number % 2:
            importlib.util.find_spec("target")
        got.append(importlib.import_module("target").f())
    except BaseException as error:
        errors.append(error)
for _ in range(60):
    sys.modules.pop("target", None)
    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=work, args=(n, barrier)) for n in range(8)]
    [t.start() for t in threads], [t.join() for t in threads]
assert not errors, errors
assert set(got) == {1} and len(got) == 480
"""
    )


def test_case_02_threads_import_different_targets_first(lab):
    """Threads whose first imports are targets share one hub: one finder, each patched once."""
    names = [f"target{n}" for n in range(8)]
    for name in names:
        lab.module(name, "def f(): return 0\n")
    lab.rows("".join(textwrap.dedent(WRAP).format(name) for name in names))
    code = "def build(original, ctx):\n    def f(): return original() + 1\n    return f\n"
    for name in names:
        lab.shim(f"{name}/f", code)
    code = f"""
import importlib, sys, threading
sys.setswitchinterval(1e-5)
barrier, errors = threading.Barrier(8), []
def work(name):
    try:
        barrier.wait()
        assert importlib.import_module(name).f() == 1, name
    except BaseException as error:
        errors.append(error)
threads = [threading.Thread(target=work, args=(name,)) for name in {names}]
[t.start() for t in threads], [t.join(30) for t in threads]
assert not any(t.is_alive() for t in threads) and not errors, errors
import shimhub
shimhub.status()
finders = [f for f in sys.meta_path if type(f).__name__ == "Finder"]
assert len(finders) == 1, finders
shimhub.uninstall()
assert {{sys.modules[name].f() for name in {names}}} == {{0}}
"""
    for _ in range(4):
        lab.cli("run", "--registry", str(lab.registry), "-c", code)


def test_case_02_reentrancy_guard_is_of_the_thread(lab):
    """A finder that is asked by one thread answers another thread meanwhile."""
    lab.module("target")
    adding(lab, "target")
    lab.run(
        INSTALL
        + """
import importlib.util, sys, threading
specs = []
class Nosy:
    def find_spec(self, fullname, path=None, target=None):
        if fullname == "target" and threading.current_thread() is threading.main_thread():
            other = threading.Thread(target=lambda: specs.append(ours.find_spec("target")))
            other.start(), other.join(20)
ours = sys.meta_path[0]
sys.meta_path.append(Nosy())
sys.meta_path.insert(1, Nosy())
import target
assert target.added and specs and all(specs)
"""
    )


SLOW = """
    import sys
    sys.started.set()
    sys.go.wait(20)
    def f(): return 0
"""
THREAD = """
import importlib, sys, threading, types
sys.started, sys.go = threading.Event(), threading.Event()
def load():
    try:
        importlib.import_module("target")
    except ValueError:
        pass
worker = threading.Thread(target=load)
worker.start()
sys.started.wait(20)
import shimhub
"""


def test_case_03_installed_while_another_thread_imports(lab):
    """A shim installed in the middle of a foreign import waits for its end, then is applied."""
    lab.module("target", SLOW)
    wrapping(lab)
    lab.run(
        THREAD
        + """
assert shimhub.install(registry=REGISTRY)["target/f"].status == "PENDING"
assert "f" not in vars(sys.modules["target"])
sys.go.set(), worker.join()
import target
assert target.f() == 1 and shimhub.status()["target/f"].status == "APPLIED"
assert type(target.__spec__) is importlib.machinery.ModuleSpec
"""
    )


def test_case_03_installed_twice_while_another_thread_imports(lab):
    """Several installs in the middle of an import patch once and leave the spec as it was."""
    lab.module("target", SLOW)
    wrapping(lab)
    lab.run(
        THREAD
        + """
for _ in range(3):
    shimhub.install(registry=REGISTRY)
sys.go.set(), worker.join()
import target
assert target.f() == 1
assert type(target.__spec__) is importlib.machinery.ModuleSpec
shimhub.uninstall()
assert target.f() == 0
"""
    )


def test_case_03_uninstalled_before_the_import_ends(lab):
    """A hub that is gone by the end of the import patches nothing, and leaves no trace."""
    lab.module("target", SLOW)
    wrapping(lab)
    lab.run(
        THREAD
        + """
shimhub.install(registry=REGISTRY)
shimhub.uninstall()
sys.go.set(), worker.join()
import target
assert target.f() == 0
assert type(target.__spec__) is importlib.machinery.ModuleSpec
"""
    )


def test_case_03_the_import_that_was_waited_for_fails(lab):
    """A body that raises after the install leaves no module; the next import is patched."""
    body = textwrap.dedent(SLOW) + "if not sys.again:\n    raise ValueError\n"
    lab.module("target", body)
    wrapping(lab)
    lab.run(
        THREAD
        + """
sys.again = False
shimhub.install(registry=REGISTRY)
sys.go.set(), worker.join()
assert "target" not in sys.modules
assert shimhub.status()["target/f"].status == "PENDING"
sys.again = True
import target
assert target.f() == 1
"""
    )


def test_case_03_install_races_with_the_end_of_an_import(lab):
    """Wherever in the import the install falls, the shim is applied once and none is lost."""
    lab.module("target", "for _ in range(200): pass\ndef f(): return 0\n")
    wrapping(lab)
    lab.run(
        """
import importlib, sys, threading, shimhub
sys.setswitchinterval(1e-6)
for number in range(120):
    sys.modules.pop("target", None)
    barrier = threading.Barrier(2)
    def load():
        barrier.wait()
        importlib.import_module("target")
    worker = threading.Thread(target=load)
    worker.start()
    barrier.wait()
    for _ in range(number * 10):
        pass
    shimhub.install(registry=REGISTRY)
    worker.join()
    import target
    assert sys.modules["target"].f() == 1, (number, sys.modules["target"].f())
    shimhub.uninstall()
    assert sys.modules["target"].f() == 0, number
"""
    )


def test_case_04_installed_by_the_target_itself(lab):
    """A target whose body installs the hub is patched when the body ends, and not before."""
    lab.module(
        "target",
        """
        import shimhub, sys
        shimhub.install(registry=sys.registry)
        assert "added" not in globals()
        PENDING = shimhub.status()["target/added"].status == "PENDING"
        """,
    )
    adding(lab, "target")
    lab.run(
        """
        import sys
        sys.registry = REGISTRY
        import target
        assert target.added and target.PENDING
        """
    )


def test_case_04_installed_anew_by_a_hooked_target(lab):
    """A hooked target whose body installs another registry gets the rows of that one, once."""
    lab.module(
        "target",
        """
        import shimhub, sys
        shimhub.install(registry=sys.registry)
        def f(): return 0
        """,
    )
    wrapping(lab)
    lab.run(
        """
        import sys, shimhub
        from pathlib import Path
        sys.registry = REGISTRY
        other = Path("other.toml")
        other.write_text('schema = 1\\n[[shim]]\\nid = "target/g"\\nattach = "target:g"\\n'
                         'action = "alias"\\nto = "math:tau"\\nwhy = "g"\\n')
        shimhub.install(registry=other)
        import target
        assert target.f() == 1 and not hasattr(target, "g")
        """
    )


# -- 5 to 7: replaced, reloaded and re-imported modules -------------------------------------------


def test_case_05_module_replaces_itself(lab):
    """What stands in ``sys.modules`` after the import is patched, not the object it replaced."""
    lab.module(
        "target",
        """
        import sys, types
        class Lazy(types.ModuleType):
            def __getattr__(self, name):
                raise AttributeError(f"asked for {name}")
        old = sys.modules[__name__]
        sys.modules[__name__] = Lazy(__name__)
        sys.modules[__name__].old = old
        """,
    )
    adding(lab, "target")
    lab.run(
        INSTALL
        + """
import target
assert target.added and type(target).__name__ == "Lazy"
assert "added" not in vars(target.old)
shimhub.uninstall()
assert "added" not in vars(target) and "__getattr__" in vars(type(target))
"""
    )


def test_case_05_transformers_lazy_module(lab):
    """The real transformers, a ``_LazyModule``, gets the name and imports nothing more for it."""
    pytest.importorskip("transformers", reason="needs transformers")
    adding(lab, "transformers")
    lab.run(
        """
        import math, sys, transformers
        plain = set(sys.modules)
        import shimhub
        shimhub.install(registry=REGISTRY, only="transformers/added")
        more = {n for n in set(sys.modules) - plain if n.startswith(("transformers", "torch"))}
        assert type(transformers).__name__ == "_LazyModule"
        assert transformers.added is math.tau and not more, more
        shimhub.uninstall()
        assert not hasattr(transformers, "added")
        for name in [n for n in sys.modules if n.partition(".")[0] == "transformers"]:
            del sys.modules[name]
        shimhub.install(registry=REGISTRY, only="transformers/added")
        import transformers as again
        assert again is not transformers and again.added is math.tau
        """
    )


@pytest.mark.parametrize("entry", ["object()", "None", "type('T', (), {})()"])
def test_case_05_entry_that_is_no_module(lab, entry):
    """A target that puts something else than a module in its place is left alone, with a reason."""
    lab.module("target", f"import sys\nsys.modules[__name__] = {entry}\n")
    adding(lab, "target")
    lab.run(
        INSTALL
        + """
try:
    import target
except ImportError:
    pass
verdict = shimhub.status()["target/added"]
assert verdict.status == "GATED" and "no module" in verdict.reason, verdict
"""
    )


def test_case_06_reload_twice(lab):
    """After two reloads every patch is there once, and uninstall restores the newest original."""
    lab.module("target", "def f(): return 0\nclass C:\n    def g(self): return 0\n")
    wrapping(lab)
    rows = lab.registry.read_text() + textwrap.dedent(ADD).format("target")
    rows += (
        textwrap.dedent(WRAP)
        .format("target")
        .replace("target:f", "target:C.g")
        .replace("target/f", "target/g")
    )
    lab.rows(rows.replace("schema = 1", ""))
    code = "def build(original, ctx):\n    def g(self): return original(self) + 1\n    return g\n"
    lab.shim("target/g", code)
    lab.run(
        INSTALL
        + """
import importlib, target
for _ in range(3):
    assert (target.f(), target.C().g()) == (1, 1) and target.added
    importlib.reload(target)
shimhub.install(registry=REGISTRY)
assert (target.f(), target.C().g()) == (1, 1)
assert not list(shimhub.uninstall())
assert (target.f(), target.C().g()) == (0, 0) and not hasattr(target, "added")
"""
    )


def test_case_06_reload_of_a_target_that_learned_the_name(lab):
    """A reload whose new body has the name keeps the real one, and the verdict says native."""
    file = lab.module("target", "X = 1\n")
    adding(lab, "target")
    lab.run(
        INSTALL
        + f"""
import importlib, target
assert target.added
with open({str(file)!r}, "w") as stream:
    stream.write("X = 2\\nadded = 'the real one'\\n")
importlib.invalidate_caches(), importlib.reload(target)
assert target.added == "the real one", target.added
assert shimhub.status()["target/added"].status == "NOT_NEEDED"
shimhub.uninstall()
assert target.added == "the real one"
"""
    )


def test_case_07_deleted_and_imported_again(lab):
    """A target that is imported anew is patched anew; undo reaches the new and the old module."""
    lab.module("target", "def f(): return 0\n")
    wrapping(lab)
    lab.run(
        INSTALL
        + """
import importlib, sys
modules = []
for _ in range(3):
    sys.modules.pop("target", None)
    modules.append(importlib.import_module("target"))
assert len(set(map(id, modules))) == 3
assert [m.f() for m in modules] == [1, 1, 1]
assert not list(shimhub.uninstall())
assert [m.f() for m in modules] == [0, 0, 0]
"""
    )


def test_case_07_deleted_after_a_failed_import(lab):
    """A target whose body failed once is patched when it is imported for good."""
    lab.module("target", "import sys\nsys.fail()\ndef f(): return 0\n")
    wrapping(lab)
    lab.run(
        INSTALL
        + """
import sys
def fail(): raise KeyError("first")
sys.fail = fail
try: import target
except KeyError: pass
assert "target" not in sys.modules
sys.fail = int
import target
assert target.f() == 1
"""
    )


# -- 8 to 11: the same module as without the hub --------------------------------------------------

DESCRIBE = """
import importlib, re, sys
def show(*things): print(*(re.sub("( at )?0x[0-9a-f]+", "", repr(thing)) for thing in things))
sys.path += {paths}
module = importlib.import_module({name!r})
if {hub} and "shimhub.hub" in sys.modules:
    verdict = shimhub.status()["{name}/added"]
    assert verdict.status == "APPLIED" and vars(module).pop("added"), verdict
spec, names = module.__spec__, vars(module)
loader = spec.loader
show(type(module), module, sorted(names), type(spec), sorted(vars(spec).items(), key=str))
show(type(loader), names["__loader__"] is loader, loader if isinstance(loader, type) else 0)
show([] if isinstance(loader, type) else sorted(vars(loader).items(), key=str))
show([names.get(n) for n in ("__file__", "__cached__", "__path__", "__package__", "__doc__")])
show(type(names.get("__path__")), spec.has_location, spec.cached, spec.parent)
importlib.reload(module)
show(module.__spec__ is spec, type(module.__spec__), type(module.__spec__.loader))
show(sorted(set(names) - {{"added"}}))
"""

_BUILTIN = next(n for n in ("xxsubtype", "_symtable", "_stat") if n in sys.builtin_module_names)
KINDS = {
    "source": "plain",
    "package": "pack",
    "child": "pack.child",
    "sourceless": "bare",
    "zip": "zipmod",
    "namespace": "nsp",
    "namespace child": "nsp.two",
    "extension": "xxlimited",
    "numpy extension": "numpy.linalg._umath_linalg",
    "builtin": _BUILTIN,
    "frozen": "__hello__",
    "frozen package": "__phello__",
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_case_08_11_module_is_as_without_the_hub(lab, kind):
    """Every kind of module gets its shim, and is for the rest what it is without the hub.

    Namespaces have two portions; the extensions are real ones, of CPython and of numpy.
    """
    name = KINDS[kind]
    if kind == "extension" and importlib.util.find_spec(name) is None:
        pytest.skip("this Python was built without its test extensions")
    lab.module("plain", '"""Doc."""\nX = 1\n')
    lab.module("pack.__init__", "X = 1\n")
    lab.module("pack.child", "X = 1\n")
    source = lab.module("gone.bare", "X = 1\n", root="elsewhere")
    py_compile.compile(str(source), str(lab.site / "bare.pyc"), doraise=True)
    zipped(lab, zipmod="X = 1\n")
    lab.module("nsp.one")
    lab.module("nsp.two", root="site2")
    adding(lab, name)
    paths = [str(lab.site / "bundle.zip"), str(lab.root / "site2")]
    describe = DESCRIBE.format(name=name, paths=paths, hub=True)
    plain = lab.run(describe)
    hooked = lab.run(INSTALL + describe)
    assert plain.stdout == hooked.stdout
    assert "shimhub" not in hooked.stdout


def test_case_08_untargeted_module_beside_targets(lab):
    """A module that no row names is found by its own finder and untouched by ours."""
    lab.module("plain", "X = 1\n")
    adding(lab, "target")
    describe = DESCRIBE.format(name="plain", paths=[], hub=False)
    assert lab.run(describe).stdout == lab.run(INSTALL + describe).stdout


def test_case_08_spec_that_is_only_looked_at(lab):
    """``find_spec`` without an import tells the same: loader type, pickle, equality, namespaces."""
    lab.module("target", "X = 1\n")
    zipped(lab, zipmod="X = 1\n")
    lab.module("nsp.one")
    adding(lab, "target", "zipmod", "nsp")
    out = alike(
        lab,
        f"""
        import pickle, sys, zipimport
        from importlib.util import find_spec
        sys.path.append({str(lab.site / "bundle.zip")!r})
        print(type(find_spec("target").loader), find_spec("target") == find_spec("target"))
        spec = pickle.loads(pickle.dumps(find_spec("target")))
        print(spec.name, spec.origin, type(spec.loader), spec.loader.get_code("target").co_filename)
        print(isinstance(find_spec("zipmod").loader, zipimport.zipimporter))
        print(find_spec("nsp").loader, list(find_spec("nsp").submodule_search_locations))
        """,
    )
    assert "SourceFileLoader" in out


@pytest.mark.parametrize(
    "body",
    [
        "def f():\n    raise ValueError('deep')\nf()\n",
        "import absent_module\n",
        "from math import absent_name\n",
        "def f(:\n",
        "try:\n    {}['k']\nexcept KeyError as e:\n    raise OSError('chained') from e\n",
        "raise SystemExit(7)\n",
        "raise KeyboardInterrupt\n",
    ],
)
@pytest.mark.parametrize("kind", ["source", "zip"])
def test_case_08_traceback_of_a_failing_target(lab, kind, body):
    """The traceback of a target that fails to import, and the exit code, are the same.

    A zipimporter compiles while it *finds*, and importlib shows its own frames of finding; our
    finder's stand among them under importlib's name, which is the one difference.
    """
    adding(lab, "target")
    if kind == "zip":
        zipped(lab, target=body)
    else:
        lab.module("target", body)
    failing = f"import sys; sys.path.append({str(lab.site / 'bundle.zip')!r})\nimport target\n"
    plain = lab.run("import shimhub\n" + failing, check=False)
    hooked = lab.run(INSTALL + failing, check=False)
    assert plain.returncode == hooked.returncode != 0
    in_finding = kind == "zip" and body == "def f(:\n"
    told, told_hooked = (
        [line for line in run.stderr.splitlines() if not (in_finding and "<frozen" in line)]
        for run in (plain, hooked)
    )
    assert told == told_hooked
    assert "shimhub" not in hooked.stderr


def test_case_08_lazy_loader(lab):
    """``importlib.util.LazyLoader`` still defers the body; the shim comes when it has run."""
    lab.module("target", "import sys\nsys.ran = True\n")
    adding(lab, "target")
    lab.run(
        INSTALL
        + """
import importlib.util, sys
sys.ran = False
spec = importlib.util.find_spec("target")
spec.loader = importlib.util.LazyLoader(spec.loader)
module = importlib.util.module_from_spec(spec)
sys.modules["target"] = module
spec.loader.exec_module(module)
assert not sys.ran
assert module.added and sys.ran
assert "LazyLoader" not in repr(module.__spec__.loader)
assert "exec_module" not in vars(module.__loader__)
"""
    )


def test_case_08_lazy_module_made_before_the_hub(lab):
    """A lazy module that has not run yet is not half-made by us: its own name wins when it runs."""
    lab.module("target", "import sys\nsys.ran = True\nadded = 'the real one'\n")
    adding(lab, "target")
    lab.run(
        """
        import importlib.util, sys
        sys.ran = False
        spec = importlib.util.find_spec("target")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = sys.modules["target"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        import shimhub
        shimhub.install(registry=REGISTRY)
        assert not sys.ran, "the hub ran the target's body"
        assert module.added == "the real one", module.added
        """
    )


def test_case_08_recipe_of_importlib(lab):
    """A module made by hand from its spec runs once; the real import later is patched."""
    lab.module("target", "def f(): return 0\n")
    wrapping(lab)
    lab.run(
        INSTALL
        + """
import importlib.util, sys
spec = importlib.util.find_spec("target")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert "target" not in sys.modules
assert shimhub.status()["target/f"].status == "PENDING", shimhub.status()["target/f"]
import target
assert target.f() == 1
"""
    )


TOOLS = """
import importlib.resources, inspect, linecache, pkgutil, runpy, sys
sys.path.append({zip!r})
print(pkgutil.get_data({name!r}, "data.txt"))
import {name} as target
print(pkgutil.get_data({name!r}, "data.txt"))
print(importlib.resources.files(target).joinpath("data.txt").read_text())
print(inspect.getsource(target), inspect.getsource(target.f), inspect.getsourcelines(target.f)[1])
print([m.name for m in pkgutil.iter_modules(target.__path__)])
print(target.__loader__.is_package({name!r}))
del sys.modules[{name!r}]
names = runpy.run_module({name!r} + ".main", run_name="__main__", alter_sys=True)
print(sorted(names), names["__spec__"].name, names["__file__"], type(names["__loader__"]))
"""


@pytest.mark.parametrize("kind", ["source", "zip"])
def test_case_09_tools_see_the_same(lab, kind):
    """pkgutil, importlib.resources, inspect and runpy answer the same for a target."""
    files = {
        "target/__init__.py": "X = 1\n\ndef f():\n    return X\n",
        "target/main.py": "import sys\nprint(__name__, type(__spec__.loader), sys.argv[1:])\n",
        "target/data.txt": "data",
    }
    with zipfile.ZipFile(lab.site / "bundle.zip", "w") as archive:
        for name, text in files.items():
            if kind == "zip":
                archive.writestr(name, text)
            else:
                (lab.site / name).parent.mkdir(exist_ok=True)
                (lab.site / name).write_text(text)
    adding(lab, "target", "target.main")
    out = alike(lab, TOOLS.format(zip=str(lab.site / "bundle.zip"), name="target"))
    assert "shimhub" not in out


@pytest.mark.parametrize("module", ["target", "target.__main__", "pack"])
def test_case_09_python_dash_m_of_a_target(lab, module):
    """``python -m`` of a target, also inside a zip, runs as without the hub."""
    show = "print(__name__, __file__, __package__, __spec__.name, type(__spec__.loader), __doc__)\n"
    show += "import sys\nprint(sys.argv, sys.modules['__main__'].__dict__ is globals())\n"
    show += "print(sorted(globals()))\n"
    lab.module("pack", show)
    with zipfile.ZipFile(lab.site / "bundle.zip", "w") as archive:
        archive.writestr("target/__init__.py", "")
        archive.writestr("target/__main__.py", show)
    adding(lab, module)
    command = f"""
        import os, subprocess, sys
        os.environ["PYTHONPATH"] += os.pathsep + {str(lab.site / "bundle.zip")!r}
        os.chdir({str(lab.root)!r})
        sys.exit(subprocess.call([sys.executable, *sys.argv[1:], "-m", {module!r}, "a", "--b"]))
        """
    plain = lab.run(command.replace("*sys.argv[1:], ", ""))
    run = f'"-m", "shimhub", "run", "--registry", {str(lab.registry)!r}, "-m"'
    hooked = lab.run(command.replace('*sys.argv[1:], "-m"', run))
    assert plain.stdout == hooked.stdout
    assert "__main__" in plain.stdout


def test_case_10_shared_zipimporter(lab):
    """Of two modules that one zipimporter serves, only the target is touched."""
    zipped(lab, target="X = 1\n", other="X = 1\n")
    adding(lab, "target")
    lab.run(
        INSTALL
        + f"""
import sys, zipimport
archive = {str(lab.site / "bundle.zip")!r}
sys.path.append(archive)
import target, other
assert target.added and not hasattr(other, "added")
for module in (target, other):
    assert module.__loader__ is module.__spec__.loader is sys.path_importer_cache[archive]
assert type(target.__loader__) is zipimport.zipimporter
assert "exec_module" not in getattr(target.__loader__, "__dict__", {{}})
"""
    )


@pytest.mark.parametrize("name", [_BUILTIN, "__hello__"])
def test_case_10_class_loader(lab, name):
    """The class that loads all builtin (or frozen) modules is not changed for the sake of one."""
    adding(lab, name)
    lab.run(
        f"""
        import sys
        from importlib.machinery import BuiltinImporter, FrozenImporter
        before = [dict(vars(c)) for c in (BuiltinImporter, FrozenImporter)]
        import shimhub
        shimhub.install(registry=REGISTRY)
        import {name} as target
        assert target.added and isinstance(target.__spec__.loader, type)
        assert [dict(vars(c)) for c in (BuiltinImporter, FrozenImporter)] == before
        """
    )


def test_case_10_13_pytest_assertion_rewriting(lab):
    """Pytest's rewriter still rewrites a target and its neighbours; only the target is patched."""
    helper = "def check(x):\n    assert x == 'expected', 'told'\n"
    lab.module("target", helper)
    lab.module("neighbour", helper)
    adding(lab, "target")
    for order in ("before", "after"):
        install = f"import shimhub\nshimhub.install(registry={str(lab.registry)!r})\n"
        register = "import pytest\npytest.register_assert_rewrite('target', 'neighbour')\n"
        (lab.root / "conftest.py").write_text(
            install + register if order == "before" else register + install
        )
        (lab.root / "test_it.py").write_text(
            textwrap.dedent("""
            import pytest, target, neighbour
            @pytest.mark.parametrize("module", [target, neighbour])
            def test_rewritten(module):
                assert hasattr(module, "added") is (module is target)
                assert type(module.__loader__).__name__ == "AssertionRewritingHook"
                with pytest.raises(AssertionError) as caught:
                    module.check("odd")
                assert "'odd' == 'expected'" in str(caught.value)
            """)
        )
        lab.start([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(lab.root)])


LOADERS = {
    "subclass": """
        class Loader(SourceFileLoader):
            def exec_module(self, module):
                assert module.__loader__ is module.__spec__.loader is self
                super().exec_module(module)
        """,
    "slots": """
        class Loader:
            __slots__ = ("name", "path")
            def __init__(self, name, path): self.name, self.path = name, path
            def create_module(self, spec):
                assert spec.loader is self
                return type("Special", (types.ModuleType,), {})(spec.name)
            def exec_module(self, module):
                assert module.__loader__ is module.__spec__.loader is self
        """,
    "load_module": """
        class Loader:
            def __init__(self, name, path): pass
            def load_module(self, name):
                return sys.modules.setdefault(name, types.ModuleType(name))
        """,
    "no create_module": """
        class Loader:
            def __init__(self, name, path): pass
            def exec_module(self, module): pass
        """,
    "removes the module": """
        class Loader(SourceFileLoader):
            def exec_module(self, module): del sys.modules[module.__name__]
        """,
}
SERVE = """
import sys, types
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
class Serves:
    def find_spec(self, name, path=None, target=None):
        if name == "target":
            return spec_from_file_location(name, "target.py", loader=Loader(name, "target.py"))
sys.meta_path.append(Serves())
try:
    import target
    print(type(target), type(target.__loader__), target.__spec__.loader is target.__loader__)
    print(hasattr(target, "added") is ("shimhub.hub" in sys.modules))
except (ImportError, KeyError) as error:
    print(type(error), error)
"""


@pytest.mark.parametrize("kind", list(LOADERS))
def test_case_10_loaders_of_every_kind(lab, kind):
    """A foreign loader is asked for what it has, sees its own spec, and fails as without us."""
    (lab.root / "target.py").write_text("X = 1\n")
    adding(lab, "target")
    setup, serve = SERVE.split("class Serves", 1)
    code = f"{setup}{textwrap.dedent(LOADERS[kind])}class Serves{serve}"
    plain = lab.run("import shimhub\n" + code, "-W", "ignore")
    hooked = lab.run(INSTALL + code, "-W", "ignore")
    assert plain.stdout == hooked.stdout


def test_case_10_13_pytest_under_run(lab):
    """Under ``shimhub run -m pytest`` the rewriter comes later; a rewritten target is patched."""
    lab.module("target", "def check(x):\n    assert x == 'expected', 'told'\n")
    adding(lab, "target")
    conftest = "import pytest\npytest.register_assert_rewrite('target')\n"
    (lab.root / "conftest.py").write_text(conftest)
    (lab.root / "test_it.py").write_text(
        "import pytest, target\n"
        "def test_it():\n"
        "    assert target.added\n"
        "    assert type(target.__loader__).__name__ == 'AssertionRewritingHook'\n"
        "    with pytest.raises(AssertionError, match=\"'odd' == 'expected'\"):\n"
        "        target.check('odd')\n"
    )
    run = ["run", "--registry", str(lab.registry), "-m", "pytest", "-q"]
    lab.cli(*run, "-p", "no:cacheprovider", str(lab.root))


def test_case_08_found_before_and_run_after_uninstall(lab):
    """A spec that was found while the hub was there runs plainly when it is gone."""
    lab.module("target")
    zipped(lab, zipmod="")
    adding(lab, "target", "zipmod")
    lab.run(
        INSTALL
        + f"""
import importlib.util, sys
sys.path.append({str(lab.site / "bundle.zip")!r})
specs = [importlib.util.find_spec(name) for name in ("target", "zipmod")]
shimhub.uninstall()
for spec in specs:
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "added" not in vars(module) and "shimhub" not in type(module.__loader__).__module__
"""
    )


def test_case_11_namespace_gains_a_portion(lab):
    """A patched namespace package still finds portions that come onto the path later."""
    lab.module("nsp.one")
    lab.module("nsp.two", root="site2")
    lab.module("nsp.three", root="site3")
    adding(lab, "nsp")
    lab.run(
        INSTALL
        + f"""
import sys, importlib
sys.path.append({str(lab.root / "site2")!r})
import nsp, nsp.one, nsp.two
assert nsp.added and nsp.__file__ is None and len(list(nsp.__path__)) == 2
sys.path.append({str(lab.root / "site3")!r})
import nsp.three
importlib.reload(nsp)
assert nsp.added and len(list(nsp.__path__)) == 3
"""
    )


# -- 12: editable installs ------------------------------------------------------------------------


def editable(lab, package: str) -> str:
    """Make a real setuptools editable install of ``package``; return the folder of its ``.pth``.

    The mapping of package to folder makes setuptools write its finder instead of a plain path.
    """
    pytest.importorskip("setuptools", minversion="70.1", reason="needs setuptools' own wheels")
    project = lab.root / "project"
    (project / "lib").mkdir(parents=True)
    (project / "lib" / "__init__.py").write_text("def f(): return 0\n")
    (project / "lib" / "real.py").write_text("REAL = True\n")
    (project / "setup.cfg").write_text(
        f"[metadata]\nname = edited\nversion = 1\n"
        f"[options]\npackages = {package}\npackage_dir =\n    {package} = lib\n"
    )
    code = f"from setuptools.build_meta import build_editable as b; b({str(lab.root)!r})"
    subprocess_env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-W", "ignore", "-c", code]
    subprocess.run(command, cwd=project, env=subprocess_env, check=True, capture_output=True)
    with zipfile.ZipFile(next(lab.root.glob("*.whl"))) as wheel:
        wheel.extractall(lab.root / "extra")
    return str(lab.root / "extra")


@pytest.mark.parametrize("order", ["before", "after"])
def test_case_12_target_in_a_setuptools_editable_install(lab, order):
    """A target that only setuptools' editable finder knows is patched, whoever came first."""
    extra = editable(lab, "edited")
    wrapping(lab, "edited")
    add = f"import site, sys; site.addsitedir({extra!r})\n"
    check = """
assert any("Editable" in repr(f) for f in sys.meta_path), sys.meta_path
import edited
assert edited.f() == 1 and "project" in edited.__file__
"""
    lab.run((add + INSTALL if order == "before" else INSTALL + add) + check)


def test_case_12_real_module_beats_a_generated_one(lab):
    """A real module wins over a generated one although its finder stands last on meta_path."""
    extra = editable(lab, "edited")
    lab.rows(
        """
        [[shim]]
        id = "edited/real"
        attach = "edited.real"
        action = "module"
        names = { REAL = { alias = "math:tau" } }
        why = "It is absent in some versions."
        """
    )
    lab.run(
        INSTALL
        + f"""
import site; site.addsitedir({extra!r})
import edited.real
assert edited.real.REAL is True and "project" in edited.real.__file__
assert shimhub.status()["edited/real"].status == "NOT_NEEDED"
"""
    )


def test_case_12_provider_in_an_editable_install(lab):
    """A provider that only an editable install's finder knows is found: the name is native."""
    extra = editable(lab, "edited")
    lab.module("target")
    lab.rows(
        """
        [[shim]]
        id = "target/added"
        attach = "target:added"
        action = "alias"
        to = "math:tau"
        why = "edited registers it where it is installed."
        probe = { provider = "edited.real" }
        """
    )
    lab.run(
        INSTALL
        + f"""
import site, sys; site.addsitedir({extra!r})
import target
verdict = shimhub.status()["target/added"]
assert verdict.status == "NOT_NEEDED" and "edited.real" in verdict.reason, verdict
assert "edited" not in sys.modules
"""
    )


# -- 13: other people's hooks ---------------------------------------------------------------------

CUML = """
import importlib.abc, importlib.util, sys
class Proxy(type(sys)):
    def __init__(self, real):
        super().__init__(real.__name__)
        object.__setattr__(self, "_real", real)
        vars(self).update(__spec__=real.__spec__, __loader__=real.__loader__)
    def __getattr__(self, name): return getattr(self._real, name)
class ProxyLoader(importlib.abc.Loader):
    def __init__(self, loader): self.loader = loader
    def create_module(self, spec): return self.loader.create_module(spec)
    def exec_module(self, module):
        self.loader.exec_module(module)
        sys.modules[module.__name__] = Proxy(module)
class Accelerator(importlib.abc.MetaPathFinder):
    busy = False
    def find_spec(self, name, path, target=None):
        if name != "target" or self.busy: return None
        self.busy = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.busy = False
        spec.loader = ProxyLoader(spec.loader)
        return spec
sys.meta_path.insert(0, Accelerator())
"""
#: tool -> (its distribution, how it is set up for ``target``, what proves its effect on it)
HOOKS = {
    "wrapt": (
        "wrapt",
        "import wrapt; seen = []; wrapt.register_post_import_hook(seen.append, 'target')",
        "assert len(seen) == 1 and seen[0] is target",
    ),
    "wrapt patch": (
        "wrapt",
        (
            "import wrapt\n@wrapt.when_imported('target')\ndef _(m):\n"
            "    wrapt.wrap_function_wrapper(m, 'f', lambda w, i, a, k: w(*a, **k) + 10)"
        ),
        "assert target.f(1) == 12",
    ),
    "ddtrace": (
        "ddtrace",
        (
            "from ddtrace.internal.module import ModuleWatchdog; seen = []\n"
            "ModuleWatchdog.install(); ModuleWatchdog.register_module_hook('target', seen.append)"
        ),
        "assert len(seen) == 1 and seen[0] is target",
    ),
    "importhook": (
        "importhook",
        "import importhook; seen = []; importhook.on_import('target', seen.append)",
        "assert len(seen) >= 1 and vars(seen[0]) is vars(target)",
    ),
    "typeguard": (
        "typeguard",
        "import typeguard; typeguard.install_import_hook('target')",
        "import pytest\nwith pytest.raises(typeguard.TypeCheckError): target.f('text')",
    ),
    "beartype": (
        "beartype",
        "import beartype.claw as c, beartype.roar as r; c.beartype_package('target')",
        "import pytest\nwith pytest.raises(r.BeartypeCallHintViolation): target.f('text')",
    ),
    "cuml-style": ("", CUML, "assert type(target).__name__ == 'Proxy' and target._real"),
}


@pytest.mark.parametrize("order", ["before", "after", "between"])
@pytest.mark.parametrize("tool", list(HOOKS))
def test_case_13_foreign_hook(lab, tool, order):
    """A foreign hook and ours both do their work, whoever came first, without recursion.

    Some (typeguard) ask PathFinder themselves, past all other finders; when such a hook is put in
    front of ours, ours goes to the front again with the next import, so there is one in between.

    The tools are the real packages, but for cuml.accel, which needs a GPU: its stand-in here is a
    finder that calls ``importlib.util.find_spec`` and puts a proxy module in the target's place.
    """
    dist, setup, proof = HOOKS[tool]
    if dist:
        needs(dist)
    lab.module("target", "def f(x: int) -> int:\n    return x + 1\n")
    adding(lab, "target")
    start = {
        "before": [setup, INSTALL],
        "after": [INSTALL, setup, "import colorsys"],
        "between": [INSTALL, setup, "import shimhub; shimhub.install(registry=REGISTRY)"],
    }[order]
    check = f"""
import importlib, sys, math, target
assert target.added is math.tau and target.f(1) in (2, 12)
{proof}
assert shimhub.status()["target/added"].status == "APPLIED" and shimhub.status().active
ours = [f for f in sys.meta_path if type(f).__module__.startswith("shimhub")]
assert len(ours) == 1, ours
assert not list(shimhub.uninstall())
assert "added" not in vars(target)
"""
    lab.run("\n".join([*start, check]), "-W", "ignore")


def needs(name):
    """Skip where a tool is missing, without importing it: these hook the importing process."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"needs {name}")


def test_case_13_all_hooks_at_once(lab):
    """wrapt, ddtrace, the cuml stand-in and we work on one target, also imported anew."""
    for dist in ("wrapt", "ddtrace"):
        needs(dist)
    lab.module("target", "def f(x: int) -> int:\n    return x + 1\n")
    adding(lab, "target")
    setups = "\n".join(HOOKS[tool][1] for tool in ("wrapt patch", "ddtrace", "cuml-style"))
    lab.run(
        f"{INSTALL}{setups}\n"
        """
import sys, math, target
assert target.added is math.tau and target.f(1) == 12 and len(seen) == 1
del sys.modules["target"]
import target
assert target.added is math.tau
""",
        "-W",
        "ignore",
    )


# -- 14 and 15: names, and the state of sys.meta_path ---------------------------------------------


@pytest.mark.parametrize(
    ("target", "others"),
    [
        ("pandas", ["pandas_ta", "pandas.core", "panda"]),
        ("jason.tool", ["jason.tool_jason", "jason", "jason.tools", "tool"]),
    ],
)
def test_case_14_names_that_share_a_prefix(lab, target, others):
    """Only the exact name is a target; neither its prefixes, extensions nor children are."""
    for name in [target, *others]:
        is_package = any(other.startswith(name + ".") for other in [target, *others])
        lab.module(f"{name}.__init__" if is_package else name)
    adding(lab, target)
    lab.run(
        INSTALL
        + f"""
import importlib, importlib.util, sys
for name in {others}:
    assert "exec_module" not in vars(importlib.util.find_spec(name).loader), name
    assert "added" not in vars(importlib.import_module(name)), name
assert importlib.import_module({target!r}).added
"""
    )


def test_case_14_children_of_an_alias_share_a_prefix(lab):
    """An aliased package serves its own children, not those of a name that it is a prefix of."""
    lab.module("newpkg.__init__")
    lab.module("newpkg.child", "NEW = True\n")
    lab.module("newpkg_ta", "NEW = False\n")
    lab.module("oldpkg_ta", "OWN = True\n")
    lab.rows(
        """
        [[shim]]
        id = "oldpkg"
        attach = "oldpkg"
        action = "alias"
        to = "newpkg"
        capability = true
        why = "It moved."
        """
    )
    lab.run(
        INSTALL
        + """
import importlib.util, oldpkg, oldpkg_ta, oldpkg.child, newpkg.child
assert oldpkg is newpkg and oldpkg.child is newpkg.child
assert oldpkg_ta.OWN
assert importlib.util.find_spec("oldpkg_absent") is None
assert importlib.util.find_spec("oldpkg.absent") is None
"""
    )


def test_case_15_meta_path_edited_concurrently(lab):
    """Other threads may edit ``sys.meta_path`` at any time: no target is missed, none fails."""
    for number in range(40):
        lab.module(f"target{number}")
    adding(lab, *(f"target{number}" for number in range(40)))
    lab.run(
        INSTALL
        + """
import importlib, sys, threading
sys.setswitchinterval(1e-6)
class Nothing:
    def find_spec(self, fullname, path=None, target=None): return None
stop = threading.Event()
def edit():
    while not stop.is_set():
        extra = Nothing()
        sys.meta_path.append(extra)
        sys.meta_path.remove(extra)
editors = [threading.Thread(target=edit) for _ in range(3)]
[e.start() for e in editors]
try:
    for number in range(40):
        assert importlib.import_module(f"target{number}").added
        assert shimhub.status().active
finally:
    stop.set()
    [e.join() for e in editors]
"""
    )


@pytest.mark.parametrize(
    "harm",
    [
        "sys.meta_path.remove(ours)",
        "sys.meta_path[:] = [f for f in sys.meta_path if f is not ours]",
        "sys.meta_path = [f for f in sys.meta_path if f is not ours]",
        "sys.meta_path.append(sys.meta_path.pop(0))",
        "sys.meta_path.insert(0, importlib.machinery.PathFinder)",
    ],
)
def test_case_15_finder_removed_by_someone(lab, harm):
    """Status tells that imports no longer come by us, and install repairs it.

    A finder that others were put in front of is as good as removed: targets never reach it.
    """
    lab.module("target")
    adding(lab, "target")
    lab.run(
        INSTALL
        + f"""
import importlib.machinery, sys
ours = sys.meta_path[0]
assert shimhub.status().active
{harm}
assert not shimhub.status().active
shimhub.install(registry=REGISTRY)
assert shimhub.status().active and sys.meta_path.count(ours) == 1
import target
assert target.added
"""
    )


def test_case_15_foreign_finder_without_find_spec_or_that_raises(lab):
    """Odd entries of ``sys.meta_path`` are skipped as importlib does; status never raises."""
    lab.module("target")
    adding(lab, "target")
    lab.run(
        INSTALL
        + """
import sys
class Raises:
    def find_spec(self, fullname, path=None, target=None):
        if fullname.startswith("shimhub."): raise RuntimeError(fullname)
class Old:
    def find_module(self, fullname, path=None): return None
sys.meta_path.insert(0, Old())
sys.meta_path.insert(1, Raises())
import target
assert target.added
shimhub.status()
"""
    )


def test_case_15_odd_finders_and_a_provider(lab):
    """A provider is looked for past finders that have no ``find_spec``, without importing it."""
    lab.module("target")
    lab.module("helper")
    lab.rows(textwrap.dedent(ADD).format("target") + 'probe = { provider = "helper" }\n')
    lab.run(
        INSTALL
        + """
import sys
class Old:
    def find_module(self, fullname, path=None): return None
sys.meta_path.insert(0, Old())
import target
assert shimhub.status()["target/added"].status == "NOT_NEEDED" and "helper" not in sys.modules
"""
    )


def test_case_15_the_canary_is_not_left_behind(lab):
    """Asking for the status imports nothing, and a hub that is off is not active."""
    adding(lab, "target")
    lab.run(
        INSTALL
        + """
import sys, importlib.util
before = set(sys.modules)
assert shimhub.status().active
assert not {name for name in set(sys.modules) - before if "canary" in name}
shimhub.uninstall()
assert not shimhub.status().active
assert not [f for f in sys.meta_path if type(f).__module__.startswith("shimhub")]
"""
    )


def test_case_01_02_a_thread_that_imports_what_the_hub_needs(lab):
    """While the hub is being imported from within a look-up, other threads can import.

    Finders run under the global import lock; a thread that imports one of the hub's modules holds
    that module's lock and may need the global one. Here the main thread plays that part.
    """
    lab.module("t3.__init__")
    lab.rows(
        """
        [[shim]]
        id = "t3/new"
        attach = "t3.new"
        action = "module"
        why = "The case needs it."
        names = { X = { alias = "math:pi" } }
        """
    )
    code = """
import importlib._bootstrap as bootstrap, sys, threading, time
assert "shimhub.model" not in sys.modules
lock = bootstrap._get_module_lock("shimhub.model")
lock.acquire()
first = threading.Thread(target=lambda: __import__("t3.new"), daemon=True)
first.start()
while lock.waiters in (0, []):
    time.sleep(0.01)
second = threading.Thread(target=lambda: __import__("colorsys"), daemon=True)
second.start()
second.join(20)
assert not second.is_alive(), "the import lock was held"
lock.release()
first.join(60)
assert "t3.new" in sys.modules
"""
    lab.cli("run", "--registry", str(lab.registry), "-c", code)
