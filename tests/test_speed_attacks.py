"""Attempts to make what is promised of ``shimhub.speed`` false: odd models, files, uses."""

import copy
import gc
import io
import json
import os
import subprocess
import sys
import threading
import warnings
import weakref
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow
from torch import nn  # noqa: E402

from shimhub.cli import main  # noqa: E402
from shimhub.speed import (  # noqa: E402
    Action,
    Decision,
    Hardware,
    KnobError,
    Plan,
    SpeedConfig,
    SpeedConfigError,
    apply_plan,
    apply_speedups,
)
from shimhub.speed._asked import Asked  # noqa: E402
from tests._speed_settings import flags, fresh  # noqa: E402

REPOSITORY = Path(__file__).parents[1]
COMPILED = {"compile": {"enabled": True, "backend": "eager"}}
#: One of each kind of setting.
EACH = {
    "precision": {"precision": "bf16"},
    "flags": {"tf32_matmul_precision": "medium", "sdp": {"enable_flash": False}},
    "layout": {"channels_last": True},
    "compile": COMPILED,
    "optimizer": {"optimizer": {"fused": True}},
}


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    for name in ("SPEEDKIT_PRECISION", "SPEEDKIT_COMPILE"):
        monkeypatch.delenv(name, raising=False)
    fresh()
    yield
    fresh()


# ---- contexts


@pytest.mark.parametrize("precision", ["fp32", "auto", "bf16"])
def test_a_context_decorates_a_function_whatever_was_decided(precision):
    """torch.autocast does; a script that decorates its step runs on a CPU under auto, too."""
    model, ctx = apply_speedups(nn.Linear(2, 2), {"precision": precision})

    @ctx.sdp()
    @ctx.autocast()
    def step(x):
        return model(x).dtype

    assert [torch.bfloat16 if precision == "bf16" else torch.float32] * 2 == [
        step(torch.ones(1, 2)) for _ in range(2)
    ]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_region_of_the_context_is_compiled_without_a_break(precision):
    """``ctx.autocast()`` inside of what torch.compile traces breaks no graph."""
    model, ctx = apply_speedups(nn.Linear(2, 2), {"precision": precision})

    @torch.compile(backend="eager", fullgraph=True)
    def step(x):
        with ctx.autocast():
            return model(x)

    expected = torch.bfloat16 if precision == "bf16" else torch.float32
    assert expected == step(torch.ones(1, 2)).dtype


def test_a_region_of_attention_is_compiled_without_a_break():
    """``ctx.sdp()`` inside of what torch.compile traces is torch's own context."""
    _, ctx = apply_speedups(nn.Linear(2, 2), {"sdp": {"enable_flash": False}})

    @torch.compile(backend="eager", fullgraph=True)
    def step(x):
        with ctx.sdp():
            return nn.functional.scaled_dot_product_attention(x, x, x)

    one = torch.ones(1, 1, 2, 4)
    assert torch.equal(one, step(one))


def test_restoring_inside_a_region_leaves_the_region_on():
    """It ends with its own with-statement; the next one does nothing."""
    model, ctx = apply_speedups(nn.Linear(2, 2), {"precision": "bf16"})
    with ctx.autocast():
        ctx.restore()
        assert torch.bfloat16 == model(torch.ones(1, 2)).dtype
    with ctx.autocast():
        assert torch.float32 == model(torch.ones(1, 2)).dtype


def test_threads_share_a_context():
    """Casting is each thread's own."""
    model, ctx = apply_speedups(nn.Linear(2, 2), {"precision": "bf16"})
    found = []

    def work():
        with ctx.autocast():
            found.append(model(torch.ones(1, 2)).dtype)
        found.append(model(torch.ones(1, 2)).dtype)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (4, 4) == (found.count(torch.bfloat16), found.count(torch.float32))


# ---- what is no model, no optimizer


