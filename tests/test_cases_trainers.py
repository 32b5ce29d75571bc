"""CASES 51-60: what running real trainers taught, on the real packages where they are installed."""

from __future__ import annotations

import json
import shutil
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
    class Added:
        pass
    return Added
"""


# ---- 51: a package that executes itself again


def test_case_51_transformers_executes_its_init_again(lab):
    """Names added to transformers survive ``direct_transformers_import``, and go with uninstall."""
    pytest.importorskip("transformers", reason="needs the real lazy module of transformers 5")
    lab.rows(row("transformers:AdamW", "add") + row("transformers:HfGone", "add"))
    lab.shim("transformers/adamw", ADD)
    lab.shim("transformers/hfgone", ADD)
    lab.run("""
        import os, sys, shimhub
        shimhub.install(registry=REGISTRY)
        import transformers
        from transformers.utils.import_utils import direct_transformers_import, _LazyModule
        ours, other = transformers.AdamW, transformers.HfGone
        first = transformers
        again = direct_transformers_import(os.path.dirname(transformers.__file__))
        assert again is sys.modules["transformers"] is not first
        from transformers import AdamW
        assert AdamW is again.AdamW is first.AdamW is ours and again.HfGone is other
        assert again.PreTrainedConfig is transformers.PreTrainedConfig
        shimhub.install(registry=REGISTRY, disable="transformers/adamw")
        assert not hasattr(again, "AdamW") and not hasattr(first, "AdamW")
        assert again.HfGone is first.HfGone is other
        shimhub.install(registry=REGISTRY)
        assert hasattr(again, "AdamW")
        shimhub.uninstall()
        for one in (first, again):
            assert not hasattr(one, "AdamW") and not hasattr(one, "HfGone")
        assert _LazyModule.__getattr__.__module__ == "transformers.utils.import_utils"
        assert not hasattr(_LazyModule.__getattr__, "shimhub_names")
    """)


LAZY = """
import types
class Lazy(types.ModuleType):
    def __getattr__(self, name):
        raise AttributeError(name)
