"""CASES 21-38: what a patch does to a target, and how it leaves it afterwards."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest


def row(attach, action="wrap", shim_id="", **keys):
    """Return a registry row; its id is like ``target/k-method`` for ``target:K.method``."""
    found = {
        "id": shim_id or attach.replace(":", "/").replace(".", "-").lower(),
        "attach": attach,
        "action": action,
        "why": "The case needs it.",
        **keys,
    }
    return "[[shim]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in found.items())


def toml(value):
    """Return a TOML value; strings, lists and numbers are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


WRAP = """
def build(original, ctx):
    def f(*a, **k):
        return ("shim", original(*a, **k))
    return f
"""
ADD = """
def build(original, ctx):
    def added():
        return "added"
    return added
"""
TARGET = "def f(x=1): return x\n"


def dist_info(lab, name, version, metadata=True):
    """Write an installed distribution's metadata; without its METADATA file on demand."""
    folder = lab.site / f"{name}-{version}.dist-info"
    folder.mkdir()
    if metadata:
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / "METADATA").write_text(text, encoding="utf-8")


# ---- 21, 22: names bound earlier


def test_case_21_names_bound_earlier_are_rebound_and_given_back(lab):
    """Under ``rebind`` every module that bound the original by any name gets the replacement."""
    lab.module("target", TARGET)
    lab.module("consumer", "from target import f\nfrom target import f as other\n")
    lab.rows(row("target:f", rebind="loaded"))
    lab.shim("target/f", WRAP)
    lab.run("""
        import target, consumer, shimhub
        original = [target.f]  # a name of this module would be rebound too
        shimhub.install(registry=REGISTRY)
        assert target.f is consumer.f is consumer.other is not original[0]
        assert consumer.f(2) == ("shim", 2)
        shimhub.uninstall()
        assert target.f is consumer.f is consumer.other is original[0]
    """)


def test_case_21_without_rebind_a_bound_name_stays(lab):
    """A row that does not declare ``rebind`` changes its attach point alone."""
    lab.module("target", TARGET)
    lab.module("consumer", "from target import f\n")
    lab.rows(row("target:f"))
    lab.shim("target/f", WRAP)
    lab.run("""
        import target, consumer, shimhub
        original = target.f
        shimhub.install(registry=REGISTRY)
        assert consumer.f is original and target.f is not original
    """)


def test_case_21_what_cannot_be_rebound_is_reported(lab):
    """Closures, defaults, tables, partials and class attributes are named; our own are not."""
    lab.module("target", TARGET)
    lab.module(
        "consumer",
        """
        import functools
        from target import f
        TABLE = {"eff": f}
        PARTIAL = functools.partial(f, 3)
        class K:
            attr = f
            static = staticmethod(f)
        def default(fn=f): return fn
        def keyword_default(*, fn=f): return fn
        def make(fn):
            def closure(): return fn
            return closure
        CLOSURE = make(f)
        PAIRS = (("eff", f),)
        """,
    )
    lab.rows(row("target:f", rebind="loaded"))
    lab.shim("target/f", WRAP)
    lab.run("""
        import target, consumer, shimhub
        shimhub.install(registry=REGISTRY)
        told = shimhub.explain("target/f")["target/f"].evidence["still held by"]
        parts = ("'eff'", "partial", "class consumer.K", "consumer.default", "'fn'", "tuple",
                 "consumer.make")
        for part in parts:
            assert any(part in one for one in told), (part, told)
        assert not any("target.f" in one and "partial" not in one for one in told), told
    """)


def test_case_21_a_shims_own_module_keeps_the_original(lab):
    """Rebinding spares the shim's code, which calls the original by a global name."""
    lab.module("target", TARGET)
    lab.rows(row("target:f", rebind="loaded"))
    lab.shim(
        "target/f",
        """
        import target
        ORIGINAL = target.f
        def build(original, ctx):
            def f(x=1):
                return ("shim", ORIGINAL(x))
            return f
        """,
    )
    lab.run("""
        import target, shimhub
        shimhub.install(registry=REGISTRY)
        assert target.f(2) == ("shim", 2)
    """)


HOSTILE = """
import sys, types
asked = []
class Lazy(types.ModuleType):
    def __getattr__(self, name):
        asked.append(name)
        raise RuntimeError(name)
    @property
    def __dict__(self):
        raise RuntimeError("__dict__")
class Unbound:
    @property
    def __class__(self):
        raise RuntimeError("working outside of a context")
class Proxy:
    __slots__ = ()
    __class__ = types.ModuleType
class Slotted:
    __slots__ = ()
sys.modules.update({
    "h_none": None, "h_text": "text", "h_lazy": Lazy("h_lazy"), "h_unbound": Unbound(),
    "h_proxy": Proxy(), "h_slotted": Slotted(), "h_class": Lazy,
})
"""


def test_case_22_hostile_entries_of_sys_modules_are_survived(lab):
    """Entries that are no modules, or raise when looked at, neither run nor stop the rebind."""
    lab.module("target", TARGET)
    lab.module("hostile", HOSTILE)
    lab.module("consumer", "from target import f\n")
    lab.rows(row("target:f", rebind="loaded"))
    lab.shim("target/f", WRAP)
    lab.run("""
        import target, hostile, consumer, shimhub
        original = [target.f]
        verdict = shimhub.install(registry=REGISTRY)["target/f"]
        assert verdict.status == "APPLIED", verdict
        assert consumer.f is target.f is not original[0]
        shimhub.explain("target/f")
        shimhub.uninstall()
        assert consumer.f is original[0] and hostile.asked == []
    """)


@pytest.mark.parametrize("how", ["class", "function"])
def test_case_22_a_lazy_module_that_holds_the_name_is_not_asked(lab, how):
    """A lazy module that bound the original is rebound without a call of its ``__getattr__``."""
    body = "from target import f\nasked = []\n"
    lazy = "def __getattr__({}name):\n    asked.append(name)\n    raise RuntimeError(name)\n"
    if how == "function":
        body += lazy.format("")
    else:
        inner = lazy.format("self, ").replace("\n", "\n    ")
        body += f"import sys, types\nclass Lazy(types.ModuleType):\n    {inner}\n"
        body += "sys.modules[__name__].__class__ = Lazy\n"
    lab.module("target", TARGET)
    lab.module("lazy", body)
    lab.rows(row("target:f", rebind="loaded"))
    lab.shim("target/f", WRAP)
    lab.run("""
        import target, lazy, shimhub
        lazy.asked.clear()  # the import system itself asks for __path__ and the like
        verdict = shimhub.install(registry=REGISTRY)["target/f"]
        assert verdict.status == "APPLIED", verdict
        assert lazy.f is target.f
        foreign = target.f = lambda: None
        shimhub.uninstall()
        assert lazy.asked == [], lazy.asked
    """)


# ---- 23-28: is it needed?


def test_case_23_a_modules_getattr_is_not_asked(lab):
    """Static look-up decides: ``__getattr__`` runs only for the row that opts in."""
    text = """
        asked = []
        def __getattr__(name):
            asked.append(name)
            if name == "g": return "native"
            raise AttributeError(name)
    """
    lab.module("target", text)
    lab.rows(
        row("target:f", "add")
        + row("target:g", "add", probe={"dynamic": True})
        + row("target:h", "add", probe={"dynamic": True})
    )
    for name in "fgh":
        lab.shim(f"target/{name}", ADD)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        assert set(target.asked) - {"__path__"} == {"g", "h"}, target.asked
        found = [one.status.value for one in shimhub.explain("target")]
        assert found == ["APPLIED", "NOT_NEEDED", "APPLIED"], found
        assert target.f() == target.h() == "added" and target.g == "native"
    """)


def test_case_23_a_name_that_only_all_lists_is_missing(lab):
    """``__all__`` of a plain module is no proof of a name: the hole is filled."""
    lab.module("target", "__all__ = ['f']\n")
    lab.rows(row("target:f", "add"))
    lab.shim("target/f", ADD)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        assert target.f() == "added", str(shimhub.status())
    """)


