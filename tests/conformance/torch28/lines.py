"""The lines of the table: what each says, which steps it needs, and how they are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.torch28 import judging
from tests.conformance.torch28.expected import (
    ENDS,
    LAST,
    PROPOSED_LINES,
    REFUSALS,
    VERSIONS,
    WORKS_BARE,
)
from tests.conformance.torch28.judging import Told

Results = Mapping[str, Mapping[str, Any]]
_BARE = tuple(f"train-{version}-2-bare" for version in LAST)


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    name: str
    what: str
    steps: tuple[str, ...]
    bare: tuple[str, ...]
    judge: Callable[[list[Any], list[Any]], tuple[Told, Told]]
    #: Steps that are compared with, and no feature of the line itself.
    beside: tuple[str, ...] = ()

    def judged(self, results: Results) -> Judged:
        """Return what the table says of this line.

        Raises KeyError for a step without a result.
        """
        ours = [results[name] for name in (*self.steps, *self.beside)]
        shimmed, bare = self.judge(ours, [results[name] for name in self.bare])
        return Judged(self, shimmed, bare)

    @property
    def needs(self) -> tuple[str, ...]:
        """All steps, in the order in which they are measured."""
        return (*self.beside, *self.steps, *self.bare)


@dataclass(frozen=True)
class Judged:
    """A line with both sides; it holds where it works with shimhub and does not without."""

    line: Line
    shimmed: Told
    bare: Told

    @property
    def holds(self) -> bool:
        """Whether both sides are as they must be."""
        return self.shimmed.holds and self.bare.holds


def lines() -> dict[str, Line]:
    """Return the lines in the table's order, by name."""
    found = [*_sweeps(), *_trainings(), *_early_stop(), *_refusals(), *_proposal(), *_features()]
    return {line.name: line for line in found}


def _of(name: str, versions: tuple[str, ...], suffix: str = "") -> tuple[str, ...]:
    return tuple(f"{name}-{version}{suffix}" for version in versions)


def _sweeps() -> list[Line]:
    return [
        Line(
            f"sweep-{version}",
            f"TorchTitan {version}: modules outside experiments and tests that import",
            (f"sweep-{version}",),
            (f"sweep-{version}-bare",),
            lambda ours, bare, v=version: (
                judging.swept(v, ours[0]),
                judging.swept(v, bare[0], bare=True),
            ),
        )
        for version in VERSIONS
    ]


def _trainings() -> list[Line]:
    ranked = [
        Line(
            f"train-{ranks}",
            f"5 steps on {ranks} rank{'s' * (ranks > 1)}, 0.2.0, 0.2.1 and 0.2.2: loss",
            _of("train", VERSIONS, f"-{ranks}"),
            _of("train", VERSIONS, f"-{ranks}-bare"),
            lambda ours, bare: (judging.trained(ours), judging.stopped(*bare)),
        )
        for ranks in (1, 2)
    ]
    norm = Line(
        "grad-norm",
        "Gradient norm of step 1 on 2 ranks is that of a mean (without: the shims for AVG off)",
        (*_of("train", VERSIONS, "-1"), *_of("train", VERSIONS, "-2")),
        _of("train", VERSIONS, "-2-sum"),
        _judge_norms,
    )
    return [*ranked, norm]


def _judge_norms(ours: list[Any], bare: list[Any]) -> tuple[Told, Told]:
    half = len(ours) // 2
    return judging.norms(ours[:half], ours[half:]), judging.doubled(ours[half:], bare)


def _early_stop() -> list[Line]:
    return [
        Line(
            "early-stop",
            "What a checkpointed module recomputes, with `early_stop` True, False and not given",
            ("early-stop",),
            ("early-stop-bare",),
            lambda ours, bare: (judging.traces(*ours), judging.stopped(*bare)),
            beside=("early-stop-native",),
        )
    ]


def _refusals() -> list[Line]:
    told = {
        "dualpipev": "Schedule DualPipeV on 2 ranks is refused",
        "pinned-memory": "`async_with_pinned_mem` is refused",
        "quantized": "The quantized reader (DeepSeek V3 from quantized safetensors) is refused",
    }
    return [
        Line(
            name,
            f"{told[name]}: NotImplementedError with version and cure",
            _of(name, ENDS),
            _of("train", ENDS, "-2-bare"),
            lambda ours, bare, n=name: (judging.refused(n, ours), judging.stopped(*bare)),
        )
        for name in REFUSALS
    ]


def _proposal() -> list[Line]:
    told = {
        "proposal-new-module": "New shim, a missing module: `register_shim` as printed",
        "proposal-new-class": "New shim, a missing class: the patch as printed",
    }
    return [
        Line(
            name,
            told.get(name, f"`{line}`"),
            _of(name, ENDS if name in told else VERSIONS),
            _of(name, ENDS if name in told else VERSIONS, "-bare"),
            lambda ours, bare, n=name: (judging.printed(ours), _proposed_bare(n, bare)),
        )
        for name, line in PROPOSED_LINES.items()
    ]


def _proposed_bare(name: str, bare: list[Any]) -> Told:
    """The bare side of a line of the proposal, where some version may do without shimhub."""
    working = [v for v in VERSIONS if f"{name}-{v}" in WORKS_BARE]
    if not working:
        return judging.stopped(*bare)
    fine, broken = bare[: len(working)], judging.stopped(*bare[len(working) :])
    told = f"{', '.join(working)} does without; the others: {broken.text}"
    return Told(told, broken.holds and all(one["code"] == 0 for one in fine))


def _features() -> list[Line]:
    told = {
        "full-checkpointing": "0.2.2, full activation checkpointing (`early_stop=False`): loss",
        "tensor-parallel": "0.2.2, tensor parallelism over 2 ranks: loss",
        "pipeline-parallel": "0.2.2, pipeline 1F1B over 2 ranks: loss",
        "async-save": "0.2.2, asynchronous checkpoints on 2 ranks: loss",
    }
    plain = [
        Line(name, what, _of(name, LAST), _BARE, _judge_feature)
        for name, what in told.items()
        if name != "full-checkpointing"
    ]
    return [
        Line(
            "full-checkpointing",
            told["full-checkpointing"],
            _of("full-checkpointing", LAST),
            _of("train", LAST, "-1-bare"),
            lambda ours, bare: (judging.feature_as(ours[:1], ours[1:]), judging.stopped(*bare)),
            beside=_of("train", LAST, "-1"),
        ),
        *plain,
        Line(
            "resume",
            "0.2.2, checkpoints on 2 ranks, and training on from step 3",
            (*_of("save", LAST), *_of("load", LAST)),
            _BARE,
            lambda ours, bare: (judging.resumed(ours[:1], ours[1:]), judging.stopped(*bare)),
        ),
        Line(
            "hf-export",
            "0.2.2, Hugging Face export of the last step on 2 ranks",
            _of("hf-export", LAST),
            _BARE,
            lambda ours, bare: (judging.exported(ours), judging.stopped(*bare)),
        ),
    ]


def _judge_feature(ours: list[Any], bare: list[Any]) -> tuple[Told, Told]:
    return judging.feature(ours), judging.stopped(*bare)
