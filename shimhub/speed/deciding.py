"""What a configuration comes to on some hardware: a pure function, with a reason for each knob."""

from __future__ import annotations

from typing import Any

from shimhub.speed.config import SpeedConfig
from shimhub.speed.hardware import torch_device
from shimhub.speed.model import Action, Decision, Hardware, Plan

#: Compute capabilities from which GPUs of NVIDIA have bf16 and TF32, and fp16 tensor cores.
_AMPERE, _TURING, _VOLTA = (8, 0), (7, 5), (7, 0)
#: Instruction sets of CPUs that multiply in fewer bits, as /proc/cpuinfo and torch spell them.
_CPU_FAST = {
    "bf16": ("amx_bf16", "avx512_bf16", "bf16"),
    "fp16": ("amx_fp16", "avx512_fp16", "asimdhp", "fp16_arith"),
}
#: Backends of attention where they are not all four.
_SDPA_OF: dict[str, tuple[str, ...]] = {"cpu": ("flash", "math"), "mps": ()}
_UNSET = "not asked for: left as it is"
_ASKED = "asked for"


def plan_of(config: SpeedConfig, hardware: Hardware) -> Plan:
    """Return what becomes of each knob. Raises SpeedConfigError for a configuration made wrong."""
    config.validate()
    precision = _precision(config, hardware)
    tf32 = _fp32_precision(config, hardware)
    compiling = _compile(config, hardware)
    decisions = (
        _device(config, hardware),
        _seed(config),
        precision,
        _grad_scaler(config, precision),
        tf32,
        _cudnn("cudnn_benchmark", config.cudnn_benchmark, hardware),
        _cudnn("deterministic", config.deterministic, hardware),
        _channels_last(config),
        _sdpa(config, hardware),
        _optimizer(config),
        compiling,
    )
    return Plan(hardware, decisions, _trace(config, hardware, compiling))


def _trace(config: SpeedConfig, hardware: Hardware, compiling: Decision) -> tuple[str, ...]:
    lines = [f"device={torch_device(hardware)} ({hardware.name})"]
    if _wanted(config) == "auto":
        lines.append(_auto(hardware)[1])
    if config.compile.enabled == "auto":
        lines.append(compiling.reason)
    return tuple(lines)


def _told(knob: str, value: Any) -> Decision:
    """Return the decision on a knob that has no choice of its own: what is set is applied."""
    if value is None:
        return Decision(knob, Action.LEAVE, None, _UNSET)
    return Decision(knob, Action.APPLY, value, _ASKED, asked=True)


def _sm(hardware: Hardware) -> str:
    return "sm={}.{}".format(*hardware.capability) if hardware.capability else "sm not known"


# ---- precision


def _wanted(config: SpeedConfig) -> str | None:
    """Return the precision that is asked for; None where none is."""
    if config.amp.enabled is False:
        return None
    return config.precision or ("auto" if config.amp.enabled else None)


def _precision(config: SpeedConfig, hardware: Hardware) -> Decision:
    if config.amp.enabled is False:
        return Decision("precision", Action.LEAVE, "fp32", "amp.enabled: false", asked=True)
    wanted = _wanted(config)
    if wanted is None:
        return Decision("precision", Action.LEAVE, "fp32", _UNSET)
    if wanted == "auto":
        value, reason = _auto(hardware)
    else:
        value, reason = wanted, _asked_precision(wanted, hardware)
    action = Action.LEAVE if value == "fp32" else Action.APPLY
    return Decision("precision", action, value, reason, asked=_counts(wanted, hardware))


def _counts(wanted: str, hardware: Hardware) -> bool:
    """Whether the word is the user's own; on a GPU ``auto`` counts as asking."""
    return wanted != "auto" or hardware.kind != "cpu"