def test_case_23_a_lazy_module_tells_its_names_by_dir(lab):
    """A lazy module's class that lists the name in ``__dir__`` has it; nothing is imported."""
    text = """
        import sys, types
        class Lazy(types.ModuleType):
            def __dir__(self): return ["f"]
            def __getattr__(self, name): raise AssertionError(name)
        sys.modules[__name__] = Lazy(__name__)
    """
    lab.module("target", text)
    lab.rows(row("target:f", "add"))
    lab.shim("target/f", ADD)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import sys, importlib
        importlib.import_module("target")
        verdict = shimhub.status()["target/f"]
        assert verdict.status == "NOT_NEEDED" and "native" in verdict.reason
        assert "f" not in object.__getattribute__(sys.modules["target"], "__dict__")
    """)


def test_case_24_a_deprecated_alias_of_torch_is_not_asked(lab):
    """Torch's ``__getattr__`` warns about ``has_mps``; looking for the name does not."""
    pytest.importorskip("torch", reason="needs the deprecated names of a real torch")
    lab.rows(row("torch:has_mps", "add"))
    lab.shim("torch/has_mps", ADD)
    lab.run("""
        import warnings, torch, shimhub
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            shimhub.install(registry=REGISTRY)
            verdict = shimhub.status()["torch/has_mps"]
            assert verdict.status == "APPLIED" and torch.has_mps() == "added", verdict
            shimhub.uninstall()
        assert not [one for one in caught if "has_mps" in str(one.message)]
        assert "has_mps" not in vars(torch)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.has_mps
        assert "has_mps" in str(caught[0].message)
    """)


@pytest.mark.parametrize("when", ["before", "after"])
def test_case_25_upstream_later_adds_the_name(lab, when):
    """A name that upstream has by now is left alone, and the verdict says since when."""
    lab.module(
        "target",
        "def f(): return 'real'\nNONE = None\nclass B:\n def m(self): ...\nclass C(B): ...\n",
    )
    dist_info(lab, "target", "2.1")
    points = {"f": "target:f", "none": "target:NONE", "m": "target:C.m"}
    rows = [
        row(point, "alias", f"target/{name}", to="math:sqrt", retire="target>=2")
        for name, point in points.items()
    ]
    lab.rows("[targets.target]\n" + "".join(rows))
    first, then = ("import target", "") if when == "before" else ("", "import target")
    lab.run(f"""
        {first}
        import shimhub
        shimhub.install(registry=REGISTRY)
        {then}
        assert target.f() == "real" and target.NONE is None and "m" not in vars(target.C)
        for verdict in shimhub.explain("target"):
            assert verdict.status == "NOT_NEEDED" and "native" in verdict.reason, verdict
            assert "obsolete since target>=2" in verdict.evidence["retire"]
    """)


CHECKED = """
def probe(ctx):
    if ctx.module.BROKEN == "unknown":
        return None
    return ctx.module.f(2) != 2, f"f(2) is {ctx.module.f(2)}"
def build(original, ctx):
    def f(x): return x
    return f
"""


@pytest.mark.parametrize(
    ("broken", "status"), [(True, "APPLIED"), (False, "NOT_NEEDED"), ("unknown", "GATED")]
)
def test_case_26_only_a_behavioural_probe_replaces_a_broken_name(lab, broken, status):
    """``check`` decides: broken is replaced, right and unknown are left alone, with evidence."""
    lab.module("target", f"BROKEN = {broken!r}\ndef f(x): return 3 if BROKEN is True else x\n")
    lab.rows(row("target:f", "replace", check=True))
    lab.shim("target/f", CHECKED)
    lab.run(f"""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        verdict = shimhub.status()["target/f"]
        assert verdict.status == {status!r}, verdict
        assert hasattr(target.f, "__shimhub__") == ({status!r} == "APPLIED")
        assert {broken!r} == "unknown" or "f(2) is" in verdict.evidence["check"], verdict.evidence
        assert target.f(2) == 2
    """)


def test_case_26_a_probe_that_raises_fails_the_shim_alone(lab):
    """A probe with a bug is a failure of its shim: the import works and the name is native."""
    lab.module("target", "def f(x): return x\n")
    lab.rows(row("target:f", "replace", check=True))
    lab.shim("target/f", "def probe(ctx): return ctx.module.nothing\n" + WRAP)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        verdict = shimhub.status()["target/f"]
        assert verdict.status == "FAILED" and "nothing" in verdict.reason, verdict
        assert target.f(2) == 2
    """)


VERSIONS = [
    # version, rule, version_of, applied
    ("2.9.0a0+git1234", ">=2.9", "release", True),
    ("2.9.0a0+git1234", "<2.9", "release", False),
    ("2.9.0a0+git1234", ">=2.9", "pep440", False),
    ("2.9.0a0+git1234", "<2.9", "pep440", False),
    ("2.9.0.dev20250901", ">=2.9,<2.10", "release", True),
    ("2.9.0+cu124", "==2.9.0", "release", True),
    ("2.9.0a0+50eac811a6.nv25.9", ">=2.9", "release", True),
    ("2.9.0.post1", ">=2.9.0", "release", True),
    ("2.9.0rc1", ">=2.9", "release", True),
    ("2.9.0.nv25.09", ">=2", "release", False),
    ("unknown", ">=0", "release", False),
]


def test_case_27_odd_versions_have_a_defined_gate_that_is_printed(lab):
    """Pre, dev and local parts do not count unless the row says so; the verdict shows both."""
    rows = "[targets.math]\n"
    for index, (version, rule, version_of, _) in enumerate(VERSIONS):
        name = f"target{index}"
        lab.module(name, f"__version__ = {version!r}\n")
        rows += f"[targets.{name}]\n"
        rows += row(f"{name}:f", "alias", to="math:sqrt", when={name: rule}, version_of=version_of)
    lab.rows(rows)
    lab.run(f"""
        import shimhub, importlib
        shimhub.install(registry=REGISTRY)
        for index, (version, rule, version_of, applied) in enumerate({VERSIONS!r}):
            module = importlib.import_module(f"target{{index}}")
            verdict = shimhub.status()[f"target{{index}}/f"]
            assert hasattr(module, "f") == applied, (version, rule, verdict)
            assert (verdict.status == "APPLIED") == applied, verdict
            assert version in verdict.evidence[f"target{{index}}"], verdict.evidence
        assert "counts as 2.9.0" in shimhub.status()["target0/f"].evidence["target0"]
    """)


@pytest.mark.parametrize("installed", ["torch_like", "torch_like_nightly"])
def test_case_28_the_first_installed_of_a_targets_distributions_counts(lab, installed):
    """``dists`` names the distributions of one module; the installed one tells the version."""
    lab.module("torch_like", "")
    dist_info(lab, installed, "2.9")
    lab.rows(
        '[targets.torch_like]\ndists = ["torch-like", "torch-like-nightly"]\n'
        + row("torch_like:f", "alias", to="math:sqrt", when={"torch_like": ">=2.9"})
    )
    lab.run(f"""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import torch_like
        verdict = shimhub.status()["torch_like/f"]
        assert verdict.status == "APPLIED", verdict
        assert {installed.replace("_", "-")!r} in verdict.evidence["torch_like"]
    """)


METADATA = {
    "none": lambda lab: None,
    "empty": lambda lab: dist_info(lab, "target", "1.0", metadata=False),
    "duplicate": lambda lab: (dist_info(lab, "target", "1.0"), dist_info(lab, "target", "3.0")),
    "garbled": lambda lab: (
        dist_info(lab, "target", "1.0"),
        (lab.site / "target-1.0.dist-info" / "METADATA").write_bytes(b"\xff\xfe\x00Name"),
    ),
    "no version": lambda lab: (
        dist_info(lab, "target", "1.0"),
        (lab.site / "target-1.0.dist-info" / "METADATA").write_text("Name: target\n"),
    ),
}


@pytest.mark.parametrize("state", METADATA)
def test_case_28_metadata_that_tells_nothing_falls_back_to_the_module(lab, state):
    """Missing, empty, garbled or contradictory metadata: ``__version__`` decides, without noise."""
    lab.module("target", "__version__ = '2.5'\n")
    METADATA[state](lab)
    lab.rows(
        "[targets.target]\n"
        + row("target:f", "alias", to="math:sqrt", when={"target": ">=2,<3"})
        + row("target:g", "alias", to="math:sqrt", when={"target": ">=3"})
    )
    done = lab.run(
        """
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        status = shimhub.status()
        assert status["target/f"].status == "APPLIED", status["target/f"]
        assert "2.5, from target.__version__" in status["target/f"].evidence["target"]
        assert status["target/g"].status == "GATED", status["target/g"]
        """,
        "-Werror",
    )
    assert done.stderr == ""


def test_case_28_a_version_that_nobody_tells_gates_the_shim(lab):
    """A rule about a version that even the imported module does not tell does not hold."""
    lab.module("target", "")
    lab.rows(
        "[targets.target]\n" + row("target:f", "alias", to="math:sqrt", when={"target": ">=2,<3"})
    )
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        verdict = shimhub.status()["target/f"]
        assert verdict.status == "GATED" and not hasattr(target, "f"), verdict
    """)


# ---- 29: all or nothing

GROUP = row("target:f", group="g") + row("target:g", group="g") + row("target:h", group="g")
BROKEN = "def build(original, ctx): raise OSError('no disk')\n"


