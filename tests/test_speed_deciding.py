"""What a configuration comes to on some hardware, for every kind of it; no torch is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.speed import SpeedConfig, SpeedConfigError
from shimhub.speed.config import CompileConfig
from shimhub.speed.deciding import plan_of
from shimhub.speed.model import Action, Hardware

CPU = Hardware("cpu", "a CPU")
MPS = Hardware("mps", "arm64", system="Darwin")
ROCM = Hardware("rocm", "an AMD GPU", features=frozenset({"bf16"}))
XPU = Hardware("xpu", "an Intel GPU", features=frozenset({"bf16"}))
HPU = Hardware("hpu", "hpu")
APPLY, LEAVE, NOT = Action.APPLY, Action.LEAVE, Action.NOT_APPLICABLE

KNOBS = (
    "device",
    "seed",
    "precision",
    "grad_scaler",
    "fp32_precision",
    "cudnn_benchmark",
    "deterministic",
    "channels_last",
    "sdpa",
    "optimizer",
    "compile",
)


def gpu(major, minor=0, **more):
    """Return a GPU of NVIDIA."""
    return Hardware("cuda", "a GPU", capability=(major, minor), **more)


def plan(hardware, **keys):
    """Return the plan of some keys."""
    return plan_of(SpeedConfig.from_dict(keys, environ={}), hardware)


def told(hardware, knob, **keys):
    """Return what is done with a knob, its value, and whether it counts as asked for."""
    found = plan(hardware, **keys).of(knob)
    return found.action, found.value, found.asked


def applied(hardware, **keys):
    """Return the knobs that are applied, with their values."""
    found = plan(hardware, **keys).decisions
    return {one.knob: one.value for one in found if one.action is APPLY}


MACHINES = [
    CPU,
    MPS,
    ROCM,
    XPU,
    HPU,
    gpu(9),
    gpu(7, 5),
    gpu(7),
    gpu(6, 1),
    gpu(8, system="Windows"),
]


@pytest.mark.parametrize("hardware", MACHINES, ids=lambda one: f"{one.kind}{one.capability}")
def test_an_empty_configuration_touches_nothing(hardware):
    """Unset is left alone on any device; each knob has a decision with a reason."""
    found = plan(hardware)
    assert KNOBS == tuple(one.knob for one in found.decisions)
    assert {LEAVE} == {one.action for one in found.decisions}
    assert [] == [one for one in found.decisions if one.asked or not one.reason]
    assert hardware is found.hardware


# ---- the table of the SpeedKit guide


@pytest.mark.parametrize(
    ("hardware", "wanted", "line"),
    [
        (gpu(9), {"precision": "bf16", "fp32_precision": "high"}, "sm=9.0 (>=8.0) -> bf16"),
        (gpu(8, 9), {"precision": "bf16", "fp32_precision": "high"}, "sm=8.9 (>=8.0) -> bf16"),
        (gpu(8), {"precision": "bf16", "fp32_precision": "high"}, "sm=8.0 (>=8.0) -> bf16"),
        (gpu(7, 5), {"precision": "fp16", "grad_scaler": True}, "sm=7.5 (Turing) -> fp16"),
        (gpu(7, 2), {}, "sm=7.2 (Volta) -> fp32; its tensor cores take fp16"),
        (gpu(7), {}, "sm=7.0 (Volta) -> fp32; its tensor cores take fp16"),
        (gpu(6, 1), {}, "sm=6.1 (<7.0) -> fp32"),
        (Hardware("cuda", "asleep"), {}, "sm not known -> fp32"),
        (ROCM, {"precision": "bf16"}, "rocm with bf16 -> bf16"),
        (XPU, {"precision": "bf16"}, "xpu with bf16 -> bf16"),
        (replace(XPU, features=frozenset()), {}, "xpu -> fp32"),
        (MPS, {}, "mps -> fp32; bf16 and fp16 are there by name"),
        (HPU, {}, "hpu -> fp32"),
        (CPU, {}, "cpu -> fp32, nothing is touched"),
    ],
)
def test_auto_precision(hardware, wanted, line):
    """What ``precision: auto`` applies on each device, and how that is told."""
    assert wanted == applied(hardware, precision="auto")
    (told,) = [one for one in plan(hardware, precision="auto").trace if line in one]
    assert told == plan(hardware, precision="auto").of("precision").reason


def test_auto_counts_as_asking_on_a_gpu_alone():
    """There it may take fewer bits; on a CPU it asks for nothing."""
    assert (APPLY, "bf16", True) == told(gpu(8), "precision", precision="auto")
    assert (APPLY, "high", True) == told(gpu(8), "fp32_precision", precision="auto")
    assert (LEAVE, "fp32", True) == told(gpu(6), "precision", precision="auto")
    assert (LEAVE, "fp32", False) == told(CPU, "precision", precision="auto")


def test_auto_leaves_what_the_user_said_of_tf32():
    """The user's own word is taken before what auto would be."""
    keys = {"precision": "auto", "tf32_matmul_precision": "highest"}
    assert (APPLY, "highest", True) == told(gpu(8), "fp32_precision", **keys)