@pytest.mark.parametrize("thing", [abs, nn.Linear, 3, object()], ids=repr)
@pytest.mark.parametrize("knob", ["layout", "compile"])
def test_what_is_no_module_is_told(thing, knob):
    """A function, a class and a number cannot be compiled in place; the error says what it is."""
    before = flags()
    with pytest.raises(KnobError, match=rf"torch\.nn\.Module, and this is {type(thing).__name__}"):
        apply_speedups(thing, EACH["flags"] | EACH[knob])
    assert before == flags()


def test_what_is_no_module_is_passed_over_where_nobody_asked():
    """What auto compiles on a GPU is a note for a plain function, and no error."""
    plan = Plan(Hardware("cpu", ""), (Decision("compile", Action.APPLY, True, "auto"),))
    same, ctx = apply_plan(abs, plan)
    assert same is abs
    assert "this is builtin_function_or_method" in ctx.notes[0]


def test_what_is_no_optimizer_is_told():
    """Its name, or its class, is a mistake that is made."""
    with pytest.raises(KnobError, match=r"torch\.optim\.Optimizer, and this is str"):
        apply_speedups(nn.Linear(1, 1), EACH["optimizer"], optimizer="adamw")


# ---- odd models


def _tied():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    return nn.Sequential(model, model)


def _frozen():
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Linear(3, 3))
    model[0].requires_grad_(False)
    return model


def _hooked():
    model = nn.Conv2d(3, 3, 3)
    model.register_forward_hook(lambda *_: None)
    model.register_full_backward_hook(lambda *_: None)
    return model


def _quiet(make):
    """Make what torch calls deprecated, and people have all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def _in_place():
    model = nn.Linear(3, 3)
    model.compile(backend="eager")
    return model


ODD = {
    "no parameters": nn.ReLU,
    "tied": _tied,
    "frozen": _frozen,
    "hooked": _hooked,
    "meta": lambda: nn.Conv2d(3, 3, 3, device="meta"),
    "lazy": lambda: nn.Sequential(nn.Conv2d(3, 3, 3), nn.LazyConv2d(3, 3), nn.LazyLinear(2)),
    "parallel": lambda: nn.DataParallel(nn.Conv2d(3, 3, 3)),
    "compiled": lambda: torch.compile(nn.Linear(3, 3), backend="eager"),
    "compiled in place": _in_place,
    "scripted": lambda: _quiet(lambda: torch.jit.script(nn.Sequential(nn.Conv2d(3, 3, 3)))),
    "script inside": lambda: nn.Sequential(
        nn.Conv2d(3, 3, 3), _quiet(lambda: torch.jit.script(nn.Conv2d(3, 3, 3)))
    ),
    "complex": lambda: nn.Linear(3, 3, dtype=torch.complex64),
    "half": lambda: nn.Conv2d(3, 3, 3).half(),
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 3)),
    "traced": lambda: torch.fx.symbolic_trace(nn.Sequential(nn.Conv2d(3, 3, 3))),
}


def _seen(model):
    """Return what a model is made of: its objects and, of parameters, where their values lie."""
    modules = [
        {name: id(one) for name, one in vars(module).items() if not isinstance(one, (dict, set))}
        for module in model.modules()
    ]
    parameters = [
        (name, id(one), None if nn.parameter.is_lazy(one) else (one.stride(), one.dtype))
        for name, one in model.named_parameters()
    ]
    return modules, parameters


@pytest.mark.parametrize("setting", EACH)
@pytest.mark.parametrize("kind", ODD)
def test_an_odd_model_is_as_before(kind, setting):
    """A setting goes on and comes off, or KnobError says why not; nothing is left of either."""
    model = ODD[kind]()
    given = list(model.parameters())
    optimizer = torch.optim.Adam(given) if given else None
    before, here = _seen(model), flags()
    try:
        same, ctx = apply_speedups(model, EACH[setting], optimizer=optimizer)
    except KnobError:
        pass
    else:
        assert same is model
        assert ctx.report()
        ctx.restore()
    assert (before, here) == (_seen(model), flags())


def test_a_parameter_without_a_shape_is_told():
    """A fused step needs memory to look at; a lazy layer has none before its first forward."""
    model = nn.LazyLinear(2)
    with pytest.raises(KnobError, match="parameter 0 has no shape yet: run a forward first"):
        apply_speedups(
            model, EACH["optimizer"], optimizer=torch.optim.Adam(list(model.parameters()))
        )


@pytest.mark.parametrize(
    ("kind", "reason"), [("meta", "is on the meta device"), ("scripted", "a torch.jit model")]
)
def test_a_layout_that_cannot_be_had_is_told(kind, reason):
    """The error names the kind of model and what to do."""
    with pytest.raises(KnobError, match=f"channels_last: .*{reason}"):
        apply_speedups(ODD[kind](), EACH["layout"])


@pytest.mark.slow
def test_a_model_of_transformers_trains_is_copied_and_saved_while_applied(tmp_path):
    """Its checkpoint has the keys it had, a copy is a plain model, and restore ends all of it."""
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(**sizes, intermediate_size=8, vocab_size=9)
    model = transformers.BertForSequenceClassification(config)
    keys, here, seen = [*model.state_dict()], flags(), _seen(model)
    optimizer = torch.optim.AdamW(model.parameters())
    everything = {name: one for each in EACH.values() for name, one in each.items()}
    _, ctx = apply_speedups(model, everything, optimizer=optimizer)
    batch = {"input_ids": torch.ones(2, 3, dtype=torch.long), "labels": torch.tensor([0, 1])}
    with ctx.autocast():
        model(**batch).loss.backward()
    optimizer.step()
    saved = io.BytesIO()
    torch.save(model, saved)
    saved.seek(0)
    for twin in (copy.deepcopy(model), torch.load(saved, weights_only=False)):
        assert keys == [*twin.state_dict()]
        assert twin(**batch).loss.dtype == torch.float32
    model.save_pretrained(tmp_path)
    ctx.restore()
    assert (keys, here, seen) == ([*model.state_dict()], flags(), _seen(model))


# ---- processes and garbage


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_restores_its_own():
    """The parent's settings stay, and its own restore works afterwards."""
    before = flags()
    _, ctx = apply_speedups(nn.Linear(2, 2), EACH["flags"] | COMPILED)
    applied = flags()
    child = os.fork()
    if not child:
        ctx.restore()
        os._exit(0 if flags() == before else 1)
    assert 0 == os.waitpid(child, 0)[1]
    assert applied == flags()
    ctx.restore()
    assert before == flags()