def trio(lab):
    """Write a target of three functions whose middle shim cannot be built."""
    lab.module("target", "def f(): return 1\ndef g(): return 2\ndef h(): return 3\n")
    lab.rows(GROUP)
    for name in "fgh":
        lab.shim(f"target/{name}", BROKEN if name == "g" else WRAP)


def test_case_29_a_group_that_fails_half_way_is_rolled_back(lab):
    """The second of three raises: all three are native, the module imports, the error is told."""
    trio(lab)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        assert (target.f(), target.g(), target.h()) == (1, 2, 3)
        status = shimhub.status()
        assert {one.status.value for one in shimhub.explain("target")} == {"FAILED"}, str(status)
        assert "no disk" in status["target/g"].reason
        assert "rolled back with target/g" in status["target/f"].reason
    """)


def test_case_29_strict_fails_the_import_and_the_second_try(lab):
    """In strict mode the import raises ImportError naming the shim, however often it is tried."""
    trio(lab)
    lab.run(
        """
        import shimhub, sys
        shimhub.install(registry=REGISTRY)
        for _ in range(3):
            try:
                import target
            except ImportError as error:
                assert "target/g" in str(error) and "no disk" in str(error)
            else:
                raise AssertionError("imported")
            assert "target" not in sys.modules
        """,
        SHIMHUB_STRICT="1",
    )


def test_case_29_strict_install_over_a_loaded_target_changes_nothing(lab):
    """A strict install that fails raises, leaves the target native and nothing installed; twice."""
    trio(lab)
    lab.run("""
        import shimhub, sys, target
        before = dict(vars(target))
        for _ in range(2):
            try:
                shimhub.install(registry=REGISTRY, strict=True)
            except shimhub.ShimError as error:
                assert "target/g" in str(error)
            else:
                raise AssertionError("installed")
            assert vars(target) == before
            assert not [one for one in sys.meta_path if type(one).__module__.startswith("shimhub")]
    """)


TWO = row("first:f", group="g", rebind="loaded") + row("second:f", group="g")


def test_case_29_a_group_over_two_modules_is_rolled_back_in_the_first(lab):
    """When the second module's shim fails, the first module's patches and rebinds are undone."""
    lab.module("first", TARGET)
    lab.module("second", TARGET)
    lab.module("consumer", "from first import f\n")
    lab.rows(TWO)
    lab.shim("first/f", WRAP)
    lab.shim("second/f", BROKEN)
    lab.run("""
        import first, consumer, shimhub
        original = [first.f]
        shimhub.install(registry=REGISTRY)
        assert first.f is consumer.f is not original[0]
        import second
        assert first.f is consumer.f is original[0]
        assert shimhub.status()["first/f"].status == shimhub.status()["second/f"].status == "FAILED"
        import importlib
        importlib.reload(first)
        assert not hasattr(first.f, "__shimhub__")
    """)


def test_case_29_a_rollback_leaves_the_layers_of_others_in_place(lab):
    """A shim that lies on top of a rolled back one still works, on the original, and says so."""
    lab.module("first", TARGET)
    lab.module("second", TARGET)
    lab.rows(TWO + row("first:f", shim_id="top", after=["first/f"]))
    lab.shim("first/f", WRAP)
    lab.shim("second/f", BROKEN)
    lab.shim("top", WRAP.replace('"shim"', '"top"'))
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import first
        original = first.f
        assert first.f(1) == ("top", ("shim", 1))
        import second
        status = shimhub.status()
        assert status["first/f"].status == "FAILED"
        if status["top"].status == "APPLIED":
            assert first.f(1) == ("top", 1), first.f(1)
        else:
            assert first.f(1) == 1, (first.f(1), str(status))
        shimhub.uninstall()
        assert first.f(1) == 1
    """)


def test_case_29_side_effects_of_a_rolled_back_shim_are_undone(lab):
    """``on_revert`` callables run on rollback, last first, also when one of them raises."""
    lab.module("target", "LOG = []\n" + TARGET)
    lab.rows(row("target:f"))
    lab.shim(
        "target/f",
        """
        def build(original, ctx):
            log = ctx.module.LOG
            ctx.on_revert(lambda: log.append("first"))
            ctx.on_revert(lambda: 1 / 0)
            ctx.on_revert(lambda: log.append("last"))
            raise ValueError("broken")
        """,
    )
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        assert target.LOG == ["last", "first"], target.LOG
        assert shimhub.status()["target/f"].status == "FAILED"
        shimhub.uninstall()
        assert target.LOG == ["last", "first"]
    """)


def test_case_29_an_undo_that_raises_does_not_stop_the_others(lab):
    """``uninstall`` undoes every slot and every other effect, and reports the one that raised."""
    lab.module("target", "LOG = []\ndef f(): return 1\ndef g(): return 2\n")
    lab.rows(row("target:f") + row("target:g"))
    undo = "def build(original, ctx):\n    ctx.on_revert(lambda: {})\n    return lambda: original\n"
    lab.shim("target/f", undo.format("ctx.module.LOG.append('f')"))
    lab.shim("target/g", undo.format("1 / 0"))
    done = lab.run("""
        import shimhub, target
        f, g = target.f, target.g
        shimhub.install(registry=REGISTRY)
        shimhub.uninstall()
        assert target.f is f and target.g is g and target.LOG == ["f"]
        shimhub.uninstall()
        assert target.LOG == ["f"]
    """)
    assert "target/g" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_case_29_an_interrupt_in_a_build_undoes_its_group(lab):
    """KeyboardInterrupt is nobody's failed shim: it goes on, and the group is not half applied."""
    trio(lab)
    lab.shim("target/g", "def build(original, ctx): raise KeyboardInterrupt\n")
    lab.run("""
        import shimhub, target
        before = dict(vars(target))
        try:
            shimhub.install(registry=REGISTRY)
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("swallowed")
        assert vars(target) == before
    """)


def test_case_29_a_build_may_import_the_targets_own_submodules(lab):
    """A build that imports and reloads parts of its target neither deadlocks nor applies twice."""
    lab.module("target.__init__", TARGET)
    lab.module("target.child", "from target import f\ndef g(): return 4\n")
    lab.rows(row("target:f") + row("target.child:g"))
    lab.shim(
        "target/f",
        """
        import target.child
        def build(original, ctx):
            import importlib
            importlib.reload(target.child)
            def f(x=1): return (original(x), target.child.g())
            return f
        """,
    )
    lab.shim("target-child/g", WRAP)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        assert target.f() == (1, ("shim", 4)), target.f()
        assert {one.status.value for one in shimhub.explain("target")} == {"APPLIED"}
        shimhub.uninstall()
        assert target.f() == 1 and target.child.g() == 4
    """)


def test_case_29_a_fork_while_another_thread_applies_is_no_lost_patch(lab):
    """In the child of a fork that fell into an apply, the target is patched when it runs again."""
    lab.module("target", TARGET)
    lab.rows(row("target:f"))
    lab.module("gate", "import threading\ninside, go = threading.Event(), threading.Event()\n")
    lab.shim(
        "target/f",
        """
        import gate
        def build(original, ctx):
            gate.inside.set()
            gate.go.wait(20)
            def f(x=1): return ("shim", original(x))
            return f
        """,
    )
    lab.run("""
        import gate, importlib, os, shimhub, target, threading
        thread = threading.Thread(target=shimhub.install, args=(REGISTRY,))
        thread.start()
        assert gate.inside.wait(20)
        child = os.fork()
        if not child:
            gate.go = threading.Event()
            gate.go.set()
            importlib.reload(target)
            os._exit(0 if target.f() == ("shim", 1) else 3)
        gate.go.set()
        thread.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert target.f() == ("shim", 1)
    """)


# ---- 30, 31: exact undo


def wrapped(lab, **keys):
    """Write a target whose function ``f`` is wrapped."""
    lab.module("target", TARGET)
    lab.rows(row("target:f", **keys))
    lab.shim("target/f", WRAP)


def test_case_30_a_foreign_wrapper_on_top_is_never_dropped(lab):
    """Uninstall refuses where somebody wrapped our wrapper, says so, and works once it is gone."""
    wrapped(lab)
    done = lab.run("""
        import target, shimhub
        original = target.f
        shimhub.install(registry=REGISTRY)
        ours = target.f
        def foreign(x=1): return ("foreign", ours(x))
        target.f = foreign
        left = shimhub.uninstall()
        assert [one.id for one in left] == ["target/f"] and "foreign" in left["target/f"].reason
        assert target.f is foreign and target.f(2) == ("foreign", ("shim", 2))
        target.f = ours
        assert len(shimhub.uninstall()) == 0 and target.f is original
    """)
    assert "target/f" in done.stderr


def test_case_30_wrapt_on_top_is_never_dropped(lab):
    """The same with wrapt's object proxies, which compare equal to what they wrap."""
    pytest.importorskip("wrapt", reason="needs wrapt as the foreign patcher")
    wrapped(lab)
    lab.run("""
        import target, shimhub, wrapt
        original = target.f
        shimhub.install(registry=REGISTRY)
        ours = target.f
        wrapt.wrap_function_wrapper(target, "f", lambda w, i, a, k: ("wrapt", w(*a, **k)))
        proxy = target.f
        assert len(shimhub.uninstall()) == 1 and target.f is proxy
        assert target.f(2) == ("wrapt", ("shim", 2))
        target.f = ours
        assert len(shimhub.uninstall()) == 0 and target.f is original
    """)