@pytest.mark.parametrize("feature", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_cpu_with_bf16_is_told(feature):
    """It stays fp32 by auto, and the line says what could be measured."""
    fast = replace(CPU, features=frozenset({feature, "avx2"}))
    assert {} == applied(fast, precision="auto")
    assert f"; it has {feature}: measure bf16" in plan(fast, precision="auto").trace[1]
    assert f"asked for; by {feature}" == plan(fast, precision="bf16").of("precision").reason


# ---- what is asked for


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("hardware", MACHINES, ids=lambda one: f"{one.kind}{one.capability}")
def test_a_precision_by_name_is_obeyed_anywhere(hardware, precision):
    """The user's word wins, and fp16 brings its scaler."""
    assert (APPLY, precision, True) == told(hardware, "precision", precision=precision)
    assert (precision == "fp16") is told(hardware, "grad_scaler", precision=precision)[1]


@pytest.mark.parametrize(
    ("hardware", "precision", "reason"),
    [
        (CPU, "bf16", "asked for; this CPU has no bf16: may be slower"),
        (CPU, "fp16", "asked for; this CPU has no fp16: may be slower"),
        (gpu(7, 5), "bf16", "asked for; sm=7.5 has no bf16 tensor cores: may be slower"),
        (gpu(6, 1), "fp16", "asked for; sm=6.1 has no fp16 tensor cores: may be slower"),
        (gpu(7), "fp16", "asked for"),
        (gpu(8), "bf16", "asked for"),
        (CPU, "fp32", "asked for: no autocast"),
    ],
)
def test_a_precision_that_may_not_pay_is_told(hardware, precision, reason):
    """The reason says what the device lacks."""
    assert reason == plan(hardware, precision=precision).of("precision").reason


def test_fp32_by_name_is_no_autocast():
    """It applies nothing, so that the user's own autocast stays; auto's TF32 is not asked for."""
    assert (LEAVE, "fp32", True) == told(gpu(8), "precision", precision="fp32")
    assert {} == applied(gpu(8), precision="fp32")


def test_amp_is_a_switch():
    """``amp.enabled: false`` wins over any precision; true without one is auto."""
    off = {"enabled": False}
    assert (LEAVE, "fp32", True) == told(gpu(8), "precision", precision="bf16", amp=off)
    assert {} == applied(gpu(8), precision="auto", amp=off)
    assert {} == applied(gpu(8), precision="fp16", amp=off)
    assert applied(gpu(8), precision="auto") == applied(gpu(8), amp={"enabled": True})
    assert {"precision": "fp16", "grad_scaler": True} == applied(
        CPU, precision="fp16", amp={"enabled": True}
    )


@pytest.mark.parametrize("where", ["grad_scaler", "amp"])
def test_the_scaler_is_for_fp16_alone(where):
    """Example 4 of the guide, by either of the two keys; elsewhere a scaler does not matter."""

    def scaler(value, precision):
        key = {"grad_scaler": "enabled", "amp": "grad_scaler"}[where]
        return told(gpu(8), "grad_scaler", precision=precision, **{where: {key: value}})

    assert (APPLY, True, True) == scaler(True, "fp16")
    assert (LEAVE, False, True) == scaler(False, "fp16")
    assert (NOT, False, True) == scaler(True, "bf16")
    assert (LEAVE, False, True) == scaler(False, "fp32")
    assert (APPLY, True, False) == told(gpu(8), "grad_scaler", precision="fp16")
    assert (LEAVE, False, False) == told(gpu(8), "grad_scaler", precision="bf16")


@pytest.mark.parametrize(
    ("hardware", "value", "action", "reason"),
    [
        (gpu(8), "high", APPLY, "asked for"),
        (gpu(7, 5), "high", NOT, "sm=7.5 has no TF32"),
        (gpu(7, 5), "highest", APPLY, "asked for"),
        (Hardware("cuda", "asleep"), "high", APPLY, "asked for"),
        (CPU, "high", APPLY, "a CPU has no TF32, and medium lets oneDNN multiply in bf16"),
        (CPU, "medium", APPLY, "a CPU has no TF32"),
        (CPU, "highest", APPLY, "asked for"),
        (MPS, "high", NOT, "mps has no TF32"),
        (ROCM, "high", APPLY, "HIPBLASLT_ALLOW_TF32=1"),
        (XPU, "medium", APPLY, "asked for"),
    ],
)
def test_tf32_by_name(hardware, value, action, reason):
    """Obeyed where it can matter, a CPU included; not set where there is no TF32 to be had."""
    found = plan(hardware, tf32_matmul_precision=value).of("fp32_precision")
    assert (action, value, True) == (found.action, found.value, found.asked)
    assert reason in found.reason


@pytest.mark.parametrize("knob", ["cudnn_benchmark", "deterministic"])
@pytest.mark.parametrize("value", [True, False])
def test_flags_of_cudnn_are_for_cuda_and_rocm(knob, value):
    """Elsewhere they cannot matter."""
    assert (APPLY, value, True) == told(gpu(6), knob, **{knob: value})
    assert (APPLY, value, True) == told(ROCM, knob, **{knob: value})
    for hardware in (CPU, MPS, XPU, HPU):
        assert (NOT, value, True) == told(hardware, knob, **{knob: value})


def test_channels_last_is_on_or_left_alone():
    """False does not mean the other way round."""
    assert (APPLY, True, True) == told(CPU, "channels_last", channels_last=True)
    assert (LEAVE, False, True) == told(CPU, "channels_last", channels_last=False)


def test_backends_of_attention():
    """One that is not named counts as allowed; a device that has none of them cannot be asked."""
    off = {"enable_math": False}
    assert (APPLY, ("flash", "mem_efficient", "cudnn"), True) == told(gpu(8), "sdpa", sdp=off)
    every = dict.fromkeys(("enable_flash", "enable_mem_efficient", "enable_math"), True)
    assert ("flash", "mem_efficient", "math", "cudnn") == told(CPU, "sdpa", sdp=every)[1]
    neither = {"enable_math": False, "enable_flash": False}
    assert (NOT, ("mem_efficient", "cudnn"), True) == told(CPU, "sdpa", sdp=neither)
    assert "cpu has flash and math" == plan(CPU, sdp=neither).of("sdpa").reason
    assert NOT is told(MPS, "sdpa", sdp=off)[0]


@pytest.mark.parametrize(
    ("fused", "foreach", "value"),
    [
        (True, None, {"fused": True}),
        (True, False, {"fused": True}),
        (None, True, {"foreach": True}),
        (False, True, {"foreach": True}),
        (False, None, {"fused": False}),
        (None, False, {"foreach": False}),
        (False, False, {"fused": False}),
    ],
)
def test_the_optimizer_has_one_implementation(fused, foreach, value):
    """Of two keys one setting is made: what is on, or what is to be off."""
    keys = {"fused": fused, "foreach": foreach, "lr": 0.1}
    assert (APPLY, value, True) == told(CPU, "optimizer", optimizer=keys)


def test_the_optimizers_own_figures_are_no_knob():
    """A learning rate is for make_adamw alone."""
    assert (LEAVE, None, False) == told(CPU, "optimizer", optimizer={"lr": 0.1, "name": "adamw"})


# ---- compile


@pytest.mark.parametrize(
    ("hardware", "action", "line"),
    [
        (gpu(8), APPLY, "os=Linux, cuda -> compile on"),
        (gpu(7), APPLY, "os=Linux, cuda -> compile on"),
        (ROCM, APPLY, "os=Linux, rocm -> compile on"),
        (XPU, APPLY, "os=Linux, xpu -> compile on"),
        (gpu(6, 1), LEAVE, "sm=6.1 (<7.0, Triton's) -> compile left off"),
        (gpu(9, system="Windows"), LEAVE, "os=Windows -> compile left off"),
        (replace(CPU, system="Windows"), LEAVE, "os=Windows -> compile left off"),
        (CPU, LEAVE, "cpu -> compile left off; measure it"),
        (MPS, LEAVE, "mps -> compile left off; measure it"),
        (HPU, LEAVE, "hpu -> compile left off; measure it"),
    ],
)
def test_compile_auto(hardware, action, line):
    """On a GPU that Triton knows, but not on Windows; never on a CPU without a measurement."""
    found = plan(hardware, compile={"enabled": "auto", "mode": "lite"})
    value = CompileConfig(enabled="auto", mode="lite")
    assert (action, value, False) == told(hardware, "compile", compile=value.__dict__)
    assert line == found.of("compile").reason == found.trace[-1]


def test_compile_by_name():
    """True is obeyed on any machine, false is off, and unset is not touched."""
    windows = replace(CPU, system="Windows")
    on = CompileConfig(enabled=True)
    assert (APPLY, on, True) == told(CPU, "compile", compile={"enabled": True})
    assert (APPLY, on, True) == told(windows, "compile", compile={"enabled": True})
    assert "Windows" in plan(windows, compile={"enabled": True}).of("compile").reason
    off = CompileConfig(enabled=False, mode="lite")
    assert (LEAVE, off, True) == told(gpu(8), "compile", compile={"enabled": False, "mode": "lite"})
    assert (LEAVE, False) == told(gpu(8), "compile", compile={"mode": "lite"})[::2]


# ---- device and seed


@pytest.mark.parametrize(
    ("hardware", "device", "wanted"),
    [
        (CPU, None, (LEAVE, "cpu", False)),
        (gpu(8, index=1), "auto", (LEAVE, "cuda:1", False)),
        (CPU, "cpu", (APPLY, "cpu", True)),
        (gpu(8), "cuda", (APPLY, "cuda:0", True)),
        (gpu(8, index=1), "cuda:1", (APPLY, "cuda:1", True)),
        (ROCM, "cuda", (APPLY, "cuda:0", True)),
        (CPU, "cuda", (NOT, "cuda", True)),
        (gpu(8), "cuda:1", (NOT, "cuda:1", True)),
    ],
)
def test_the_device_is_where_the_plan_is_for(hardware, device, wanted):
    """Named it is asked for; another one than that of the plan cannot be."""
    assert wanted == told(hardware, "device", device=device)


def test_nothing_is_seeded_unless_it_is_asked_for():
    """0 is a seed, too."""
    assert (LEAVE, None, False) == told(CPU, "seed")
    assert (APPLY, 0, True) == told(CPU, "seed", seed=0)


# ---- the plan as a whole

FEATURES = st.frozensets(st.sampled_from(["bf16", "avx512_bf16", "amx_fp16", "avx2"]))
HARDWARE = st.builds(
    Hardware,
    kind=st.sampled_from(["cpu", "cuda", "rocm", "xpu", "mps", "hpu"]),
    name=st.just("a device"),
    index=st.integers(0, 3),
    capability=st.none() | st.tuples(st.integers(5, 12), st.integers(0, 9)),
    features=FEATURES,
    system=st.sampled_from(["Linux", "Windows", "Darwin"]),
)
FLAG = st.none() | st.booleans()
CONFIGS = st.fixed_dictionaries(
    {
        "precision": st.sampled_from([None, "auto", "fp32", "bf16", "fp16"]),
        "tf32_matmul_precision": st.sampled_from([None, "highest", "high", "medium"]),
        "deterministic": FLAG,
        "channels_last": FLAG,
        "amp": st.fixed_dictionaries({"enabled": FLAG, "grad_scaler": FLAG}),
        "compile": st.fixed_dictionaries({"enabled": st.sampled_from([None, True, False, "auto"])}),
        "sdp": st.fixed_dictionaries({"enable_math": FLAG, "enable_flash": FLAG}),
        "optimizer": st.fixed_dictionaries({"fused": FLAG}),
        "seed": st.none() | st.integers(0, 9),
    }
)


@given(HARDWARE, CONFIGS)
@settings(max_examples=200, deadline=None)
def test_a_plan_is_a_pure_function(hardware, keys):
    """Twice the same, with a reason for all; fewer bits only by the user's word or by auto's."""
    config = SpeedConfig.from_dict(keys, environ={})
    found = plan_of(config, hardware)
    assert found == plan_of(config, hardware)
    assert KNOBS == tuple(one.knob for one in found.decisions if one.reason)
    assert all(found.trace)
    precision, tf32 = found.of("precision"), found.of("fp32_precision")
    if APPLY in (precision.action, tf32.action):
        assert precision.asked or tf32.asked
    assert (precision.value == "fp16") >= found.of("grad_scaler").value


@given(CONFIGS)
@settings(max_examples=100, deadline=None)
def test_auto_on_a_cpu_is_as_if_nothing_was_said(keys):
    """Neither ``precision: auto`` nor ``compile.enabled: auto`` applies anything there."""
    auto = {**keys, "precision": "auto", "compile": {"enabled": "auto"}}
    unset = {**keys, "precision": None, "compile": None}
    assert applied(CPU, **unset) == applied(CPU, **auto)


def test_a_configuration_made_wrong_by_hand_is_refused():
    """A plan is made of what ``from_dict`` would have taken, and of nothing else."""
    with pytest.raises(SpeedConfigError, match="precision: 'tf32' is not"):
        plan_of(SpeedConfig(precision="tf32"), CPU)