"""
SELF_REPLACING = """
import sys, importlib.util
from lazy import Lazy
lazy = Lazy(__name__)
lazy.__dict__.update(__spec__=__spec__, __path__=__path__, __file__=__file__)
sys.modules[__name__] = lazy
def again():
    spec = importlib.util.spec_from_file_location(
        lazy.__name__, lazy.__file__, submodule_search_locations=lazy.__path__
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return sys.modules[lazy.__name__]
lazy.again = again
"""


def test_case_51_twice_over_and_among_neighbours(lab):
    """Each instance of a self-replacing package serves its own names, not those of another one."""
    lab.module("lazy", LAZY)
    for name in ("target", "other"):
        lab.module(f"{name}.__init__", SELF_REPLACING)
    lab.rows(row("target:Gone", "add"))
    lab.shim("target/gone", ADD)
    lab.run("""
        import shimhub, sys
        shimhub.install(registry=REGISTRY)
        import target, other
        gone = target.Gone
        for _ in range(3):
            assert sys.modules["target"].again().Gone is gone
        assert not hasattr(other.again(), "Gone")
        shimhub.uninstall()
        assert not hasattr(sys.modules["target"], "Gone") and not hasattr(target, "Gone")
        assert all("Gone" not in vars(one) for one in (target, sys.modules["target"]))
    """)


# ---- 52-55: torch

OPERATOR = """
import torch
from torch import library
def build(original, ctx):
    @library.custom_op("torch_attn::_varlen_attn", mutates_args={})
    def varlen_attn(query: torch.Tensor) -> torch.Tensor:
        return query.clone()
    return varlen_attn
"""


def test_case_52_an_operator_that_torch_registers_later_is_native(lab):
    """The provider's file proves that the operator will come: nothing is registered twice."""
    pytest.importorskip("torch", reason="needs torch.nn.attention.varlen")
    provider = {"provider": "torch.nn.attention.varlen"}
    lab.rows(
        row("torch.nn.attention:varlen_attn", "add", "op", probe=provider)
        + row(
            "torch.nn.attention.varlen", "module", "mod", names={"X": {"placeholder": "Upgrade."}}
        )
    )
    lab.shim("op", OPERATOR)
    lab.run("""
        import sys, torch, shimhub
        shimhub.install(registry=REGISTRY)
        import torch.nn.attention
        verdict = shimhub.status()["op"]
        assert verdict.status == "NOT_NEEDED" and "torch.nn.attention.varlen" in verdict.reason
        if "torch.nn.attention.varlen" not in sys.modules:
            assert not hasattr(torch.ops.torch_attn, "_varlen_attn")
        import torch.nn.attention.varlen as varlen
        assert shimhub.status()["mod"].status == "NOT_NEEDED" and not hasattr(varlen, "X")
        schema = str(torch.ops.torch_attn._varlen_attn.default._schema)
        assert "cu_seq" in schema, schema
    """)


def test_case_52_without_its_provider_a_name_is_added(lab):
    """The same row applies where the provider's file is not there; looking imports nothing."""
    lab.module("target.__init__", "")
    lab.module("target.core", "")
    lab.module("target.native", "raise AssertionError('imported')\n")
    lab.rows(
        row("target.core:f", "add", probe={"provider": "target.absent"})
        + row("target.core:g", "add", probe={"provider": "target.native"})
    )
    lab.shim("target-core/f", ADD)
    lab.shim("target-core/g", ADD)
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target.core
        assert hasattr(target.core, "f") and not hasattr(target.core, "g"), str(shimhub.status())
    """)


OUTER = """
from target.inner import consume
def outer(fn, **kwargs): return lambda: consume(fn, **kwargs)
"""


@pytest.mark.parametrize("native", [False, True])
def test_case_53_a_swallowed_keyword_is_adapted_where_it_is_consumed(lab, native):
    """``**kwargs`` on the way hides nothing: the consumer is probed and adapted."""
    lab.module("target.__init__", OUTER)
    keyword = "early_stop=True" if native else "*, debug=False"
    lab.module("target.inner", f"def consume(fn, {keyword}): return fn()\n")
    lab.rows(
        row(
            "target.inner:consume",
            "adapt",
            drop={"early_stop": True},
            rebind="loaded",
            probe={"keyword": "early_stop", "of": "target.inner:consume"},
        )
    )
    lab.run(f"""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        verdict = shimhub.status()["target-inner/consume"]
        assert verdict.status == ("NOT_NEEDED" if {native} else "APPLIED"), verdict
        assert target.outer(lambda: 5, early_stop=True)() == 5
        late = target.outer(lambda: 5, early_stop=False)
        try:
            late()
        except TypeError as error:
            assert not {native} and "early_stop=False" in str(error)
        else:
            assert {native}
    """)


def test_case_53_the_consumer_decides_about_another_attach_point(lab):
    """A row on the outer function asks ``of``, also where nobody has imported the consumer yet."""
    lab.module(
        "target.__init__",
        """
        def outer(fn, **kwargs):
            from target.inner import consume
            return consume(fn, **kwargs)
        """,
    )
    lab.module(
        "target.inner", "def consume(fn): return fn()\ndef modern(fn, early_stop=1): return fn()\n"
    )
    probe = {"keyword": "early_stop", "of": "target.inner:consume"}
    modern = {"keyword": "early_stop", "of": "target.inner:modern"}
    lab.rows(
        row("target:outer", "adapt", "old", drop=["early_stop"], probe=probe)
        + row("target:outer", "adapt", "new", drop=["early_stop"], probe=modern)
    )
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        assert target.outer(lambda: 5, early_stop=None) == 5
        status = shimhub.status()
        assert status["old"].status == "APPLIED", status["old"]
        assert status["new"].status == "NOT_NEEDED", status["new"]
    """)