@pytest.mark.parametrize("order", ["install", "uninstall, install"])
def test_case_30_another_install_does_not_wrap_beneath_a_foreign_wrapper_twice(lab, order):
    """Installing again while a foreign wrapper stands on ours adds no second layer."""
    wrapped(lab)
    steps = "\n".join(
        "shimhub.install(registry=REGISTRY)" if step == "install" else "shimhub.uninstall()"
        for step in order.split(", ")
    )
    lab.run(
        """
        import target, shimhub
        original = target.f
        shimhub.install(registry=REGISTRY)
        ours = target.f
        def foreign(x=1): return ("foreign", ours(x))
        target.f = foreign
        STEPS
        assert target.f is foreign, target.f(2)
        target.f = ours
        assert len(shimhub.uninstall()) == 0 and target.f is original
        """.replace("STEPS", steps.replace("\n", "\n        "))
    )


def test_case_30_a_foreign_undo_to_the_true_original_leaves_nothing_to_undo(lab):
    """Who puts back the true original has undone two layers of ours: nothing is left in place."""
    lab.module("target", TARGET)
    lab.rows(row("target:f") + row("target:f", shim_id="top"))
    lab.shim("target/f", WRAP)
    lab.shim("top", WRAP)
    lab.run("""
        import target, shimhub
        original = target.f
        shimhub.install(registry=REGISTRY)
        assert target.f(1) == ("shim", ("shim", 1))
        target.f = original
        assert len(shimhub.uninstall()) == 0 and target.f is original
    """)


def test_case_30_a_hostile_repr_of_a_foreign_object_stops_nothing(lab):
    """The report about a foreign object whose ``repr`` raises does not end the uninstall."""
    lab.module("target", "def f(): return 1\ndef g(): return 2\n")
    lab.rows(row("target:f") + row("target:g"))
    lab.shim("target/f", WRAP)
    lab.shim("target/g", WRAP)
    lab.run("""
        import target, shimhub
        f = target.f
        shimhub.install(registry=REGISTRY)
        class Foreign:
            def __repr__(self): raise RuntimeError("repr")
        target.g = foreign = Foreign()
        left = shimhub.uninstall()
        assert [one.id for one in left] == ["target/g"]
        assert target.f is f and target.g is foreign
    """)


def test_case_30_a_foreign_value_that_is_ours_elsewhere_is_foreign_all_the_same(lab):
    """Identity with what we put, or found, in *another* slot does not make a value ours here."""
    lab.module("target", "def f(): return 1\ndef g(): return 2\nA = None\nB = 5\nC = 7\nD = 9\n")
    rows = row("target:root", "alias", to="math:sqrt") + row("target:f") + row("target:g")
    lab.rows(rows + "".join(row(f"target:{name}", "replace") for name in "ABCD"))
    lab.shim("target/f", WRAP)
    lab.shim("target/g", WRAP)
    for number, name in enumerate("abcd"):
        lab.shim(f"target/{name}", f"def build(original, ctx): return {number}\n")
    lab.run("""
        import math, target, shimhub
        g = target.g
        shimhub.install(registry=REGISTRY)
        target.f = math.sqrt  # ours under `root`, whose slot we created
        del target.g          # a missing name is what we found at `root`
        target.B = None       # the original of A
        target.C = 0          # our replacement of A
        target.D = 5          # the original of B
        told = {one.id for one in shimhub.uninstall()}
        assert target.f is math.sqrt and not hasattr(target, "g") and not hasattr(target, "root")
        assert (target.A, target.B, target.C, target.D) == (None, None, 0, 5)
        assert told == {"target/f", "target/g", "target/b", "target/c", "target/d"}, told
    """)


def test_case_30_switching_registries_beneath_a_foreign_wrapper(lab):
    """What stands in place survives installs of registries that do not know its shim."""
    wrapped(lab)
    other = lab.module("other").with_suffix(".toml")
    other.write_text("schema = 1\n" + row("math:zero", "alias", to="math:pi"), encoding="utf-8")
    lab.run(f"""
        import target, shimhub
        original = target.f
        shimhub.install(registry=REGISTRY)
        ours = target.f
        foreign = target.f = lambda x=1: ("foreign", ours(x))
        for _ in range(3):
            shimhub.install(registry={str(other)!r})
            assert target.f is foreign
        shimhub.uninstall()
        assert target.f is foreign
        shimhub.install(registry={str(other)!r})
        target.f = ours
        assert len(shimhub.uninstall()) == 0 and target.f is original
    """)


def test_case_30_disabling_the_lower_of_two_layers_keeps_the_upper(lab):
    """Of two shims on one name, either can be disabled alone; the other one works on."""
    lab.module("target", TARGET)
    lab.rows(row("target:f", shim_id="low") + row("target:f", shim_id="top"))
    lab.shim("low", WRAP.replace("shim", "low"))
    lab.shim("top", WRAP.replace("shim", "top"))
    lab.run("""
        import target, shimhub
        original = target.f
        shimhub.install(registry=REGISTRY)
        assert target.f(1) == ("top", ("low", 1))
        shimhub.install(registry=REGISTRY, disable="low")
        assert target.f(1) == ("top", 1), target.f(1)
        status = shimhub.status()
        assert (status["low"].status, status["top"].status) == ("DISABLED", "APPLIED")
        shimhub.install(registry=REGISTRY)
        assert target.f(1) == ("top", ("low", 1)), target.f(1)
        shimhub.install(registry=REGISTRY, disable="top")
        assert target.f(1) == ("low", 1)
        shimhub.uninstall()
        assert target.f is original
    """)


def test_case_30_uninstall_may_come_at_any_time(lab):
    """Uninstall before install, twice, inside ``shimmed`` and from a build is harmless."""
    lab.module("target", "def f(): return 1\ndef g(): return 2\n")
    lab.rows(row("target:f") + row("target:g"))
    lab.shim(
        "target/f",
        "import shimhub\ndef build(original, ctx):\n    shimhub.uninstall()\n"
        "    return lambda: 5\n",
    )
    lab.shim("target/g", WRAP)
    lab.run("""
        import shimhub, sys, target
        before = dict(vars(target))
        shimhub.uninstall()
        with shimhub.shimmed(registry=REGISTRY, only="target/g"):
            assert target.g() == ("shim", 2)
            with shimhub.shimmed(registry=REGISTRY, disable="*"):
                assert target.g() == 2
            assert target.g() == ("shim", 2)
            shimhub.uninstall()
            assert vars(target) == before
        shimhub.uninstall()
        shimhub.install(registry=REGISTRY)
        shimhub.uninstall()
        assert vars(target) == before
        assert not [one for one in sys.meta_path if type(one).__module__.startswith("shimhub")]
    """)


CLASSES = """
class Meta(type):
    def __setattr__(cls, name, value): raise AssertionError(name)
    def __delattr__(cls, name): raise AssertionError(name)
    def __getattribute__(cls, name):
        if name in ("inherited", "c", "s"): raise AssertionError(name)
        return super().__getattribute__(name)
class Base:
    __slots__ = ("slot",)
    def inherited(self): return "base"
    @classmethod
    def inherited_c(cls): return cls.__name__
class K(Base, metaclass=Meta):
    __slots__ = ("own",)
    @classmethod
    def c(cls, x=1): return (cls.__name__, x)
    @staticmethod
    def s(x=1): return x
    @property
    def p(self): return 7
    number = 5
    class Inner:
        def m(self): return "inner"
"""
DESCRIBED = {
    "k-c": ("target:K.c", 'k.c(2) == ("shim", ("K", 2)) and type(v["c"]) is classmethod'),
    "k-s": ("target:K.s", 'k.s(2) == ("shim", 2) and type(v["s"]) is staticmethod'),
    "k-inherited": ("target:K.inherited", 'k.inherited() == ("shim", "base")'),
    "k-inherited_c": ("target:K.inherited_c", 'k.inherited_c() == ("shim", "K")'),
    "k-inner": ("target:K.Inner.m", 'k.Inner().m() == ("shim", "inner")'),
}


