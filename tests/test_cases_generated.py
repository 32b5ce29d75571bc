"""CASES.md 16 to 20: generated modules and placeholders."""

from __future__ import annotations

import textwrap

import pytest

INSTALL = "import shimhub; shimhub.install(registry=REGISTRY)\n"
CODE = """
    [[shim]]
    id = "pkg/gen"
    attach = "pkg.gen"
    action = "module"
    why = "It is absent here."
"""
NAMES = """
    [[shim]]
    id = "pkg/gen"
    attach = "pkg.gen"
    action = "module"
    names = { Tau = { alias = "decimal:Decimal" }, Gone = { placeholder = "use pkg 9" } }
    why = "It is absent here."
"""
ALIAS = """
    [[shim]]
    id = "pkg/gen"
    attach = "pkg.gen"
    action = "alias"
    to = "pkg.real"
    why = "It moved."
"""
BODY = """
    from . import real

    class Thing:
        pass

    def fail():
        raise ValueError("deep")
"""
HOLDER = """
    [[shim]]
    id = "target/gone"
    attach = "target:Gone"
    action = "placeholder"
    message = "install target 9"
    why = "Gone is absent here."
"""


@pytest.fixture
def pkg(lab):
    """A lab with the real package ``pkg`` (and ``pkg.real``), whose child ``pkg.gen`` is ours."""
    lab.module("pkg.__init__")
    lab.module("pkg.real", "class Real: pass\n")
    lab.rows(CODE)
    lab.shim("pkg/gen", BODY, "module.py")
    return lab


@pytest.fixture
def holder(lab):
    """A lab with a module ``target`` in which the name ``Gone`` is a placeholder."""
    lab.module("target", "__version__ = '3.2.1'\n")
    lab.rows(HOLDER)
    return lab


def alike(lab, code: str) -> str:
    """Run ``code`` without and with the hub, require the same of both, and return stdout."""
    code = textwrap.dedent(code)
    plain, hooked = lab.run("import shimhub\n" + code), lab.run(INSTALL + code)
    assert (plain.stdout, plain.stderr) == (hooked.stdout, hooked.stderr)
    return plain.stdout


# -- 16: a generated child of a real package ------------------------------------------------------


@pytest.mark.parametrize("rows", [CODE, NAMES], ids=["code", "names"])
def test_case_16_child_of_a_real_package(pkg, rows):
    """A generated child is bound to its parent and says of itself what a real child says."""
    pkg.rows(rows)
    pkg.run(
        INSTALL
        + """
import os, sys, importlib, pkg.gen
from pkg import gen
import pkg.gen as again
assert gen is again is pkg.gen is sys.modules["pkg.gen"] is importlib.import_module(".gen", "pkg")
assert (gen.__name__, gen.__package__, gen.__spec__.parent) == ("pkg.gen", "pkg", "pkg")
assert gen.__spec__.name == "pkg.gen" and not hasattr(gen, "__path__")
assert gen.__loader__ is gen.__spec__.loader and os.path.isfile(gen.__file__)
assert gen.__spec__.origin == gen.__file__ and not gen.__spec__._initializing
assert shimhub.status()["pkg/gen"].status == "APPLIED" and gen.__shimhub__.shim == "pkg/gen"
"""
    )


def test_case_16_pickles_and_copies_by_reference(pkg):
    """What a generated module defines, and its placeholders, pickle by reference."""
    pkg.rows(CODE + NAMES.replace("gen", "names"))
    pkg.run(
        INSTALL
        + """
import copy, pickle, pkg.gen, pkg.names
for thing in (pkg.gen.Thing, pkg.gen.fail, pkg.names.Gone, pkg.names.Tau):
    assert pickle.loads(pickle.dumps(thing)) is thing is copy.deepcopy(thing)
assert type(pickle.loads(pickle.dumps(pkg.gen.Thing()))) is pkg.gen.Thing
"""
    )