def test_a_context_that_nobody_keeps_keeps_no_model():
    """What was applied stays for good, and the model goes when its owner lets it."""
    model, _ = apply_speedups(nn.Linear(2, 2), EACH["flags"] | COMPILED)
    gone = weakref.ref(model)
    del model, _
    gc.collect()
    assert gone() is None
    assert "medium" == torch.get_float32_matmul_precision()


# ---- files and commands


def test_keys_that_are_there_twice_are_told_with_all_other_mistakes(tmp_path):
    """One run tells everything that is to be mended."""
    file = tmp_path / "speed.yaml"
    file.write_text("seed: 1\nseed: 2\nprecison: auto\ncompile: {mode: 3}\n")
    with pytest.raises(SpeedConfigError) as caught:
        SpeedConfig.from_yaml(file)
    told = [one.partition(", line ")[2] for one in caught.value.problems]
    assert ["2: seed: is", "3: precison: no", "4: compile.mode: 3"] == [
        " ".join(one.split()[:3]) for one in told
    ]


def test_a_configuration_shares_nothing_that_can_change():
    """Lists among the options of a backend are its own, and ``to_dict`` gives others."""
    mine = {"compile": {"options": {"passes": ["one"]}}}
    config = SpeedConfig.from_dict(mine)
    mine["compile"]["options"]["passes"].append("two")
    config.to_dict()["compile"]["options"]["passes"].append("three")
    assert {"passes": ["one"]} == config.compile.options


def _command(capsys, *words):
    code = main(["speed", *words])
    return code, capsys.readouterr()


def _value(told, knob="precision"):
    return next(one["value"] for one in json.loads(told)["decisions"] if one["knob"] == knob)