def test_case_31_descriptors_stay_what_they_are_and_come_back_by_identity(lab):
    """Class, static and inherited methods keep their kind; created slots go, others come back."""
    lab.module("target", CLASSES)
    lab.rows("".join(row(point, shim_id=name) for name, (point, _) in DESCRIBED.items()))
    for name in DESCRIBED:
        lab.shim(name, WRAP)
    checks = "\n".join(f"        assert {check}" for _, check in DESCRIBED.values())
    lab.run(f"""
        import shimhub, target
        own = type.__dict__["__dict__"].__get__
        def slots():
            owners = target.Base, target.K, own(target.K)["Inner"]
            return {{id(one): dict(own(one)) for one in owners}}
        before = slots()
        shimhub.install(registry=REGISTRY)
        k, v = target.K(), own(target.K)
        assert {{one.status.value for one in shimhub.explain("target")}} == {{"APPLIED"}}
{checks}
        assert target.Base.inherited(k) == "base"
        shimhub.uninstall()
        after = slots()
        assert before.keys() == after.keys()
        for owner in before:
            assert list(before[owner]) == list(after[owner])
            assert all(before[owner][name] is after[owner][name] for name in before[owner])
    """)


PROPERTY = """
def build(original, ctx):
    return property(lambda self: ("shim", original.fget(self)), original.fset, original.fdel)
"""


def test_case_31_properties_slots_and_keys(lab):
    """A property is given whole; slot descriptors, class numbers and dict keys come back."""
    lab.module("target", CLASSES + "OPTIONS = {'a': 1, 'b': 2}\n")
    points = ["target:K.p", "target:K.own", "target:K.number", "target:OPTIONS.b"]
    lab.rows("".join(row(point, "replace") for point in points) + row("target:OPTIONS.c", "add"))
    lab.shim("target/k-p", PROPERTY)
    for name in ("k-own", "k-number", "options-b", "options-c"):
        lab.shim(f"target/{name}", "def build(original, ctx): return 'shim'\n")
    lab.run("""
        import shimhub, target
        slots = type.__dict__["__dict__"].__get__(target.K)
        before, options = dict(slots), target.OPTIONS
        shimhub.install(registry=REGISTRY)
        assert {one.status.value for one in shimhub.explain("target")} == {"APPLIED"}
        k = target.K()
        assert k.p == ("shim", 7) and k.own == k.number == "shim"
        assert target.OPTIONS is options and options == {"a": 1, "b": "shim", "c": "shim"}
        shimhub.uninstall()
        assert all(slots[name] is before[name] for name in before) and len(slots) == len(before)
        k.own = 3
        assert k.own == 3 and list(options.items()) == [("a", 1), ("b", 2)]
    """)


INSTANCES = """
class Slotted:
    __slots__ = ("value",)
class Guarded:
    def __init__(self): self.__dict__["method"] = "own"
    def __setattr__(self, name, value): raise AssertionError(name)
    def __delattr__(self, name): raise AssertionError(name)
class Plain:
    def method(self, x=1): return (type(self).__name__, x)
class Propertied:
    _value = 1
    @property
    def value(self): return self._value
    @value.setter
    def value(self, new): self._value = new
slotted = Slotted()
slotted.value = 1
guarded, plain, propertied = Guarded(), Plain(), Propertied()
"""


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("slotted", "value"), ("guarded", "method"), ("plain", "method"), ("propertied", "value")],
)
def test_case_31_attributes_of_instances_come_back(lab, name, attribute):
    """A slot, own attribute, method or property of an instance is refused, or exactly undone."""
    lab.module("target", INSTANCES)
    lab.rows(row(f"target:{name}.{attribute}", "replace"))
    lab.shim(f"target/{name}-{attribute}", "def build(original, ctx): return 'shim'\n")
    lab.run(f"""
        import shimhub, target
        def own(one): return dict(getattr(one, "__dict__", {{}}))
        before, value = own(target.{name}), target.{name}.{attribute}
        shimhub.install(registry=REGISTRY)
        applied = shimhub.explain("target").items[0].status == "APPLIED"
        assert (target.{name}.{attribute} == "shim") == applied, shimhub.explain("target").items[0]
        shimhub.uninstall()
        assert own(target.{name}) == before
        assert target.{name}.{attribute} == value
    """)


def test_case_31_a_wrapped_method_of_an_instance_is_bound(lab):
    """``wrap`` of ``module:instance.method`` gets what a caller would get: the bound method."""
    lab.module("target", INSTANCES)
    lab.rows(row("target:plain.method"))
    lab.shim("target/plain-method", WRAP)
    lab.run("""
        import shimhub, target
        shimhub.install(registry=REGISTRY)
        assert target.plain.method(2) == ("shim", ("Plain", 2)), str(shimhub.status())
        assert target.Plain().method(2) == ("Plain", 2)
        shimhub.uninstall()
        assert target.plain.method(2) == ("Plain", 2) and "method" not in vars(target.plain)
    """)


def test_case_31_a_builtin_type_is_refused_with_its_reason(lab):
    """A slot that CPython does not let anybody write fails the shim, and nothing else."""
    lab.module("target", "from collections import deque\n")
    lab.rows(row("target:deque.append"))
    lab.shim("target/deque-append", WRAP)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        verdict = shimhub.status()["target/deque-append"]
        assert verdict.status == "FAILED" and "cannot patch" in verdict.reason, verdict
        target.deque().append(1)
    """)


# ---- 32, 33: several hands on one name


@pytest.mark.parametrize("order", ["registry", "before", "after"])
def test_case_32_two_shims_on_one_name_have_one_order(lab, order):
    """Registry order holds unless ``before`` or ``after`` says otherwise."""
    keys = {
        "registry": ({}, {}),
        "before": ({}, {"before": ["a"]}),
        "after": ({"after": ["b"]}, {}),
    }
    lab.module("target", TARGET)
    lab.rows(
        row("target:f", shim_id="a", **keys[order][0])
        + row("target:f", shim_id="b", **keys[order][1])
    )
    lab.shim("a", WRAP.replace("shim", "a"))
    lab.shim("b", WRAP.replace("shim", "b"))
    expected = ("b", ("a", 1)) if order == "registry" else ("a", ("b", 1))
    lab.run(f"""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target, importlib
        assert target.f() == {expected!r}, target.f()
        importlib.reload(target)
        assert target.f() == {expected!r}, target.f()
    """)


def test_case_32_shims_that_contradict_each_other_are_both_refused(lab):
    """Two replacements of one name, and declared conflicts, apply neither; disabling one cures."""
    lab.module("target", "def f(): return 1\ndef g(): return 2\n")
    lab.rows(
        row("target:f", "replace", "a")
        + row("target:f", "replace", "b")
        + row("target:g", shim_id="c", conflicts=["d"])
        + row("target:g", shim_id="d")
    )
    for name in "abcd":
        lab.shim(name, WRAP)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        assert (target.f(), target.g()) == (1, 2)
        for verdict in shimhub.explain("target"):
            assert verdict.status == "CONFLICT" and "disable one of them" in verdict.reason, verdict
        shimhub.install(registry=REGISTRY, disable=["b", "d"])
        assert target.f() == ("shim", 1) and target.g() == ("shim", 2)
    """)


def test_case_33_a_foreign_patcher_is_detected_by_the_fingerprint(lab):
    """A body that is not the proved one is left alone with a warning; the id's user may insist."""
    lab.module("target", "import functools\n" + TARGET)
    lab.module(
        "liger",
        """
        import functools, target
        def apply(wraps):
            original = target.f
            def liger_f(x=1): return ("liger", original(x))
            target.f = functools.wraps(original)(liger_f) if wraps else liger_f
        """,
    )
    lab.shim("target/f", WRAP)
    known = lab.run("""
        from shimhub.fingerprint import fingerprint
        import target
        print(fingerprint(target.f))
    """).stdout.strip()
    lab.rows(row("target:f", "replace", fidelity="exact", fingerprints=[known]))
    done = lab.run("""
        import liger, target, shimhub
        original = target.f
        for wraps in (False, True):
            liger.apply(wraps)
            foreign = target.f
            shimhub.install(registry=REGISTRY)
            verdict = shimhub.status()["target/f"]
            assert verdict.status == "CONFLICT" and "fingerprint" in verdict.reason, verdict
            assert target.f is foreign
            shimhub.install(registry=REGISTRY, enable="target/f")
            assert target.f() == ("shim", ("liger", 1))
            shimhub.uninstall()
            assert target.f is foreign
            target.f = original
        shimhub.install(registry=REGISTRY)
        assert target.f() == ("shim", 1) and shimhub.status()["target/f"].status == "APPLIED"
    """)
    assert "target/f was not applied" in done.stderr