def test_case_16_unpickled_in_a_process_that_has_not_imported_it(pkg):
    """Unpickling alone imports the generated module, as it does a real one."""
    pkg.run(INSTALL + "import pickle, pkg.gen\npickle.dump(pkg.gen.Thing(), open('it', 'wb'))\n")
    pkg.run(
        INSTALL
        + """
import pickle, sys
thing = pickle.load(open("it", "rb"))
assert type(thing).__module__ == "pkg.gen" and sys.modules["pkg"].gen.Thing is type(thing)
"""
    )


def test_case_16_tracebacks_and_source_show_a_real_file(pkg):
    """Inspect and tracebacks show the text of the file that the module is generated from."""
    done = pkg.run(
        INSTALL
        + """
import inspect, pkg.gen
assert 'raise ValueError("deep")' in inspect.getsource(pkg.gen.fail)
assert "class Thing" in inspect.getsource(pkg.gen) and inspect.getmodule(pkg.gen.fail) is pkg.gen
assert inspect.getsourcefile(pkg.gen) == pkg.gen.__file__
pkg.gen.fail()
""",
        check=False,
    )
    assert f'File "{pkg.root / "shims/pkg/gen/module.py"}", line 8, in fail' in done.stderr
    assert 'raise ValueError("deep")' in done.stderr


def test_case_16_source_of_a_code_free_module_is_its_row(pkg):
    """The source of a module made of a row is the registry's text."""
    pkg.rows(NAMES)
    pkg.run(
        INSTALL
        + """
import inspect, pkg.gen
assert 'names = { Tau' in inspect.getsource(pkg.gen)
"""
    )


@pytest.mark.parametrize("rows", [CODE, NAMES], ids=["code", "names"])
def test_case_16_reload_twice_and_undo(pkg, rows):
    """Reloading a generated module keeps its identity, and one uninstall still removes it all."""
    pkg.rows(rows)
    pkg.run(
        INSTALL
        + """
import importlib, sys, pkg.gen
before = pkg.gen
before.extra = 1
for _ in range(2):
    assert importlib.reload(pkg.gen) is before and before.extra == 1
    assert shimhub.status()["pkg/gen"].status == "APPLIED"
assert not list(shimhub.uninstall())
assert "pkg.gen" not in sys.modules and not hasattr(pkg, "gen")
"""
    )


def test_case_16_reload_sees_an_edited_file(pkg):
    """A reload executes the file as it is now."""
    file = pkg.root / "shims/pkg/gen/module.py"
    pkg.run(
        INSTALL
        + f"""
import importlib, pkg.gen
with open({str(file)!r}, "a") as stream:
    stream.write("NEW = 1\\n")
assert importlib.reload(pkg.gen).NEW == 1
"""
    )


@pytest.mark.parametrize("rows", [CODE, NAMES, ALIAS], ids=["code", "names", "alias"])
@pytest.mark.parametrize("before", ["", "gen = None"])
def test_case_16_undo_restores_the_parent(pkg, rows, before):
    """Uninstall takes the child away and gives the parent back what it had under that name."""
    pkg.rows(rows)
    pkg.module("pkg.__init__", f"{before}\n")
    pkg.run(
        INSTALL
        + f"""
import sys, pkg, pkg.gen
assert pkg.gen is sys.modules["pkg.gen"]
assert not list(shimhub.uninstall())
assert "pkg.gen" not in sys.modules
assert vars(pkg).get("gen", "absent") == {"None" if before else "'absent'"}
try: import pkg.gen
except ModuleNotFoundError as error: assert error.name == "pkg.gen"
else: raise AssertionError("still there")
shimhub.install(registry=REGISTRY)
import pkg.gen
assert pkg.gen is sys.modules["pkg.gen"]
"""
    )