def test_case_53_torchs_own_early_stop_is_native(lab):
    """Torch 2.13 consumes ``early_stop`` itself, so checkpoint_wrapper is left alone."""
    pytest.importorskip("torch", reason="needs torch.utils.checkpoint")
    wrapper = "torch.distributed.algorithms._checkpoint.checkpoint_wrapper:checkpoint_wrapper"
    of = "torch.utils.checkpoint:_checkpoint_without_reentrant_generator"
    probe = {"keyword": "early_stop", "of": of}
    lab.rows(row(wrapper, "adapt", "early", drop={"early_stop": True}, probe=probe))
    lab.run("""
        import torch, shimhub
        shimhub.install(registry=REGISTRY)
        from torch.distributed.algorithms._checkpoint import checkpoint_wrapper as module
        verdict = shimhub.status()["early"]
        assert verdict.status == "NOT_NEEDED" and "early_stop" in verdict.reason, verdict
        assert not hasattr(module.checkpoint_wrapper, "__shimhub__")
        layer = module.checkpoint_wrapper(torch.nn.Linear(2, 2), early_stop=False)
        layer(torch.ones(1, 2, requires_grad=True)).sum().backward()
    """)


def test_case_54_the_stand_in_for_triton_fools_nobody(lab):
    """``import triton`` works, and torch and transformers still know that there is no Triton."""
    pytest.importorskip("torch", reason="needs a torch that asks for Triton")
    lab.run("""
        import importlib.util, importlib.metadata, sys
        if importlib.util.find_spec("triton"):
            sys.exit(0)  # a real Triton is here: nothing to stand in for
        import shimhub
        shimhub.install()
        import triton, triton.language, torch
        from torch.utils._triton import has_triton, has_triton_package
        assert shimhub.status()["triton"].status == "APPLIED"
        assert not has_triton_package() and not has_triton()
        assert "triton" not in importlib.metadata.packages_distributions()
        if importlib.util.find_spec("transformers"):
            from transformers.utils import import_utils
            assert not import_utils.is_triton_available()
        shimhub.uninstall()
        assert "triton" not in sys.modules and "triton.language" not in sys.modules
        assert not has_triton_package()
    """)


@pytest.mark.slow
def test_case_54_inductor_still_compiles_for_the_cpu(lab):
    """With the stand-in imported, torch.compile generates C++ as without it."""
    pytest.importorskip("torch", reason="needs torch.compile")
    if not shutil.which("g++"):
        pytest.skip("inductor needs g++")
    lab.run("""
        import shimhub
        shimhub.install()
        import triton, torch
        def f(x): return torch.nn.functional.gelu(x) * 2
        x = torch.ones(3)
        assert torch.allclose(torch.compile(f)(x), f(x))
    """)


@pytest.mark.parametrize("order", ["first", "last"])
def test_case_55_a_copy_captured_by_the_same_library_is_rebound(lab, order):
    """checkpoint_wrapper's ``from torch.utils.checkpoint import`` follows, whoever came first."""
    pytest.importorskip("torch", reason="needs torch.utils.checkpoint and its captor")
    lab.rows(row("torch.utils.checkpoint:checkpoint", "wrap", "ck", rebind="loaded"))
    lab.shim("ck", WRAP)
    load = "from torch.distributed.algorithms._checkpoint import checkpoint_wrapper as captor"
    before, after = ("", load) if order == "first" else (load, "")
    lab.run(f"""
        import torch, torch.utils.checkpoint, shimhub
        original = [torch.utils.checkpoint.checkpoint]
        {before}
        shimhub.install(registry=REGISTRY)
        {after}
        assert captor.torch_utils_checkpoint is torch.utils.checkpoint.checkpoint is not original[0]
        layer = captor.checkpoint_wrapper(torch.nn.Linear(2, 2))
        assert layer(torch.ones(1, 2))[0] == "shim"
        shimhub.uninstall()
        assert torch.utils.checkpoint.checkpoint is original[0]
        assert captor.torch_utils_checkpoint is original[0], "imported after the patch"
    """)