# ---- 34, 35: torch.compile, pickle

COMPILED = """
import torch, shimhub, target, torch._dynamo
x = torch.arange(4.0)
def user(x):
    return target.f(x) + target.K().m(x) + (target.g(x) if hasattr(target, "g") else 0)
def breaks():
    torch._dynamo.reset()
    return torch._dynamo.explain(user)(x).graph_break_count
"""
EXACT = "def build(original, ctx):\n    def f({0}): return original({0}) * 2\n    return f\n"


def compiled(lab):
    """Write a target whose function and method are wrapped, and a function added to it."""
    pytest.importorskip("torch", reason="needs torch.compile")
    lab.module("target", "def f(x): return x + 1\nclass K:\n    def m(self, x): return x * 3\n")
    lab.module("user", COMPILED)
    lab.rows(row("target:f", "replace") + row("target:K.m") + row("target:g", "add"))
    lab.shim("target/f", EXACT.format("x"))
    lab.shim("target/k-m", EXACT.format("self, x"))
    lab.shim("target/g", "def build(original, ctx):\n    def g(x): return x\n    return g\n")


def test_case_34_patched_functions_add_no_graph_break(lab):
    """Under torch.compile replaced, wrapped and added functions are traced as the originals are."""
    compiled(lab)
    lab.run("""
        from user import *
        baseline = breaks()
        shimhub.install(registry=REGISTRY)
        assert baseline == 0 == breaks()
        assert torch.equal(torch.compile(user, backend="eager")(x), user(x))
    """)


def test_case_34_code_compiled_before_the_patch_sees_it(lab):
    """What dynamo compiled from the originals is not used on once they are patched, nor after."""
    compiled(lab)
    lab.run("""
        from user import *
        fast = torch.compile(user, backend="eager")
        def same(): return torch.equal(fast(x), user(x))
        assert same()
        shimhub.install(registry=REGISTRY)
        assert same()
        shimhub.uninstall()
        assert same()
    """)


CLASS = """
import collections
def build(original, ctx):
    class Added:
        def __init__(self, x): self.x = x
        def __eq__(self, other): return type(other) is type(self) and other.x == self.x
        __hash__ = None
    return Added
"""
NATIVE = "class Added:\n    def __init__(self, x): self.x = x\n"


def test_case_35_an_added_class_pickles_by_the_name_that_upstream_has(lab):
    """Pickles round-trip, and are read by a process that has the real class and no hub."""
    lab.module("target", "")
    lab.module("native/target", NATIVE)
    lab.rows(row("target:Added", "add"))
    lab.shim("target/added", CLASS)
    lab.run("""
        import shimhub, pickle, copy
        shimhub.install(registry=REGISTRY)
        import target
        one = target.Added([1])
        assert pickle.loads(pickle.dumps(target.Added)) is target.Added
        assert copy.deepcopy(one) == one == pickle.loads(pickle.dumps(one))
        assert (target.Added.__module__, target.Added.__qualname__) == ("target", "Added")
        with open("pickled", "wb") as stream: pickle.dump(one, stream)
    """)
    lab.run("""
        import sys, pickle
        sys.path.insert(0, "site/native")
        with open("pickled", "rb") as stream: one = pickle.load(stream)
        assert one.x == [1] and "shimhub" not in sys.modules
    """)


WRAPS = """
import functools
def build(original, ctx):
    @functools.wraps(original)
    def f(*a, **k):
        return ("shim", original(*a, **k))
    return f
"""


def test_case_35_a_wrapper_of_a_re_exported_function_has_the_attach_points_name(lab):
    """``functools.wraps`` on a function from elsewhere hides neither stamp nor new place."""
    lab.module("impl", "class Base:\n    def m(self): return 1\n" + TARGET)
    lab.module("target", "from impl import f, Base\nclass K(Base): ...\n")
    lab.rows(row("target:f") + row("target:K.m"))
    lab.shim("target/f", WRAPS)
    lab.shim("target/k-m", WRAPS)
    lab.run("""
        import shimhub, pickle, target
        shimhub.install(registry=REGISTRY)
        for made, name in ((target.f, "target:f"), (target.K.m, "target:K.m")):
            assert made.__shimhub__.attach == name
            assert f"{made.__module__}:{made.__qualname__}" == name
            assert pickle.loads(pickle.dumps(made)) is made
    """)


def test_case_35_torch_save_and_the_weights_only_allow_list(lab):
    """``torch.save`` round-trips an added class; ``weights_only`` wants it allowed first."""
    pytest.importorskip("torch", reason="needs torch.save")
    lab.module("target", "")
    lab.module("native/target", NATIVE)
    lab.rows(row("target:Added", "add"))
    lab.shim("target/added", CLASS)
    lab.run("""
        import shimhub, torch
        shimhub.install(registry=REGISTRY)
        import target
        torch.save(target.Added([1]), "saved.pt")
        assert torch.load("saved.pt", weights_only=False) == target.Added([1])
        try:
            torch.load("saved.pt", weights_only=True)
        except Exception as error:
            assert "target.Added" in str(error)
        else:
            raise AssertionError("loaded")
        with torch.serialization.safe_globals([target.Added]):
            assert torch.load("saved.pt", weights_only=True) == target.Added([1])
    """)
    lab.run("""
        import sys, torch
        sys.path.insert(0, "site/native")
        assert torch.load("saved.pt", weights_only=False).x == [1]
    """)


# ---- 36: adapt

HEAD = """
import asyncio, inspect, typing, warnings, shimhub, target
def raises(kind, call, *parts):
    try:
        call()
    except kind as error:
        assert all(one in str(error) for one in parts), error
    else:
        raise AssertionError("no " + kind.__name__)
before = dict(vars(target))
verdict = shimhub.install(registry=REGISTRY)["target/NAME"]
"""
TAIL = """
shimhub.uninstall()
assert all(vars(target)[name] is before[name] for name in before)
assert len(vars(target)) == len(before)
"""


def adapted(lab, text, code, name="f", **rules):
    """Run ``code`` where ``name`` of a target with the body ``text`` is adapted by ``rules``."""
    lab.module("target", text)
    lab.rows(row(f"target:{name}", "adapt", **rules))
    head = HEAD.replace("NAME", name.replace(".", "-").lower())
    return lab.run(head + dedent(code) + TAIL)


EVERY_KIND = "def f(x, /, y=2, *rest, z, **more): return x, y, rest, z, more\n"


def test_case_36_none_is_dropped_and_any_other_value_raises(lab):
    """A keyword whose value is None passes; every other value is told, never ignored."""
    adapted(
        lab,
        EVERY_KIND,
        """
        assert verdict.status == "APPLIED", verdict
        assert target.f(1, z=3, pin=None) == (1, 2, (), 3, {})
        assert target.f(1, 5, 6, z=3, other=7) == (1, 5, (6,), 3, {"other": 7})
        raises(TypeError, lambda: target.f(1, z=3, pin=False), "target:f", "pin=False")
        raises(TypeError, lambda: target.f(1, z=3, pin=0), "pin=0")
        raises(TypeError, lambda: target.f(1), "'z'")
        raises(TypeError, lambda: target.f(z=3), "'x'")
        assert str(inspect.signature(target.f)) == "(x, /, y=2, *rest, z, pin=None, **more)"
        assert target.f.__name__ == target.f.__qualname__ == "f" and target.f.__module__ == "target"
        """,
        drop=["pin"],
    )


def test_case_36_a_declared_neutral_value_is_dropped_by_type_and_value(lab):
    """1 is not True and 4.0 is not 4; equal values of the same type need not be the same object."""
    adapted(
        lab,
        "def f(x): return x\n",
        """
        assert target.f(1, pin=True, size=int("400000"), tags=["a"]) == 1
        for wrong in ({"pin": 1}, {"size": 400000.0}, {"tags": ("a",)}, {"pin": None}):
            raises(TypeError, lambda: target.f(1, **wrong), *wrong)
        """,
        drop={"pin": True, "size": 400000, "tags": ["a"]},
    )


