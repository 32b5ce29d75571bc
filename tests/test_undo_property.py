"""Exact undo as a property: whatever the order, ``uninstall`` leaves every slot as it was."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("SHIMHUB_EXAMPLES", "150"))
CLOSURE = """
def build(original, ctx):
    def f(*a, **k):
        return ("shim", original and original(*a, **k))
    return f
"""
SELF = "def build(original, ctx): return lambda self: ('shim', original(self))\n"
PROPERTY = "def build(original, ctx): return property(lambda self: ('shim', original.fget(self)))\n"
VALUE = "def build(original, ctx): return 'shim'\n"
EFFECT = """
def build(original, ctx):
    import effects
    effects.STATE.append(ctx.shim)
    ctx.on_revert(lambda: effects.STATE.remove(ctx.shim))
    return lambda: "shim"
"""

#: id -> (attach, action, further keys, code of shim.py)
ROWS = {
    "wrap": ("one:f", "wrap", {"rebind": "loaded"}, CLOSURE),
    "wrap-again": ("one:f", "wrap", {"after": ["wrap"], "rebind": "loaded"}, CLOSURE),
    "replace": ("one:g", "replace", {"group": "g"}, EFFECT),
    "other-module": ("two:g", "wrap", {"group": "g", "rebind": "loaded"}, CLOSURE),
    "add": ("one:added", "add", {"export": True}, CLOSURE),
    "add-too": ("one:added_too", "add", {"export": True}, EFFECT),
    "alias": ("one:root", "alias", {"to": "math:sqrt"}, ""),
    "placeholder": ("one:Gone", "placeholder", {"message": "Upgrade."}, ""),
    "adapt": ("two:f", "adapt", {"drop": ["pin"], "rebind": "loaded"}, ""),
    "classmethod": ("one:K.c", "wrap", {}, CLOSURE),
    "staticmethod": ("one:K.s", "adapt", {"drop": ["pin"]}, ""),
    "property": ("one:K.p", "replace", {}, PROPERTY),
    "slot": ("one:K.own", "replace", {}, VALUE),
    "inherited": ("one:K.inherited", "wrap", {}, SELF),
    "number": ("two:K.number", "replace", {}, VALUE),
    "key": ("two:OPTIONS.a", "replace", {}, VALUE),
    "new-key": ("two:OPTIONS.b", "add", {}, VALUE),
    "pre": ("two:early", "add", {"phase": "pre"}, CLOSURE),
    "lazy": ("slow:Gone", "add", {}, CLOSURE),
    "lazy-too": ("slow:GoneToo", "alias", {"to": "math:pi"}, ""),
    "package": ("pkg.made", "module", {"names": {"X": {"alias": "math:pi"}}}, ""),
    "child": ("pkg.made.child", "module", {"names": {"Y": {"placeholder": "Upgrade."}}}, ""),
    "moved": ("moved", "alias", {"to": "pkg.real", "capability": True}, ""),
}
MODULES = {
    "note": """
        NATIVE = []
        def namespaces(owner):
            yield owner
            for one in list(owner.values()):
                if isinstance(one, type) and one.__module__ == owner["__name__"]:
                    yield type.__dict__["__dict__"].__get__(one)
                elif type(one) is dict:
                    yield one
        def native(names, defined):
            # A body that has just run: what it defined is native, other names are not.
            top = {name: names[name] for name in defined.split()}
            for found in list(namespaces({**top, "__name__": names["__name__"]}))[1:]:
                NATIVE.append((found, dict(found)))
            NATIVE[:] = [one for one in NATIVE if one[0] is not names]
            NATIVE.append((names, top))
    """,
    "effects": "STATE = []\n",
    "one": """
        import note
        __all__ = ["f", "K"]
        def f(x=1): return x
        def g(): return 2
        class Base:
            def inherited(self): return "base"
        class K(Base):
            __slots__ = ("own",)
            @classmethod
            def c(cls): return cls.__name__
            @staticmethod
            def s(x=1): return x
            p = property(lambda self: 3)
        note.native(globals(), "__all__ f g Base K")
    """,
    "two": """
        import note
        OPTIONS = {"a": 1}
        def f(x=1): return x
        def g(): return 4
        class K:
            number = 5
        note.native(globals(), "OPTIONS f g K")
    """,
    "kind": """
        import types
        class Lazy(types.ModuleType):
            def __getattr__(self, name): raise AttributeError(name)
    """,
    "slow": """
        import sys, kind, note
        lazy = kind.Lazy(__name__)
        lazy.__dict__.update(__spec__=__spec__, __loader__=__loader__, __file__=__file__)
        note.native(lazy.__dict__, "__name__")
        sys.modules[__name__] = lazy
    """,
    "consumer": "from one import f\nfrom two import f as h, g as i\n",
    "pkg.__init__": "",
    "pkg.real.__init__": "",
    "pkg.real.child": "Z = 1\n",
}
LOADED = ("one", "two", "slow", "consumer")
GENERATED = ("pkg.made", "pkg.made.child", "moved", "moved.child")


def toml(value):
    """Return a TOML value; strings, lists and numbers are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