@pytest.mark.parametrize("name", ["gone.yaml", "gone.toml", "."])
def test_a_file_that_cannot_be_read_is_wrong_usage(capsys, tmp_path, name):
    """Code 5 is for what the environment lacks; the message names the file and the cure."""
    code, told = _command(capsys, "plan", "--config", str(tmp_path / name))
    assert (2, "") == (code, told.out)
    assert told.err.endswith("; name a YAML or TOML file of settings\n")


@pytest.mark.parametrize("head", ["", "[tool.shimhub.speed]\n"])
def test_a_toml_file_is_read_by_commands_as_by_run(capsys, tmp_path, head):
    """``run --speed speed.toml`` takes a file of settings alone; so does ``speed plan``."""
    file = tmp_path / "speed.toml"
    file.write_text(f'{head}precision = "bf16"\n')
    code, told = _command(capsys, "plan", "--config", str(file), "--format", "json")
    assert (0, "bf16") == (code, _value(told.out))


def test_a_command_without_a_file_heeds_the_variables(capsys, monkeypatch):
    """They fill what is unset; its own auto is nobody's configuration."""
    monkeypatch.setenv("SPEEDKIT_PRECISION", "bf16")
    monkeypatch.setenv("SPEEDKIT_COMPILE", "1")
    _, told = _command(capsys, "plan", "--format", "json")
    assert "bf16" == _value(told.out)
    assert _value(told.out, "compile")["enabled"] is True


STEP = """
def make_step():
    def step():
        return {step}
    return step
"""


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (STEP.format(step="[][1]"), "IndexError: list index out of range"),
        ("import shimhub.no_such_thing\n", "ModuleNotFoundError: "),
        ("def make_step():\n    return 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("def (\n", "SyntaxError: "),
    ],
)
def test_an_error_of_the_users_file_is_told_as_theirs(capsys, tmp_path, text, error):
    """Where it is, by a traceback, and no word of a mistake in shimhub."""
    file = tmp_path / "step.py"
    file.write_text(text)
    code, told = _command(capsys, "measure", str(file), "--budget", "1", "--no-cache")
    assert (5, "") == (code, told.out)
    assert f"\nshimhub: {file} raised {error}" in told.err
    assert f'File "{file}", line ' in told.err
    assert "mistake in shimhub" not in told.err


@pytest.mark.parametrize("budget", ["0", "-1", "nan", "inf", "1s"])
def test_a_budget_that_is_none_is_wrong_usage(capsys, budget):
    """Code 2, before a file is read."""
    with pytest.raises(SystemExit) as stopped:
        main(["speed", "measure", "gone.py", "--budget", budget])
    assert 2 == stopped.value.code
    assert "argument --budget: " in capsys.readouterr().err


@pytest.mark.slow
def test_a_speedkit_that_is_installed_wins(tmp_path):
    """What it has are the real ones, and nothing of ours is put beside them."""
    package = tmp_path / "torch_speedkit"
    package.mkdir()
    (package / "__init__.py").write_text("MARK = 'real'\n")
    (package / "report.py").write_text("import torch_speedkit\nprint(torch_speedkit.MARK)\n")
    env = os.environ | {"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{tmp_path}"}

    def run(*arguments):
        command = [sys.executable, "-m", "shimhub", "run", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    done = run("-m", "torch_speedkit.report")
    assert (0, "real\n") == (done.returncode, done.stdout), done.stderr
    done = run("-c", "import torch_speedkit.bench")
    assert (1, True) == (done.returncode, "No module named 'torch_speedkit.bench'" in done.stderr)


def test_a_run_sets_what_a_file_names_on_any_device():
    """As ``apply_speedups`` does: that a CPU has no TF32 is a reason not to measure it."""
    asked = Asked('{"tf32_matmul_precision": "high", "device": "cpu", "seed": 3}')
    before = torch.get_rng_state()
    told = [*asked.set_flags()]
    assert "high" == torch.get_float32_matmul_precision()
    assert torch.equal(before, torch.get_rng_state())
    assert ["seed 3 was not set, as a run seeds nothing", "fp32_precision high set, as asked"] == [
        one.partition(":")[0] for one in told
    ]
    asked.undo()
    assert "highest" == torch.get_float32_matmul_precision()