def test_case_36_the_kind_of_function_is_preserved(lab):
    """Coroutine functions and generators stay what they are, with send and throw."""
    text = """
        async def co(x): return x
        def gen(x):
            try:
                got = yield x
            except KeyError as error:
                got = repr(error)
            yield got
            return "end"
        class K:
            @classmethod
            async def c(cls, x): return cls.__name__, x
            @staticmethod
            def s(x): yield x
    """
    lab.module("target", text)
    points = ["co", "gen", "K.c", "K.s"]
    lab.rows("".join(row(f"target:{point}", "adapt", drop=["pin"]) for point in points))
    lab.run("""
        import asyncio, inspect, shimhub
        shimhub.install(registry=REGISTRY)
        import target
        assert {one.status.value for one in shimhub.explain("target")} == {"APPLIED"}
        assert inspect.iscoroutinefunction(target.co) and inspect.isgeneratorfunction(target.gen)
        assert asyncio.run(target.co(1, pin=None)) == 1
        assert list(target.gen(1, pin=None)) == [1, None]
        assert asyncio.run(target.K.c(1, pin=None)) == ("K", 1) and list(target.K().s(2)) == [2]
        assert type(vars(target.K)["c"]) is classmethod
        assert type(vars(target.K)["s"]) is staticmethod
        assert inspect.iscoroutinefunction(target.K.c) and inspect.isgeneratorfunction(target.K.s)
        sent = target.gen(1)
        assert next(sent) == 1 and sent.send(5) == 5
        try:
            next(sent)
        except StopIteration as error:
            assert error.value == "end"
        thrown = target.gen(1)
        next(thrown)
        assert thrown.throw(KeyError("k")) == "KeyError('k')"
    """)


ASYNC_GENERATOR = """
LOG = []
async def f(inner, value=1, sent=2):
    try:
        while True:
            try:
                inner = yield inner
                LOG.append(("sent", inner))
            except KeyError as error:
                LOG.append("caught")
                inner = "thrown"
                if error.args == ("stop",):
                    return
    finally:
        LOG.append("closed")
"""


def test_case_36_async_generators_keep_asend_athrow_and_aclose(lab):
    """Everything that a caller can do to an async generator does the same through ours."""
    adapted(
        lab,
        ASYNC_GENERATOR,
        """
        assert inspect.isasyncgenfunction(target.f)
        async def use(f):
            target.LOG.clear()
            told = []
            agen = f(1)
            told += [await agen.__anext__(), await agen.asend(5), await agen.athrow(KeyError("k"))]
            await agen.aclose()
            told.append(agen.ag_frame)
            for error in (KeyError("stop"), ValueError("v"), StopAsyncIteration(), GeneratorExit()):
                agen = f(1)
                await agen.asend(None)
                try:
                    told.append(await agen.athrow(error))
                except BaseException as raised:
                    told.append((type(raised), raised is error))
                try:
                    told.append(await agen.__anext__())
                except StopAsyncIteration:
                    told.append("end")
            async for item in f(3):
                told.append(item)
                break
            return told, list(target.LOG)
        assert asyncio.run(use(target.f)) == asyncio.run(use(before["f"]))
        """,
        drop=["pin"],
    )


HOSTILE_NAMES = (
    "_original, _rules, _absent, _value0=1, _value1=2, adapter=3, inner=4, args=5, *, kwargs=6"
)


def test_case_36_parameters_may_have_any_name(lab):
    """Names that the generated closure uses itself are ordinary parameters of the target."""
    names = HOSTILE_NAMES.replace("*, ", "")
    passed = ", ".join(name.partition("=")[0].strip() for name in names.split(","))
    adapted(
        lab,
        f"def f({HOSTILE_NAMES}): return ({passed})\n",
        """
        assert target.f(7, 8, 9) == (7, 8, 9, 1, 2, 3, 4, 5, 6), target.f(7, 8, 9)
        assert target.f(7, 8, 9, kwargs=0, pin=None, old=10) == (7, 8, 9, 1, 2, 3, 10, 5, 0)
        raises(TypeError, lambda: target.f(7, 8, 9, pin=1), "pin=1")
        """,
        drop=["pin"],
        rename={"old": "inner"},
    )


def test_case_36_a_row_cannot_smuggle_code_into_the_closure(lab):
    """Keywords that are no identifiers fail the shim and are never executed."""
    for index, word in enumerate(
        ["x=print('smuggled')", "x): print('smuggled')\n    def y(", "lambda"]
    ):
        for rules in (
            {"drop": [word]},
            {"default": {json.dumps(word): 1}},
            {"rename": {json.dumps(word): "x"}},
        ):
            lab.module("target", "def f(x=1, **more): return x\n")
            lab.rows(row("target:f", "adapt", **rules))
            done = lab.run("""
                import shimhub, target
                native = target.f
                try:
                    shimhub.install(registry=REGISTRY)
                except shimhub.RegistryError:
                    pass
                else:
                    assert shimhub.explain("target").items[0].status == "FAILED"
                assert target.f is native
            """)
            assert "smuggled" not in done.stdout, index


def test_case_36_a_dropped_name_may_be_a_catch_all_or_positional_only(lab):
    """``drop`` of a name that means ``*args``, ``**kwargs`` or a position acts by keyword."""
    adapted(
        lab,
        "def f(first, /, *args, **kwargs): return first, args, kwargs\n",
        """
        assert verdict.status == "APPLIED", verdict
        assert target.f(1, 2, x=3) == (1, (2,), {"x": 3})
        assert target.f(1, 2, first=None, args=None, kwargs=None) == (1, (2,), {})
        raises(TypeError, lambda: target.f(1, kwargs=4), "kwargs=4")
        raises(TypeError, lambda: target.f(1, first=4), "first=4")
        """,
        drop=["first", "args", "kwargs"],
    )


def test_case_36_what_the_target_accepts_by_itself_is_passed_on(lab):
    """Of several keywords only those that the installed version lacks are dropped or renamed."""
    adapted(
        lab,
        "def f(x, a=None, old=0, new=0): return x, a, old, new\n",
        """
        assert verdict.status == "APPLIED", verdict
        assert target.f(1, a=5, b=None, old=7, older=8) == (1, 5, 7, 8)
        raises(TypeError, lambda: target.f(1, b=5), "b=5")
        """,
        drop=["a", "b"],
        rename={"old": "new", "older": "new"},
    )


DECORATED = """
import functools
def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper
"""


def test_case_36_a_decorated_function_that_accepts_it_is_native(lab):
    """A wrapper of ``functools.wraps`` that hands everything on accepts what it wraps accepts."""
    adapted(
        lab,
        DECORATED + "@logged\ndef f(x, pin=None): return x, pin\n",
        """
        assert verdict.status == "NOT_NEEDED" and "native" in verdict.reason, verdict
        assert target.f(1, pin=5) == (1, 5)
        """,
        drop=["pin"],
    )


def test_case_36_the_signature_of_a_decorated_function_is_preserved(lab):
    """``inspect.signature`` shows the same parameters as before, and the adapted keyword."""
    adapted(
        lab,
        DECORATED + "@logged\ndef f(x, y: int = 2): return x, y\n",
        """
        assert str(inspect.signature(before["f"])) == "(x, y: int = 2)"
        assert str(inspect.signature(target.f)) == "(x, y: int = 2, *, pin=None)"
        assert target.f(1, pin=None) == (1, 2)
        """,
        drop=["pin"],
    )


def test_case_36_a_declared_signature_gets_the_keyword_too(lab):
    """A function that carries its own ``__signature__`` shows it with the adapted keyword."""
    adapted(
        lab,
        """
        import inspect
        def f(*args, **kwargs): return args
        f.__signature__ = inspect.signature(lambda x, y=2: None)
        """,
        """
        assert str(inspect.signature(target.f)) == "(x, y=2, *, pin=None)"
        assert target.f(1, 3, pin=None)[:2] == (1, 3)
        assert str(inspect.signature(before["f"])) == "(x, y=2)"
        """,
        drop=["pin"],
    )


def test_case_36_annotations_as_text_still_resolve(lab):
    """``typing.get_type_hints`` finds the names of the target's own module."""
    adapted(
        lab,
        """
        from __future__ import annotations
        class Config: ...
        def f(x: Config, y: Config | None = None) -> Config: return x
        """.replace("Config | None", "Config"),
        """
        assert typing.get_type_hints(target.f) == typing.get_type_hints(before["f"])
        """,
        drop=["pin"],
    )


def test_case_36_defaults_are_the_targets_own_objects(lab):
    """Mutable, huge and sentinel defaults reach the target by identity, and keep their state."""
    adapted(
        lab,
        """
        GIVEN = object()
        HUGE = list(range(100_000))
        def f(x, seen=[], huge=HUGE, *, given=GIVEN):
            seen.append(x)
            return seen, huge is HUGE, given is GIVEN
        """,
        """
        assert target.f(1) == ([1], True, True) and target.f(2, pin=None) == ([1, 2], True, True)
        assert before["f"](3) == ([1, 2, 3], True, True)
        assert target.f.__defaults__[0] is before["f"].__defaults__[0]
        """,
        drop=["pin"],
    )