def test_case_16_deleted_and_imported_again(pkg):
    """A generated module that is imported anew is generated anew, and undone all the same."""
    pkg.run(
        INSTALL
        + """
import sys, pkg.gen
first = sys.modules.pop("pkg.gen")
import pkg.gen
assert pkg.gen is sys.modules["pkg.gen"] is not first
assert not list(shimhub.uninstall())
assert "pkg.gen" not in sys.modules and not hasattr(pkg, "gen")
"""
    )


def test_case_16_many_threads_import_it(pkg):
    """However many threads import a generated module at once, there is one."""
    pkg.run(
        INSTALL
        + """
import importlib, sys, threading
sys.setswitchinterval(1e-5)
for _ in range(40):
    sys.modules.pop("pkg.gen", None), sys.modules.pop("pkg", None)
    barrier, got = threading.Barrier(6), []
    def work():
        barrier.wait()
        got.append(importlib.import_module("pkg.gen"))
    threads = [threading.Thread(target=work) for _ in range(6)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert len(got) == 6 and len(set(map(id, got))) == 1
"""
    )


def test_case_16_needed_by_its_parents_own_body(pkg):
    """A parent whose ``__init__`` imports the generated child gets it, also from a thread."""
    pkg.module(
        "pkg.__init__",
        """
        import importlib, threading
        from pkg.gen import Thing
        worker = threading.Thread(target=importlib.import_module, args=("pkg.gen2",))
        worker.start(), worker.join(20)
        assert not worker.is_alive()
        """,
    )
    pkg.rows(CODE + CODE.replace("gen", "gen2"))
    pkg.shim("pkg/gen2", "X = 1\n", "module.py")
    pkg.run(INSTALL + "import pkg\nassert pkg.Thing is pkg.gen.Thing and pkg.gen2.X\n")


def test_case_16_generated_package_with_a_generated_child(pkg):
    """A generated package serves generated children, and only those."""
    pkg.rows(CODE + CODE.replace("pkg.gen", "pkg.gen.sub").replace("pkg/gen", "pkg/gen/sub"))
    pkg.shim("pkg/gen", "class Thing: pass\n", "module.py")
    pkg.shim("pkg/gen/sub", "from .. import real\nfrom . import Thing\n", "module.py")
    pkg.run(
        INSTALL
        + """
import importlib.util, sys, pkg.gen.sub
assert pkg.gen.sub.Thing is pkg.gen.Thing and pkg.gen.sub.real is pkg.real
assert (pkg.gen.__package__, pkg.gen.sub.__package__) == ("pkg.gen", "pkg.gen")
assert importlib.util.find_spec("pkg.gen.absent") is None
assert importlib.util.find_spec("pkg.gen.module") is None
shimhub.uninstall()
assert not [name for name in sys.modules if name.startswith("pkg.gen")]
"""
    )


def test_case_16_rows_may_attach_to_a_generated_module(pkg):
    """A name of a generated module can be an attach point like any other."""
    more = CODE.replace("module", "alias").replace('"pkg/gen"', '"pkg/tau"')
    pkg.rows(CODE + more.replace('"pkg.gen"', '"pkg.gen:tau"\nto = "math:tau"'))
    pkg.run(INSTALL + "import math, pkg.gen\nassert pkg.gen.tau is math.tau and pkg.gen.Thing\n")


def test_case_16_alias_is_the_very_module(pkg):
    """An aliased module is the moved one itself, under both names and on the parent."""
    pkg.rows(ALIAS)
    pkg.run(
        INSTALL
        + """
import importlib, pickle, sys, pkg.gen
from pkg.gen import Real
assert pkg.gen is pkg.real is sys.modules["pkg.gen"] and Real is pkg.real.Real
assert Real.__module__ == pkg.gen.__name__ == pkg.gen.__spec__.name == "pkg.real"
assert importlib.reload(pkg.gen) is pkg.real
shimhub.uninstall()
assert sys.modules["pkg.real"] is pkg.real and not hasattr(pkg, "gen")
"""
    )