def table(shim_id, row):
    """Return a ``[[shim]]`` table."""
    return f"[[shim]]\nid = {toml(shim_id)}\n" + "".join(
        f"{key} = {toml(value)}\n" for key, value in row.items()
    )


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Write targets, shims and their registry, and make them importable for these tests alone."""
    root = tmp_path_factory.mktemp("undo")
    for name, text in MODULES.items():
        path = root / "site" / (name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    text = "schema = 1\n"
    for shim_id, (attach, action, keys, code) in ROWS.items():
        text += table(shim_id, {"attach": attach, "action": action, "why": "A test.", **keys})
        if code:
            path = root / "shims" / shim_id / "shim.py"
            path.parent.mkdir(parents=True)
            path.write_text(code, encoding="utf-8")
    (root / "registry.toml").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        patch.syspath_prepend(root / "site")
        yield str(root / "registry.toml")
    forget()


def forget():
    """Take this test's modules out of ``sys.modules``."""
    tops = {name.partition(".")[0] for name in (*MODULES, *GENERATED)}
    for name in list(sys.modules):
        if name.partition(".")[0] in tops or name.startswith("shimhub.shims."):
            del sys.modules[name]


def fresh():
    """Import what records the native state anew; a failed example leaves nothing to the next."""
    from shimhub.hub import current

    current().engine.journal.entries.clear()
    forget()
    for name in ("note", "effects", "kind", "pkg"):
        importlib.import_module(name)
    sys.modules["kind"].native = vars(sys.modules["kind"].Lazy)["__getattr__"]


def step(registry, action, argument):
    """Do one thing that a user might do."""
    import shimhub

    if action in ("only", "disable"):
        shimhub.install(registry=registry, **{action: sorted(argument)})
    elif action == "install":
        shimhub.install(registry=registry)
    elif action == "uninstall":
        assert len(shimhub.uninstall()) == 0
        check()
    elif action == "import":
        try:
            importlib.import_module(argument)
        except ModuleNotFoundError:
            assert argument in GENERATED
    elif argument in sys.modules:
        if action == "reload":
            importlib.reload(sys.modules[argument])
        else:
            del sys.modules[argument]
            importlib.import_module(argument)


def check():
    """Every slot of every namespace that a body ever made holds what the body put there."""
    note, kind = sys.modules["note"], sys.modules["kind"]
    for names, native in note.NATIVE:
        hidden = {"__builtins__", "note", "kind", "sys", "lazy"} if "__name__" in names else set()
        left = {name for name in names if name not in native} - hidden
        left = {name for name in left if not ("__name__" in names and name.startswith("__"))}
        assert not left, left
        assert [name for name in native if names.get(name) is not native[name]] == []
        order = [name for name in names if name in native]
        assert len(native) > 4 or order == list(native)
    assert sys.modules["effects"].STATE == []
    assert kind.Lazy.__getattr__ is kind.native
    assert not [name for name in GENERATED if name in sys.modules]
    assert "made" not in vars(sys.modules["pkg"])
    for name in ("f", "h", "i"):  # all of rows that say `rebind`
        held = vars(sys.modules["consumer"])[name] if "consumer" in sys.modules else None
        assert not hasattr(held, "__shimhub__"), name
    assert not [one for one in sys.meta_path if type(one).__module__.startswith("shimhub")]