def _auto(hardware: Hardware) -> tuple[str, str]:
    """Return what ``precision: auto`` is on a device, and why."""
    if hardware.kind == "cuda":
        return _auto_cuda(hardware)
    if hardware.kind == "cpu":
        fast = _fast(hardware, "bf16")
        told = f"; it has {fast}: measure bf16" if fast else ""
        return "fp32", f"cpu -> fp32, nothing is touched{told}"
    if hardware.kind in ("rocm", "xpu") and "bf16" in hardware.features:
        return "bf16", f"{hardware.kind} with bf16 -> bf16"
    return "fp32", f"{hardware.kind} -> fp32; bf16 and fp16 are there by name"


def _auto_cuda(hardware: Hardware) -> tuple[str, str]:
    sm, capability = _sm(hardware), hardware.capability or (0, 0)
    if capability >= _AMPERE:
        return "bf16", f"{sm} (>=8.0) -> bf16"
    if capability >= _TURING:
        return "fp16", f"{sm} (Turing) -> fp16; scale the loss with ctx.grad_scaler"
    if capability >= _VOLTA:
        return "fp32", f"{sm} (Volta) -> fp32; its tensor cores take fp16: ask by precision: fp16"
    return "fp32", f"{sm}{' (<7.0)' if hardware.capability else ''} -> fp32"


def _fast(hardware: Hardware, precision: str) -> str:
    """Return the instruction set of a CPU that multiplies in a precision, or an empty string."""
    return next((one for one in _CPU_FAST[precision] if one in hardware.features), "")


def _asked_precision(wanted: str, hardware: Hardware) -> str:
    if wanted == "fp32":
        return f"{_ASKED}: no autocast"
    if hardware.kind == "cpu":
        fast = _fast(hardware, wanted)
        return f"{_ASKED}; " + (
            f"by {fast}" if fast else f"this CPU has no {wanted}: may be slower"
        )
    least = _AMPERE if wanted == "bf16" else _VOLTA
    if hardware.kind == "cuda" and hardware.capability and hardware.capability < least:
        return f"{_ASKED}; {_sm(hardware)} has no {wanted} tensor cores: may be slower"
    return _ASKED


def _grad_scaler(config: SpeedConfig, precision: Decision) -> Decision:
    told = config.grad_scaler.enabled
    told = config.amp.grad_scaler if told is None else told
    asked = told is not None
    if precision.value != "fp16":
        action = Action.NOT_APPLICABLE if told else Action.LEAVE
        return Decision("grad_scaler", action, False, f"{precision.value} needs none", asked)
    if told is False:
        reason = "asked to be off; small gradients of fp16 become 0"
        return Decision("grad_scaler", Action.LEAVE, False, reason, asked)
    return Decision("grad_scaler", Action.APPLY, True, "fp16: small gradients become 0", asked)


def _fp32_precision(config: SpeedConfig, hardware: Hardware) -> Decision:
    told, knob = config.tf32_matmul_precision, "fp32_precision"
    has = hardware.kind == "cuda" and (hardware.capability or (0, 0)) >= _AMPERE
    if told is None and has and _wanted(config) == "auto":
        reason = f"{_sm(hardware)} (>=8.0) -> TF32 for what stays fp32"
        return Decision(knob, Action.APPLY, "high", reason, asked=True)
    if told in ("high", "medium") and not has:
        return _without_tf32(told, hardware)
    return _told(knob, told)


def _without_tf32(told: str, hardware: Hardware) -> Decision:
    if hardware.kind == "cpu":
        reason = f"{_ASKED}; a CPU has no TF32, and medium lets oneDNN multiply in bf16"
        return Decision("fp32_precision", Action.APPLY, told, reason, asked=True)
    if hardware.kind == "mps" or hardware.capability:
        device = _sm(hardware) if hardware.capability else hardware.kind
        reason = f"{device} has no TF32"
        return Decision("fp32_precision", Action.NOT_APPLICABLE, told, reason, asked=True)
    # https://github.com/pytorch/pytorch/pull/143549
    rocm = "; it needs HIPBLASLT_ALLOW_TF32=1, too" if hardware.kind == "rocm" else ""
    reason = f"{_ASKED}{rocm}"
    return Decision("fp32_precision", Action.APPLY, told, reason, asked=True)