def test_case_16_body_that_fails(pkg):
    """A module that cannot be generated is absent to its importer; cause and verdict tell why."""
    pkg.shim("pkg/gen", "import absent_dependency\n", "module.py")
    pkg.run(
        INSTALL
        + """
import sys, pkg
for _ in range(2):
    try:
        import pkg.gen
    except ModuleNotFoundError as error:
        assert error.name == "pkg.gen" and "absent_dependency" in str(error.__cause__)
    else:
        raise AssertionError("imported")
    assert "pkg.gen" not in sys.modules and not hasattr(pkg, "gen")
verdict = shimhub.status()["pkg/gen"]
assert verdict.status == "FAILED" and "absent_dependency" in verdict.reason
assert not list(shimhub.uninstall())
"""
    )


@pytest.mark.parametrize("to", ["pkg.absent", "pkg.real.absent", "absent"])
def test_case_16_alias_that_leads_nowhere(pkg, to):
    """An alias of a module that does not exist is absent to its importer, with a reason."""
    pkg.rows(ALIAS.replace("pkg.real", to))
    pkg.run(
        INSTALL
        + f"""
import sys, pkg
try: import pkg.gen
except ModuleNotFoundError as error: assert error.name == "pkg.gen", error
else: raise AssertionError("imported")
assert {to!r} in shimhub.status()["pkg/gen"].reason
assert "pkg.gen" not in sys.modules
"""
    )


def test_case_16_real_child_wins(pkg):
    """A child that the package has by now is the real one, by identity, and the verdict says so."""
    pkg.module("pkg.gen", "REAL = 1\n")
    pkg.run(
        INSTALL
        + """
import pkg.gen
assert pkg.gen.REAL and not hasattr(pkg.gen, "Thing") and not hasattr(pkg.gen, "__shimhub__")
assert shimhub.status()["pkg/gen"].status == "NOT_NEEDED"
shimhub.uninstall()
import sys
assert sys.modules["pkg.gen"] is pkg.gen
"""
    )


# -- 17: parents that are not there ---------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["absent.gen", "absent.deep.gen", "flat.gen", "raises.gen", "pkg.missing.gen"]
)
def test_case_17_parent_absent_or_no_package(lab, name):
    """Without a parent that is a package the import fails as without the hub: no phantoms."""
    lab.module("flat")
    lab.module("pkg.__init__")
    lab.module("raises.__init__", "raise ImportError('told by the parent')\n")
    lab.rows(NAMES.replace("pkg.gen", name))
    out = alike(
        lab,
        f"""
        import importlib.util, sys
        def told(call):
            try:
                return call()
            except ImportError as error:
                return type(error), error.args, error.name, error.path, error.__cause__
        print(told(lambda: __import__({name!r})))
        print(told(lambda: importlib.util.find_spec({name!r})))
        print([n for n in sys.modules if n.split(".")[0] in ("absent", "raises")])
        """,
    )
    assert "ImportError" in out or "ModuleNotFoundError" in out


def test_case_17_parent_that_is_switched_off(pkg):
    """A generated child whose generated parent is disabled is not there either."""
    pkg.rows(CODE + CODE.replace("pkg.gen", "pkg.gen.sub").replace("pkg/gen", "pkg/gen/sub"))
    pkg.shim("pkg/gen/sub", "X = 1\n", "module.py")
    pkg.run(
        """
        import shimhub
        shimhub.install(registry=REGISTRY, disable="pkg/gen")
        try: import pkg.gen.sub
        except ModuleNotFoundError as error: assert error.name == "pkg.gen", error
        else: raise AssertionError("phantom parent")
        """
    )