def test_case_55_a_declared_order_patches_the_origin_before_its_copy(lab):
    """``after`` across modules: the copy's shim wraps what the origin's shim made."""
    lab.module("target.__init__", "")
    lab.module("target.origin", "def f(): return 1\n")
    lab.module("target.copy", "from target.origin import f\n")
    lab.rows(
        row("target.copy:f", shim_id="copy", after=["origin"])
        + row("target.origin:f", shim_id="origin", rebind="loaded")
    )
    lab.shim("copy", WRAP.replace("shim", "copy"))
    lab.shim("origin", WRAP.replace("shim", "origin"))
    for head in ("import target.copy, shimhub", "import shimhub"):
        lab.run(f"""
            {head}
            shimhub.install(registry=REGISTRY)
            import target.copy
            assert target.origin.f() == ("origin", 1)
            assert target.copy.f() == ("copy", ("origin", 1)), target.copy.f()
            shimhub.uninstall()
            assert target.copy.f() == target.origin.f() == 1
        """)


# ---- 56, 57: datasets, two copies

MAP = """
import datasets, target
data = datasets.Dataset.from_dict({"x": [1, 2, 3]})
print(*(data.map(one)._fingerprint for one in (target.f, target.g, target.K().m)))
"""


def test_case_56_the_fingerprint_of_a_mapped_data_set_is_the_same(lab):
    """``datasets.map`` over replaced and adapted functions hits the cache of the originals."""
    pytest.importorskip("datasets", reason="needs the fingerprints of Hugging Face datasets")
    lab.module(
        "target",
        """
        def f(row): return {"y": row["x"] + 1}
        def g(row): return {"y": row["x"] + 2}
        class K:
            def m(self, row): return {"y": row["x"] + 3}
        """,
    )
    lab.rows(
        row("target:f", "replace") + row("target:g", "adapt", drop=["pin"]) + row("target:K.m")
    )
    exact = "def build(original, ctx):\n    def any({0}): return original({0})\n    return any\n"
    lab.shim("target/f", exact.format("row"))
    lab.shim("target/k-m", exact.format("self, row"))
    env = {
        "HF_HOME": str(lab.root / "hf"),
        "HF_DATASETS_OFFLINE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    native = lab.run(MAP, **env).stdout
    patched = lab.run(
        "import shimhub\nshimhub.install(registry=REGISTRY)\n"
        + MAP
        + "assert {one.status.value for one in shimhub.explain('target')} == {'APPLIED'}\n",
        **env,
    )
    assert patched.stdout == native
    assert len(set(native.split())) == 3


@pytest.mark.parametrize("where", ["both", "second"])
def test_case_57_of_two_copies_the_imported_one_is_patched(lab, where):
    """With ``pkgutil.extend_path`` the copy that Python imports is patched, and is told."""
    extend = "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n"
    for place in ("site", "second"):
        lab.module("target.__init__", extend, root=place)
        if place == "second" or where == "both":
            lab.module("target.mod", f"PLACE = {place!r}\ndef f(): return PLACE\n", root=place)
    lab.module("target.native", "", root="second")
    lab.rows(
        row("target.mod:f", shim_id="f")
        + row("target.mod:g", "add", "g", probe={"provider": "target.native"})
        + row("target.native", "module", "n", names={"X": {"placeholder": "Upgrade."}})
    )
    lab.shim("f", WRAP)
    lab.shim("g", ADD)
    path = f"import sys; sys.path.append({str(lab.root / 'second')!r})\n"
    native = lab.run(path + "import target.mod; print(target.mod.__file__, target.mod.f())").stdout
    file, place = native.split()
    lab.run(
        path
        + dedent(f"""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target.mod, target.native
        assert target.mod.__file__ == {file!r} and target.mod.f() == ("shim", {place!r})
        status = shimhub.status()
        assert status["f"].evidence["module"] == {file!r}, status["f"].evidence
        assert status["g"].status == status["n"].status == "NOT_NEEDED", str(status)
        assert not hasattr(target.native, "X")
        """)
    )


# ---- 58, 59: bug for bug, and silently wrong

PADDED = {
    "zeros": "def position_ids(n, size):\n    return [*range(n), *([0] * (size - n))]\n",
    "range": "def position_ids(n, size):\n    return [*range(n), *range(size - n)]\n",
    "other": "def position_ids(n, size):\n    return [*range(n)] + [7] * (size - n)\n",
}
FAST = """
def build(original, ctx):
    zeros = ctx.version("target") == "1.0"
    def position_ids(n, size):
        pad = [0] * (size - n) if zeros else list(range(size - n))
        return list(range(n)) + pad
    return position_ids
"""


@pytest.mark.parametrize(
    ("kind", "version"), [("zeros", "1.0"), ("range", "2.0"), ("other", "3.0")]
)
def test_case_58_a_replacement_matches_the_installed_version_or_steps_aside(lab, kind, version):
    """Proved bodies get the replacement with their own padding; an unknown body is left alone."""
    lab.module("target", f"__version__ = {version!r}\n{PADDED[kind]}")
    proofs = []
    for known in ("zeros", "range"):
        lab.module(f"known_{known}", PADDED[known])
        lab.module("mark", f"import known_{known}\nfrom shimhub.fingerprint import fingerprint\n")
        code = f"import mark\nprint(mark.fingerprint(mark.known_{known}.position_ids))"
        proofs.append(lab.run(code).stdout.strip())
    lab.rows(
        "[targets.target]\n"
        + row("target:position_ids", "replace", fidelity="exact", fingerprints=proofs)
    )
    lab.shim("target/position_ids", FAST)
    lab.run(f"""
        import target, shimhub
        original = target.position_ids
        shimhub.install(registry=REGISTRY)
        verdict = shimhub.status()["target/position_ids"]
        assert (verdict.status, target.position_ids is original) == (
            ("CONFLICT", True) if {kind!r} == "other" else ("APPLIED", False)), verdict
        for n in range(4):
            assert target.position_ids(n, 5) == original(n, 5)
    """)


AVERAGE = """
def probe(ctx):
    found = ctx.module.reduce_scatter([[1.0, 2.0], [3.0, 4.0]], "avg")
    return found != [2.0, 3.0], f"avg of [1 2] and [3 4] is {found}"
def build(original, ctx):
    def reduce_scatter(inputs, op):
        if op != "avg":
            return original(inputs, op)
        return [one / len(inputs) for one in original(inputs, "sum")]
    return reduce_scatter
"""
REDUCE = """
WRONG = {wrong}
def reduce_scatter(inputs, op):
    total = [sum(column) for column in zip(*inputs)]
    return total if op == "sum" or WRONG else [one / len(inputs) for one in total]
"""


@pytest.mark.parametrize("wrong", [True, False])
def test_case_59_a_silently_wrong_function_is_proved_wrong_before_it_is_fixed(lab, wrong):
    """The behavioural probe sees the sum in place of the average, and the verdict quotes it."""
    lab.module("target", REDUCE.format(wrong=wrong))
    lab.rows(row("target:reduce_scatter", check=True))
    lab.shim("target/reduce_scatter", AVERAGE)
    lab.run(f"""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        verdict = shimhub.status()["target/reduce_scatter"]
        assert target.reduce_scatter([[1.0], [3.0]], "avg") == [2.0]
        assert target.reduce_scatter([[1.0], [3.0]], "sum") == [4.0]
        assert verdict.status == ("APPLIED" if {wrong} else "NOT_NEEDED"), verdict
        seen = "[4.0, 6.0]" if {wrong} else "[2.0, 3.0]"
        assert verdict.evidence["check"] == f"avg of [1 2] and [3 4] is {{seen}}"
        assert {wrong} or seen in verdict.reason
    """)


GLOO = """
import torch, torch.distributed as dist
def probe(ctx):
    mine = torch.arange(4.0) + 4 * dist.get_rank()
    out = torch.empty(2)
    ctx.module.reduce_scatter_tensor(out, mine, op=dist.ReduceOp.AVG)
    right = [[2.0, 3.0], [4.0, 5.0]][dist.get_rank()]
    return out.tolist() != right, f"AVG gives {out.tolist()}"
def build(original, ctx):
    raise AssertionError("not needed")
"""


def test_case_59_gloo_averages_in_torch_2_13_and_is_left_alone(lab):
    """The same proof over two real gloo ranks finds ``reduce_scatter(AVG)`` right: no patch."""
    torch = pytest.importorskip("torch", reason="needs torch.distributed with gloo")
    if not torch.distributed.is_gloo_available():
        pytest.skip("this torch was built without gloo")
    lab.rows(
        row("torch.distributed.distributed_c10d:reduce_scatter_tensor", "wrap", "avg", check=True)
    )
    lab.shim("avg", GLOO)
    lab.run("""
        import os, torch, torch.distributed as dist, shimhub
        child = os.fork()
        rank = 0 if child else 1
        store = dist.FileStore("store", 2)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
        native = dist.distributed_c10d.reduce_scatter_tensor
        shimhub.install(registry=REGISTRY)
        verdict = shimhub.status()["avg"]
        right = [[2.0, 3.0], [4.0, 5.0]][rank]
        assert verdict.status == "NOT_NEEDED" and str(right) in verdict.reason, verdict
        assert dist.distributed_c10d.reduce_scatter_tensor is native
        dist.barrier()
        dist.destroy_process_group()
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """)


# ---- 60: shims of an earlier generation

EARLIER = [
    ("torch.distributed.checkpoint.staging", "StagingOptions"),
    ("torch.distributed.checkpoint.staging", "DefaultStager"),
    ("torch.distributed.pipelining.schedules", "ScheduleDualPipeV"),
    ("torch.nn.attention.flex_attention", "AuxOutput"),
    ("torch.distributed.checkpoint._consolidate_hf_safetensors", "consolidate_safetensors_files"),
    (
        "torch.distributed.checkpoint._consolidate_hf_safetensors",
        "consolidate_safetensors_files_on_every_rank",
    ),
    ("torch.distributed.algorithms._checkpoint.checkpoint_wrapper", "checkpoint_wrapper"),
]


@pytest.mark.parametrize("order", ["before", "after"])
def test_case_60_every_name_of_the_earlier_generation_is_native(lab, order):
    """On a torch that has the names, whatever kind of row fills them leaves the native objects."""
    pytest.importorskip("torch", reason="needs the native classes of torch 2.13")
    actions = {
        "add": {},
        "placeholder": {"message": "Upgrade."},
        "alias": {"to": "math:sqrt"},
    }
    rows = []
    for number, (module, name) in enumerate(EARLIER):
        for action, keys in actions.items():
            rows.append(row(f"{module}:{name}", action, f"{action}-{number}", **keys))
            if action == "add":
                lab.shim(f"add-{number}", ADD)
    consolidate = EARLIER[4][0]
    rows.append(row(consolidate, "module", "mod", names={"X": {"placeholder": "Upgrade."}}))
    rows.append(
        row(
            f"{EARLIER[6][0]}:checkpoint_wrapper",
            "adapt",
            "early",
            drop={"early_stop": True},
            probe={
                "keyword": "early_stop",
                "of": "torch.utils.checkpoint:_checkpoint_without_reentrant_generator",
            },
        )
    )
    lab.rows("".join(rows))
    load = f"found = [vars(importlib.import_module(m))[n] for m, n in {EARLIER!r}]"
    first, then = ("", load) if order == "before" else (load, "")
    lab.run(f"""
        import importlib, inspect, os, torch, shimhub
        {first}
        shimhub.install(registry=REGISTRY)
        {then}
        for (module, name), native in zip({EARLIER!r}, found):
            now = vars(importlib.import_module(module))[name]
            assert now is native and not hasattr(now, "__shimhub__"), name
            assert now.__module__ == module and now.__qualname__ == name
            assert inspect.getsourcefile(now).startswith(os.path.dirname(torch.__file__))
        for verdict in shimhub.status():
            if verdict.id.partition("-")[0] in ("add", "placeholder", "alias", "mod", "early"):
                assert verdict.status == "NOT_NEEDED", verdict
        shimhub.uninstall()
        for (module, name), native in zip({EARLIER!r}, found):
            assert vars(importlib.import_module(module))[name] is native
    """)
