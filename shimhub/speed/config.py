"""What a user asks for: every key checked, all mistakes told at once; unset means left alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shimhub.speed._files import Place, no_place, read_toml, read_yaml
from shimhub.speed._keys import Choice, Device, Flag, Number, Options, Rule, Whole, Word
from shimhub.speed._reading import Problem, plain, read, wrong_sections
from shimhub.speed.errors import SpeedConfigError

#: Words of SPEEDKIT_COMPILE.
_SWITCH: dict[str, bool | str] = {
    **dict.fromkeys(("0", "false", "off", "no"), False),
    **dict.fromkeys(("1", "true", "on", "yes"), True),
    "auto": "auto",
}


def _key(rule: Rule, summary: str) -> Any:
    return field(default=None, metadata={"rule": rule, "summary": summary})


@dataclass(frozen=True)
class GradScalerConfig:
    """The scaler of fp16's gradients."""

    enabled: bool | None = _key(Flag(), "scale the loss; fp16 alone needs it, and has it if unset")


@dataclass(frozen=True)
class AmpConfig:
    """Autocast, beside its precision."""

    enabled: bool | None = _key(Flag(), "false: no autocast, whatever precision says")
    grad_scaler: bool | None = _key(Flag(), "the same as grad_scaler.enabled")
    autocast_cache_enabled: bool | None = _key(Flag(), "keep the cast weights within one region")


@dataclass(frozen=True)
class OptimConfig:
    """How the optimizer steps; name, lr and weight_decay are for make_adamw alone."""

    name: str | None = _key(Choice(("adamw",)), "the optimizer that make_adamw makes")
    lr: float | None = _key(Number(), "its learning rate")
    weight_decay: float | None = _key(Number(), "its weight decay")
    fused: bool | None = _key(
        Flag(), "one kernel for the step of an optimizer that is handed over; excludes foreach"
    )
    foreach: bool | None = _key(Flag(), "a few kernels for all parameters; excludes fused")


@dataclass(frozen=True)
class CompileConfig:
    """Arguments of torch.compile."""

    enabled: bool | str | None = _key(
        Choice(("auto",), flag=True), "compile the model in place; auto: on a GPU, not on Windows"
    )
    backend: str | None = _key(Word(), "who compiles; torch takes inductor where it is unset")
    mode: str | None = _key(
        Choice(
            (
                "default",
                "lite",
                "reduce-overhead",
                "max-autotune",
                "max-autotune-no-cudagraphs",
            )
        ),
        "a set of inductor's options",
    )
    fullgraph: bool | None = _key(Flag(), "fail where the graph breaks")
    dynamic: bool | None = _key(Flag(), "compile for sizes that change")
    options: dict[str, Any] | None = field(
        default=None,
        hash=False,
        metadata={"rule": Options(), "summary": "options of the backend; excludes mode"},
    )


@dataclass(frozen=True)
class SdpConfig:
    """Backends of scaled_dot_product_attention; once one is named, others count as allowed."""

    enable_flash: bool | None = _key(Flag(), "allow flash attention")
    enable_mem_efficient: bool | None = _key(Flag(), "allow memory-efficient attention")
    enable_math: bool | None = _key(Flag(), "allow the plain one, which takes every input")
    enable_cudnn: bool | None = _key(Flag(), "allow that of cuDNN")


@dataclass(frozen=True)
class TrainLoopConfig:
    """Figures for example loops; nothing else reads them."""

    epochs: int | None = _key(Whole(1), "passes over the data")
    steps_per_epoch: int | None = _key(Whole(1), "steps of a pass")
    batch_size: int | None = _key(Whole(1), "samples of a step")
    grad_accum_steps: int | None = _key(Whole(1), "backward passes for one step")
    clip_grad_norm: float | None = _key(Number(above=True), "largest norm of the gradients")
    log_every: int | None = _key(Whole(1), "steps between two lines")