def test_case_17_parent_of_which_the_entry_says_so(pkg):
    """A parent is generated where a row of its own says so."""
    row = '[[shim]]\nid = "new"\nattach = "new"\naction = "module"\ncapability = true\nwhy = "x"\n'
    child = row.replace('"new"', '"new.gen"', 2).replace("capability = true\n", "")
    pkg.rows(row + "names = {}\n" + child + 'names = { tau = { alias = "math:tau" } }\n')
    pkg.run(
        INSTALL
        + """
import sys, math, new.gen
assert new.gen.tau is math.tau and new.__path__ == [] and new.gen.__package__ == "new"
shimhub.uninstall()
assert "new" not in sys.modules and "new.gen" not in sys.modules
"""
    )


# -- 18: find_spec as a capability check ----------------------------------------------------------


@pytest.mark.parametrize("action", ["module", "alias"])
def test_case_18_top_level_package_is_refused(lab, action):
    """A row that would generate a top-level package without saying so is a registry error."""
    extra = {"module": "names = {}", "alias": 'to = "math"'}[action]
    lab.rows(f'[[shim]]\nid = "fake"\nattach = "fake"\naction = "{action}"\nwhy = "x"\n{extra}\n')
    lab.run(
        """
        import importlib.util, sys, shimhub
        try:
            shimhub.install(registry=REGISTRY)
        except shimhub.RegistryError as error:
            (problem,) = error.problems
            assert problem.key.endswith("attach") and "capability" in problem.message
        else:
            raise AssertionError("accepted")
        assert importlib.util.find_spec("fake") is None
        """
    )


def test_case_18_capability_fakes_no_metadata(lab):
    """A top-level package that a row asks for is found and imported; no metadata tells of it."""
    lab.rows(
        """
        [[shim]]
        id = "fake"
        attach = "fake"
        action = "module"
        capability = true
        names = { tau = { alias = "math:tau" } }
        why = "A stand-in."
        """
    )
    lab.run(
        """
        import importlib.metadata as metadata, importlib.util, shimhub
        before = metadata.packages_distributions() if hasattr(
            metadata, "packages_distributions") else {}
        names = sorted(d.metadata["Name"] for d in metadata.distributions())
        assert importlib.util.find_spec("fake") is None
        shimhub.install(registry=REGISTRY)
        assert importlib.util.find_spec("fake") is not None
        import fake
        assert fake.tau and not hasattr(fake, "__version__")
        try: metadata.version("fake")
        except metadata.PackageNotFoundError: pass
        else: raise AssertionError("faked")
        if before: assert metadata.packages_distributions() == before
        assert sorted(d.metadata["Name"] for d in metadata.distributions()) == names
        """
    )


def test_case_18_the_hub_leaves_the_programs_metadata_finders_alone(lab):
    """Installing the hub changes none of the finders that importlib.metadata asks."""
    lab.run(
        """
        import sys, importlib.metadata
        from importlib.machinery import PathFinder
        before, names = list(sys.meta_path), dict(vars(PathFinder))
        import shimhub
        shimhub.install()
        shimhub.uninstall()
        assert sys.meta_path == before, sys.meta_path
        assert dict(vars(PathFinder)) == names
        """
    )


def test_case_18_find_spec_runs_nothing(pkg):
    """Looking for a generated module neither runs its body nor counts as applied."""
    pkg.shim("pkg/gen", "import sys\nsys.ran = True\n", "module.py")
    pkg.run(
        INSTALL
        + """
import importlib.util, sys
assert importlib.util.find_spec("pkg.gen").origin.endswith("module.py")
assert not hasattr(sys, "ran") and "pkg.gen" not in sys.modules
assert shimhub.status()["pkg/gen"].status == "PENDING"
import pkg.gen
assert sys.ran and importlib.util.find_spec("pkg.gen") is pkg.gen.__spec__
"""
    )


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ('when = { python = "<3" }', "GATED"),
        ('probe = { provider = "pkg.real" }', "NOT_NEEDED"),
        ('needs = ["pkg/other"]', "CONFLICT"),
    ],
)
def test_case_18_module_that_is_refused_is_not_found(pkg, key, status):
    """A generated module that a gate, a provider or a need refuses is absent to find_spec too."""
    pkg.rows(CODE + key + "\n" + NAMES.replace("gen", "other") + 'when = { python = "<3" }\n')
    pkg.run(
        INSTALL
        + f"""
import importlib.util
assert importlib.util.find_spec("pkg.gen") is None
try: import pkg.gen
except ModuleNotFoundError as error: assert str(error) == "No module named 'pkg.gen'", error
else: raise AssertionError("generated")
assert shimhub.status()["pkg/gen"].status == {status!r}, shimhub.status()["pkg/gen"]
"""
    )