ids = st.sets(st.sampled_from(sorted(ROWS)), min_size=1, max_size=6)
names = st.sampled_from(LOADED)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["install", "uninstall"]), st.none()),
        st.tuples(st.sampled_from(["only", "disable"]), ids),
        st.tuples(st.sampled_from(["reload", "again"]), names),
        st.tuples(st.just("import"), st.sampled_from([*LOADED, *GENERATED])),
    ),
    max_size=12,
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps)
@example(steps=[("install", None), ("import", "consumer")])
@example(
    steps=[("import", "consumer"), ("install", None), ("reload", "one"), ("reload", "consumer")]
)
@example(steps=[("install", None), ("import", "one"), ("disable", {"replace", "adapt"})])
@example(steps=[("install", None), ("import", "moved.child"), ("disable", {"moved"})])
@example(steps=[("install", None), ("import", "slow"), ("disable", {"lazy"}), ("reload", "two")])
def test_uninstall_restores_every_slot_in_whatever_order(registry, steps):
    """After any installs, imports, reloads and uninstalls, each object is the one before."""
    import shimhub

    fresh()
    try:
        for action, argument in steps:
            step(registry, action, argument)
    finally:
        left = shimhub.uninstall()
    assert len(left) == 0, str(left)
    check()


def test_every_row_of_the_property_is_applied(registry):
    """The property is about something: with all modules imported each of its rows is applied."""
    import shimhub

    fresh()
    shimhub.install(registry=registry)
    try:
        for name in (*LOADED, *GENERATED):
            importlib.import_module(name)
        found = {shim_id: shimhub.status()[shim_id].status.value for shim_id in ROWS}
    finally:
        shimhub.uninstall()
    check()
    assert found == dict.fromkeys(ROWS, "APPLIED")


# ---- the packaged registry

EVERYTHING = """
import importlib, json, os, sys, types, warnings
warnings.simplefilter("ignore")
import shimhub
from shimhub import paths
from shimhub.attach import resolve
rows = [one for one in shimhub.plan(registry=FILES, enable="*")]
from shimhub.hub import registry_of
from shimhub.config import config_of
shims = registry_of(config_of(FILES, None, "*", None, False, {})).shims
def load(name):
    try:
        importlib.import_module(name)
    except Exception as error:
        return f"{name}: {error!r}"
def spaces():
    for shim in shims:
        owner = sys.modules.get(shim.module)
        if owner is None or shim.retired:
            continue
        yield shim.module, vars(owner)
        for part in shim.qualname.split(".")[:-1]:
            owner = vars(owner).get(part) if not isinstance(owner, dict) else owner.get(part)
            if owner is None:
                break
            yield f"{shim.module}:{part}", owner if isinstance(owner, dict) else vars(owner)
def snapshot():
    return {name: dict(space) for name, space in spaces()}
live = [shim for shim in shims if not shim.retired]
BEFORE
before, modules = snapshot(), set(sys.modules)
shimhub.install(registry=FILES, enable=[shim.id for shim in live])
for shim in live:
    load(shim.module)
states = {shim.id: shimhub.status()[shim.id] for shim in live}
left = shimhub.uninstall()
assert len(left) == 0, str(left)
after = snapshot()
problems = []
for name in before:
    was, now = before[name], after.get(name, {})
    new = [key for key in now if key not in was and not isinstance(now[key], types.ModuleType)]
    problems += [f"{name}.{key} stays" for key in new]
    problems += [f"{name}.{key} is lost" for key in was if key not in now]
    kept = was.keys() & now.keys()
    # torch sets these itself: when it first needs a mesh, and when torch._dynamo is imported.
    own = {"_distributed_opaque_types_registered", "manual_seed"}
    others = kept - own
    problems += [f"{name}.{key} is another" for key in others if now[key] is not was[key]]
for name, module in list(sys.modules.items()):
    space = getattr(module, "__dict__", None) if type(module) is types.ModuleType else None
    if name.startswith("shimhub") or not space:
        continue
    problems += [f"{name} is generated" for one in [space.get("__shimhub__")] if one is not None]
    for key, value in list(space.items()):
        if type(value) in (types.FunctionType, type) and "__shimhub__" in vars(value):
            problems.append(f"{name}.{key} is of {vars(value)['__shimhub__'].shim}")
    is_compiled = str(space.get("__file__")).endswith(".so")  # has none
    if name in {shim.module for shim in live} and "__builtins__" not in space and not is_compiled:
        problems.append(f"{name}.__builtins__ is lost")
assert not problems, problems
print(json.dumps({key: [one.status.value, one.reason] for key, one in states.items()}))
"""
BEFORE = "for shim in live:\n    if not shim.is_module: load(shim.module)\n"