@dataclass(frozen=True)
class SpeedConfig:
    """What is asked for. A key that is None is unset: that setting is left as it is."""

    precision: str | None = _key(
        Choice(("auto", "fp32", "bf16", "fp16")), "what autocast computes in"
    )
    device: str | None = _key(
        Device(), "what the settings are for; auto: the device of the model, which is not moved"
    )
    seed: int | None = _key(Whole(0, 2**32 - 1), "seed python, numpy and torch")
    tf32_matmul_precision: str | None = _key(
        Choice(("highest", "high", "medium")), "what torch.set_float32_matmul_precision is set to"
    )
    cudnn_benchmark: bool | None = _key(
        Flag(), "let cuDNN time its kernels for each shape; excludes deterministic"
    )
    deterministic: bool | None = _key(
        Flag(), "deterministic kernels of cuDNN only; excludes cudnn_benchmark"
    )
    channels_last: bool | None = _key(Flag(), "keep 4-D weights in channels_last")
    grad_scaler: GradScalerConfig = field(default_factory=GradScalerConfig)
    amp: AmpConfig = field(default_factory=AmpConfig)
    optimizer: OptimConfig = field(default_factory=OptimConfig)
    compile: CompileConfig = field(default_factory=CompileConfig)
    sdp: SdpConfig = field(default_factory=SdpConfig)
    train: TrainLoopConfig = field(default_factory=TrainLoopConfig)

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, environ: Mapping[str, str] | None = None
    ) -> SpeedConfig:
        """Read a mapping, which is not changed; SPEEDKIT_* variables fill what it leaves unset.

        Raises SpeedConfigError with every mistake.
        """
        return _made(data, environ)

    @classmethod
    def from_yaml(
        cls, path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None
    ) -> SpeedConfig:
        """Read a YAML file as ``from_dict``. Needs PyYAML: ``pip install 'shimhub[speed]'``."""
        data, place, twice = read_yaml(path)
        return _made(data, environ, place, twice)

    @classmethod
    def from_toml(
        cls,
        path: str | os.PathLike[str],
        table: str = "tool.shimhub.speed",
        *,
        environ: Mapping[str, str] | None = None,
    ) -> SpeedConfig:
        """Read a table of a TOML file as ``from_dict``; an empty name is the whole file."""
        data, place = read_toml(path, table)
        return _made(data, environ, place)

    def to_dict(self) -> dict[str, Any]:
        """Return what is set, as plain data that ``from_dict`` reads."""
        return plain(self)

    def validate(self) -> None:
        """Check every key, as ``from_dict`` does. Raises SpeedConfigError with every mistake."""
        problems = wrong_sections(self)
        if not problems:
            problems += _conflicts(read(SpeedConfig, plain(self), problems))
        _refuse(problems)


def _made(
    data: Mapping[str, Any],
    environ: Mapping[str, str] | None,
    place: Place = no_place,
    twice: Sequence[str] = (),
) -> SpeedConfig:
    problems: list[Problem] = []
    config = read(SpeedConfig, data, problems)
    config = _filled(config, os.environ if environ is None else environ, problems)
    _refuse(problems + _conflicts(config), place, twice)
    return config


def _refuse(problems: list[Problem], place: Place = no_place, others: Sequence[str] = ()) -> None:
    told = [*others, *(one.told(place(one.path)) for one in problems)]
    if told:
        raise SpeedConfigError(*told)


def _filled(
    config: SpeedConfig, environ: Mapping[str, str], problems: list[Problem]
) -> SpeedConfig:
    """Return the configuration with what SPEEDKIT_* variables say of keys that it leaves unset."""
    precision = environ.get("SPEEDKIT_PRECISION", "").strip().lower()
    enabled = environ.get("SPEEDKIT_COMPILE", "").strip().lower()
    if precision and config.precision is None:
        told = read(SpeedConfig, {"precision": precision}, problems, "SPEEDKIT_PRECISION")
        config = replace(config, precision=told.precision)
    if enabled and config.compile.enabled is None:
        told = read(
            SpeedConfig,
            {"compile": {"enabled": _SWITCH.get(enabled, enabled)}},
            problems,
            "SPEEDKIT_COMPILE",
        )
        config = replace(config, compile=replace(config.compile, enabled=told.compile.enabled))
    return config


def _conflicts(config: SpeedConfig) -> list[Problem]:
    """Return what excludes each other."""
    scaler, amp, optimizer = config.grad_scaler.enabled, config.amp, config.optimizer
    found: list[tuple[tuple[str, ...], str]] = []
    if None not in (scaler, amp.grad_scaler) and scaler != amp.grad_scaler:
        found.append((("amp", "grad_scaler"), "says another thing than grad_scaler.enabled"))
    if optimizer.fused and optimizer.foreach:
        found.append((("optimizer", "foreach"), "excludes optimizer.fused; keep one of them"))
    if config.deterministic and config.cudnn_benchmark:
        found.append((("cudnn_benchmark",), "picks kernels by time; excludes deterministic"))
    if config.compile.enabled and config.compile.mode and config.compile.options:
        found.append((("compile", "options"), "excludes compile.mode; keep one of them"))
    if {False} == set(plain(config.sdp).values()) and len(plain(config.sdp)) == _BACKENDS:
        found.append((("sdp",), "no backend is left; allow one"))
    return [Problem(path, text) for path, text in found]


_BACKENDS = 4