def test_case_18_directory_listing_is_untouched(pkg):
    """``pkgutil.iter_modules`` tells of what is on disk, with and without the hub."""
    code = "import pkg, pkgutil\nprint([m.name for m in pkgutil.iter_modules(pkg.__path__)])\n"
    assert alike(pkg, code) == "['real']\n"


# -- 19 and 20: placeholders ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["__file__", "__wrapped__", "__path__", "__all__", "__fspath__", "__array_interface__",
     "__torch_function__", "__signature__", "__dataclass_fields__", "__version__", "__len__"],
)  # fmt: skip
def test_case_19_dunders_of_a_placeholder(holder, name):
    """A dunder that a class lacks is a plain AttributeError, on the name and on a subclass."""
    holder.run(
        INSTALL
        + f"""
import target
class Sub(target.Gone): pass
for thing in (target.Gone, Sub):
    assert not hasattr(thing, {name!r})
    try: thing.{name}
    except AttributeError as error: assert type(error) is AttributeError, error
"""
    )


def test_case_19_introspection_tools(holder):
    """inspect, pydoc, doctest, dataclasses, mock and copy take a placeholder for a class."""
    holder.run(
        INSTALL
        + """
import asyncio, copy, dataclasses, doctest, functools, inspect, pydoc, target, weakref
from unittest import mock
Gone = target.Gone
assert inspect.unwrap(Gone) is Gone and inspect.isclass(Gone) and inspect.getmodule(Gone) is target
assert not inspect.isabstract(Gone) and not inspect.iscoroutinefunction(Gone)
assert not dataclasses.is_dataclass(Gone) and dict(inspect.getmembers(target))["Gone"] is Gone
assert copy.copy(Gone) is copy.deepcopy(Gone) is Gone and weakref.ref(Gone)() is Gone
inspect.signature(Gone), dir(Gone), repr(Gone), hash(Gone), inspect.getmembers(Gone)
assert "Gone" in pydoc.plain(pydoc.render_doc(target)) and doctest.DocTestFinder().find(target)
mock.create_autospec(Gone), functools.wraps(Gone)(lambda: None)
functools.singledispatch(print).register(Gone, print)
"""
    )


def test_case_19_dunders_of_a_generated_module(pkg):
    """A module made of a row has no dunders but a module's own."""
    pkg.rows(NAMES)
    pkg.run(
        INSTALL
        + """
import inspect, doctest, pkg.gen
for name in ("__wrapped__", "__path__", "__all__", "__version__", "__getattr__"):
    assert not hasattr(pkg.gen, name), name
assert inspect.unwrap(pkg.gen) is pkg.gen
doctest.DocTestFinder().find(pkg.gen)
"""
    )