def test_case_36_rename_and_default(lab):
    """An old name means the new one, both at once raise, and a declared default is used."""
    adapted(
        lab,
        "def f(x, new=1, scale=1.0): return x, new, scale\n",
        """
        assert target.f(1) == (1, 1, 2.5) and target.f(1, old=3) == (1, 3, 2.5)
        assert target.f(1, 4) == (1, 4, 2.5) and target.f(1, 4, 5) == (1, 4, 5)
        raises(TypeError, lambda: target.f(1, old=3, new=4), "old", "new")
        raises(TypeError, lambda: target.f(1, 4, old=3), "old")
        """,
        rename={"old": "new"},
        default={"scale": 2.5},
    )


@pytest.mark.parametrize("text", ["def f(new, scale=1.0): return new, scale\n", "f = C()\n"])
def test_case_36_rename_to_a_required_parameter_and_a_default(lab, text):
    """The same where the closure cannot be exact: positions never clash with a default."""
    hidden = """
        class C:
            __signature__ = "none at all"
            def __call__(self, new, scale=1.0): return new, scale
    """
    adapted(
        lab,
        dedent(hidden) + text,
        """
        assert verdict.status == "APPLIED", verdict
        assert target.f(1) == (1, 2.5) and target.f(old=3) == (3, 2.5)
        assert target.f(1, 4) == (1, 4) and target.f(new=1, scale=4) == (1, 4)
        raises(TypeError, lambda: target.f(), "new")
        raises(TypeError, lambda: target.f(old=1, new=2), "old", "new")
        """,
        rename={"old": "new"},
        default={"scale": 2.5},
    )


def test_case_36_lossy_warns_once_at_the_callers_line(lab):
    """Under ``lossy = "warn"`` an unsupported value is dropped with one warning that names it."""
    adapted(
        lab,
        "def f(x): return x\n",
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert [target.f(1, pin=pin) for pin in (2, None, 2, 3)] == [1, 1, 1, 1]
        assert len(caught) == 1 and "pin=2" in str(caught[0].message)
        assert caught[0].filename == "<string>", caught[0]
        """,
        drop=["pin"],
        lossy="warn",
    )


def test_case_36_a_constructor_is_adapted_by_its_init(lab):
    """``Class.__init__`` can be adapted, inherited or not; the class itself is refused."""
    text = """
        class Base:
            def __init__(self, x): self.x = x
        class K(Base): ...
        class Empty: ...
    """
    lab.module("target", text)
    points = ["K.__init__", "Empty.__init__", "Base"]
    lab.rows("".join(row(f"target:{point}", "adapt", drop=["pin"]) for point in points))
    lab.run("""
        import shimhub, target
        shimhub.install(registry=REGISTRY)
        assert target.K(1, pin=None).x == 1 and type(target.Empty(pin=None)) is target.Empty
        assert shimhub.status()["target/base"].status == "FAILED"
        bad = (target.K, [1], 2), (target.Empty, [], 2), (target.Base, [1], None)
        for kind, args, pin in bad:
            try:
                kind(*args, pin=pin)
            except TypeError:
                continue
            raise AssertionError
        shimhub.uninstall()
        assert "__init__" not in vars(target.K) and "__init__" not in vars(target.Empty)
    """)


# ---- 37, 38: what a star import and the body itself see


@pytest.mark.parametrize("kind", ["list", "tuple"])
def test_case_37_star_import_shows_an_added_name_iff_the_row_exports_it(lab, kind):
    """``__all__`` gets the exported name alone, keeps its type, and is itself again afterwards."""
    lab.module("target", f"__all__ = {kind}(['f'])\n{TARGET}")
    lab.rows(row("target:shown", "add", export=True) + row("target:hidden", "add"))
    lab.shim("target/shown", ADD)
    lab.shim("target/hidden", ADD)
    lab.run(f"""
        import shimhub, target
        listed = target.__all__
        shimhub.install(registry=REGISTRY)
        shimhub.install(registry=REGISTRY)
        assert target.__all__ == {kind}(["f", "shown"]) and target.hidden() == "added"
        names = {{}}
        exec("from target import *", names)
        assert "shown" in names and "hidden" not in names
        import importlib
        importlib.reload(target)
        assert target.__all__ == {kind}(["f", "shown"])
        shimhub.install(registry=REGISTRY, disable="target/shown")
        assert list(target.__all__) == ["f"] and target.hidden() == "added"
        shimhub.uninstall()
        assert list(target.__all__) == list(listed)
    """)


def test_case_37_uninstall_gives_back_the_very_same_all(lab):
    """Two exported names are two layers on ``__all__``; in whatever order, the list comes back."""
    lab.module("target", "__all__ = ['f']\n" + TARGET)
    lab.rows(row("target:a", "add", export=True) + row("target:b", "add", export=True))
    lab.shim("target/a", ADD)
    lab.shim("target/b", ADD)
    lab.run("""
        import shimhub, target
        listed = target.__all__
        shimhub.install(registry=REGISTRY)
        assert sorted(target.__all__) == ["a", "b", "f"]
        shimhub.install(registry=REGISTRY, disable="target/a")
        assert target.__all__ == ["f", "b"] and not hasattr(target, "a") and target.b() == "added"
        shimhub.uninstall()
        assert target.__all__ is listed and listed == ["f"]
    """)


CIRCULAR = "import user\nHERE = [name for name in ('f', 'g') if name in globals()]\n"


def seeded(lab, text, f=ADD, **keys):
    """Write a circular target whose ``f`` is seeded, and the module that needs it early."""
    lab.module("target", text)
    lab.module("user", "from target import f\n")
    lab.rows(row("target:f", "add", phase="pre", **keys))
    lab.shim("target/f", f)


def test_case_38_a_seeded_name_is_there_while_the_body_runs(lab):
    """``phase = "pre"``: a circular importer finds the name, and it stays after the body."""
    seeded(lab, CIRCULAR)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target, user
        assert target.HERE == ["f"] and user.f is target.f and target.f() == "added"
        assert shimhub.status()["target/f"].status == "APPLIED"
        shimhub.uninstall()
        assert not hasattr(target, "f")
    """)


def test_case_38_the_bodys_own_definition_wins(lab):
    """Where the body defines the name, that object stands and the verdict says native."""
    seeded(lab, CIRCULAR + TARGET)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        verdict = shimhub.status()["target/f"]
        assert target.f() == 1 and target.HERE == ["f"]
        assert verdict.status == "NOT_NEEDED" and "native" in verdict.reason
        own = target.f
        shimhub.uninstall()
        assert target.f is own
    """)


def test_case_38_reloads_leave_nothing_of_a_seed(lab):
    """Each reload seeds again; uninstall still takes the name away altogether."""
    seeded(lab, "HERE = 'f' in globals()\n")
    lab.run("""
        import shimhub, importlib
        shimhub.install(registry=REGISTRY)
        import target
        importlib.reload(target)
        importlib.reload(target)
        assert target.HERE and target.f() == "added"
        shimhub.uninstall()
        assert not hasattr(target, "f")
    """)


def test_case_38_a_body_that_raises_takes_the_seed_with_it(lab):
    """After a failed import nothing is applied, and the next import seeds and works."""
    seeded(lab, "import os\nif 'FAIL' in os.environ: raise ValueError('body')\n")
    lab.run(
        """
        import os, shimhub
        shimhub.install(registry=REGISTRY)
        try:
            import target
        except ValueError:
            assert shimhub.status()["target/f"].status != "APPLIED"
        else:
            raise AssertionError
        del os.environ["FAIL"]
        import target
        assert target.f() == "added" and shimhub.status()["target/f"].status == "APPLIED"
        shimhub.uninstall()
        assert not hasattr(target, "f")
        """,
        FAIL="1",
    )


def test_case_38_a_seed_asks_its_provider_first(lab):
    """Where the row's provider exists the name is native elsewhere, and nothing is seeded."""
    seeded(lab, "HERE = 'f' in globals()\n", probe={"provider": "provider"})
    lab.module("provider", "raise AssertionError('imported')\n")
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        assert not target.HERE and not hasattr(target, "f")
        assert shimhub.status()["target/f"].status == "NOT_NEEDED"
    """)


def test_case_38_a_seed_that_cannot_be_built_is_a_failure_told(lab):
    """The body runs without the seed; in strict mode the import fails, and so does the second."""
    seeded(lab, "HERE = 'f' in globals()\n", f=BROKEN)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        verdict = shimhub.status()["target/f"]
        assert verdict.status == "FAILED" and "no disk" in verdict.reason and not target.HERE
    """)
    lab.run("""
        import shimhub, sys
        shimhub.install(registry=REGISTRY, strict=True)
        for _ in range(2):
            try:
                import target
            except ImportError as error:
                assert "target/f" in str(error) and "target" not in sys.modules
            else:
                raise AssertionError
    """)