@pytest.mark.parametrize("order", ["imported before", "imported after"])
def test_the_packaged_registry_is_undone_over_the_installed_targets(lab, order):
    """All packs on, opt-in ones too: what is installed is patched and given back by identity."""
    pytest.importorskip("torch", reason="needs the targets of the packaged registry")
    code = EVERYTHING.replace(
        "BEFORE\n", BEFORE if order == "imported before" else "import torch\n"
    )
    done = lab.run("FILES = None\n" + code)
    told(order, json.loads(done.stdout.splitlines()[-1]))


def told(title, states):
    """Print how many rows came to which end; the reason of each failure."""
    counts = {}
    for status, _ in states.values():
        counts[status] = counts.get(status, 0) + 1
    sys.stdout.write(f"\n{title}: {counts}\n")
    for shim_id, (status, reason) in states.items():
        if status == "FAILED":
            sys.stdout.write(f"  {shim_id}: {reason}\n")
    assert counts.get("APPLIED"), states


def satisfying(rule):
    """Return a version for which ``rule`` holds."""
    from packaging.specifiers import SpecifierSet

    for found in re.findall(r"[\d.]+", rule):
        for version in (found, f"{found}.1", f"{found}.999"):
            if SpecifierSet(rule).contains(version):
                return version
    raise AssertionError(rule)


class Mock:
    """Stand-in packages for the attach points of rows whose targets are not installed."""

    def __init__(self, lab):
        self.lab = lab
        self.text = {}

    def module(self, name):
        """Make ``name`` and its parents packages."""
        parts = name.split(".")
        for size in range(1, len(parts) + 1):
            self.text.setdefault(".".join(parts[:size]), {})

    def point(self, point):
        """Define the object that ``module:qualname`` names."""
        module, _, qualname = point.partition(":")
        self.module(module)
        if qualname:
            top, *rest = qualname.split(".")
            body = f"class {top}:\n" + "".join(
                f"    def {one}(self, *a, **k): ...\n" for one in rest
            )
            function = f"def {top}(*args, **kwargs): return None\n"
            plain = function if top[:1].islower() or top[:1] == "_" else f"class {top}: ...\n"
            self.text[module][top] = body if rest else plain

    def write(self):
        """Write all packages."""
        for name, objects in self.text.items():
            self.lab.module(f"{name}.__init__", "".join(objects.values()))


def stand_ins(lab, rows):
    """Write what ``rows`` attach to and alias, with metadata that their gates accept."""
    mock = Mock(lab)
    versions = {"torch": "1"}
    for row in rows:
        versions |= {name: satisfying(rule) for name, rule in row.get("when", {}).items()}
        module, _, name = row["attach"].partition(":")
        if row["action"] in ("replace", "wrap", "adapt"):
            mock.point(row["attach"])
        elif name or "." in module:
            mock.module(module if name else module.rpartition(".")[0])
        for entry in (row, *row.get("names", {}).values()):
            for origin in {"to", "alias"} & entry.keys():
                mock.point(entry[origin])
    mock.write()
    for name, version in versions.items():
        folder = lab.site / f"{name}-{version}.dist-info"
        folder.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / "METADATA").write_text(text, encoding="utf-8")


def test_the_packaged_registry_is_undone_over_stand_ins(lab):
    """Rows whose targets are not installed here run on stand-ins made from their attach points."""
    from shimhub import paths, plan
    from shimhub.compiled import load

    gated = {one.id for one in plan(enable="*") if one.status == "GATED"}
    table = load(((paths.packaged_registry(), "packaged"),))["shims"]
    rows = [one for one in table if one["id"] in gated]
    if not rows:
        pytest.skip("every target of the packaged registry is installed")
    stand_ins(lab, rows)
    done = lab.run("FILES = None\n" + EVERYTHING.replace("BEFORE\n", BEFORE))
    states = json.loads(done.stdout.splitlines()[-1])
    told("stand-ins", {shim_id: states[shim_id] for shim_id in gated & states.keys()})