def test_case_20_import_time_uses_work(holder):
    """A placeholder can be imported, subclassed, annotated with and tested against."""
    holder.run(
        INSTALL
        + """
import abc, dataclasses, pickle, typing
from target import Gone
class Sub(Gone): x = 1
class Mixed(Sub, abc.ABC):
    @abc.abstractmethod
    def f(self): ...
class Of(Gone, typing.Generic[typing.TypeVar("T")]): pass
class Told(Gone, keyword=1): pass
@dataclasses.dataclass
class Data:
    one: Gone | None = None
    many: "list[Gone]" = dataclasses.field(default_factory=list)
def f(a: Gone, b: typing.Optional[Gone] = None) -> Gone[int]: ...
assert typing.get_type_hints(Data)["many"] == list[Gone] and Data().one is None
assert typing.get_type_hints(f)["b"] == typing.Optional[Gone]
assert not isinstance(1, Gone) and not isinstance(1, (str, Gone, Sub)) and not issubclass(int, Gone)
assert issubclass(Sub, Gone) and issubclass(Mixed, Sub) and Sub.x == 1 and {Gone: 1}[Gone]
assert (Gone.__module__, Gone.__qualname__, Gone.__name__) == ("target", "Gone", "Gone")
assert not hasattr(Gone, "anything") and pickle.loads(pickle.dumps(Gone)) is Gone and bool(Gone)
"""
    )


@pytest.mark.parametrize(
    "use", ["Gone()", "Gone(1, a=2)", "Sub()", "Mixed()", "Gone.create()", "Sub.create()"]
)
def test_case_20_using_it_raises_the_cure(holder, use):
    """Using a placeholder or a subclass raises, naming it, the target's version and the cure."""
    holder.rows("[targets.target]\n" + textwrap.dedent(HOLDER) + 'when = { target = "<9" }\n')
    holder.run(
        INSTALL
        + f"""
import abc, target
from target import Gone
class Sub(Gone): pass
class Mixed(Gone, abc.ABC): pass
try:
    {use}
except (AttributeError, NotImplementedError) as error:
    assert isinstance(error, shimhub.ShimhubError)
    assert isinstance(error, AttributeError) is ("create" in {use!r})
    for word in ("target.Gone", "install target 9", "3.2.1"):
        assert word in str(error), (word, str(error))
else:
    raise AssertionError("used")
"""
    )


def test_case_20_a_placeholder_in_a_module_made_of_names_tells_the_version(lab):
    """Use of it names the version of the distribution that the module is missing from."""
    lab.module("pkg.__init__", "__version__ = '3.2.1'\n")
    lab.rows(NAMES)
    lab.run(
        INSTALL
        + """
from pkg.gen import Gone
try:
    Gone()
except NotImplementedError as error:
    assert "pkg 3.2.1 lacks it" in str(error), str(error)
else:
    raise AssertionError("used")
"""
    )


def test_case_20_probe_does_not_count_it_as_real(holder):
    """A row that fills the name fills it over a placeholder, and undo leads back step by step."""
    more = HOLDER.replace("placeholder", "alias").replace("target/gone", "target/real")
    holder.rows(HOLDER + more.replace('message = "install target 9"', 'to = "decimal:Decimal"'))
    holder.run(
        INSTALL
        + """
import decimal, target
assert target.Gone is decimal.Decimal, target.Gone
assert shimhub.status()["target/real"].status == "APPLIED"
assert not list(shimhub.uninstall())
assert not hasattr(target, "Gone")
"""
    )


def test_case_20_placeholder_of_another_hub(lab):
    """A placeholder that the target itself made does not count as the real name either."""
    lab.module(
        "target",
        """
        class Stamp: placeholder = True
        class added: __shimhub__ = Stamp
        """,
    )
    lab.rows(HOLDER.replace("Gone", "added"))
    lab.run(
        INSTALL
        + """
import target
assert shimhub.status()["target/gone"].status == "APPLIED"
shimhub.uninstall()
assert target.added.__shimhub__ is target.Stamp
"""
    )


def test_case_20_real_name_beats_the_placeholder(holder):
    """Where the target has the name, it is left alone by identity."""
    holder.module("target", "class Gone: pass\nREAL = Gone\n")
    holder.run(
        INSTALL
        + """
import target
assert target.Gone is target.REAL and target.Gone()
verdict = shimhub.status()["target/gone"]
assert verdict.status == "NOT_NEEDED" and "native" in verdict.reason
"""
    )