# ---- the other knobs


def _device(config: SpeedConfig, hardware: Hardware) -> Decision:
    here = torch_device(hardware)
    if config.device in (None, "auto"):
        return Decision("device", Action.LEAVE, here, "settings are for what is here")
    if config.device not in (here, here.partition(":")[0]):
        reason = f"{config.device} is asked for, and this plan is for {here}"
        return Decision("device", Action.NOT_APPLICABLE, config.device, reason, asked=True)
    return _told("device", here)


def _seed(config: SpeedConfig) -> Decision:
    return _told("seed", config.seed)


def _cudnn(knob: str, value: bool | None, hardware: Hardware) -> Decision:
    """Return the decision on a flag of cuDNN, which ROCm's MIOpen reads, too."""
    if value is None or hardware.kind in ("cuda", "rocm"):
        return _told(knob, value)
    reason = f"a flag of cuDNN, which {hardware.kind} does not use"
    return Decision(knob, Action.NOT_APPLICABLE, value, reason, asked=True)


def _channels_last(config: SpeedConfig) -> Decision:
    if config.channels_last is False:
        return Decision("channels_last", Action.LEAVE, False, "asked to be off", asked=True)
    return _told("channels_last", config.channels_last)


def _sdpa(config: SpeedConfig, hardware: Hardware) -> Decision:
    told = {
        "flash": config.sdp.enable_flash,
        "mem_efficient": config.sdp.enable_mem_efficient,
        "math": config.sdp.enable_math,
        "cudnn": config.sdp.enable_cudnn,
    }
    if set(told.values()) == {None}:
        return _told("sdpa", None)
    allowed = tuple(name for name, allow in told.items() if allow is not False)
    here = _SDPA_OF.get(hardware.kind, allowed)
    if not set(here) & set(allowed):
        reason = f"{hardware.kind} has {' and '.join(here) or 'no choice of them'}"
        return Decision("sdpa", Action.NOT_APPLICABLE, allowed, reason, asked=True)
    return _told("sdpa", allowed)


def _optimizer(config: SpeedConfig) -> Decision:
    """Return the decision on the one of two implementations that is asked for."""
    fused, foreach = config.optimizer.fused, config.optimizer.foreach
    if fused or foreach:
        return _told("optimizer", {"fused": True} if fused else {"foreach": True})
    if fused is None and foreach is None:
        return _told("optimizer", None)
    value = {"foreach": False} if fused is None else {"fused": False}
    reason = f"{_ASKED}; with one of them off torch takes neither, unless the other is on"
    return Decision("optimizer", Action.APPLY, value, reason, asked=True)


def _compile(config: SpeedConfig, hardware: Hardware) -> Decision:
    told, knob = config.compile, "compile"
    if told.enabled is None:
        return Decision(knob, Action.LEAVE, told, _UNSET)
    if told.enabled is False:
        return Decision(knob, Action.LEAVE, told, "asked to be off", asked=True)
    if told.enabled is True:
        windows = "; torch says little of Windows" if hardware.system == "Windows" else ""
        return Decision(knob, Action.APPLY, told, _ASKED + windows, asked=True)
    return Decision(knob, *_auto_compile(config, hardware))


def _auto_compile(config: SpeedConfig, hardware: Hardware) -> tuple[Action, Any, str]:
    if hardware.system == "Windows":
        return Action.LEAVE, config.compile, "os=Windows -> compile left off"
    if hardware.kind not in ("cuda", "rocm", "xpu"):
        return Action.LEAVE, config.compile, f"{hardware.kind} -> compile left off; measure it"
    if hardware.kind == "cuda" and (hardware.capability or (0, 0)) < _VOLTA:
        return Action.LEAVE, config.compile, f"{_sm(hardware)} (<7.0, Triton's) -> compile left off"
    return Action.APPLY, config.compile, f"os={hardware.system}, {hardware.kind} -> compile on"
