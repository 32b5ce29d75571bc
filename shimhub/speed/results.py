"""Measurements that are kept: a file for each machine, versions, model and value of a knob.

A file is used only if it is this user's own, says all that it was asked by, and has what a
measurement has; else it is left aside, with a reason.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from shimhub import _kept
from shimhub._version import __version__
from shimhub.speed.model import Hardware, Timing, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA: Final = "shimhub.speed.timing/1"
#: Why there is no measurement where nothing is wrong.
NEW: Final = "not measured before"
#: A measurement is well under a kilobyte; anything larger is something else.
_MOST_BYTES: Final = 64 * 1024
_FIELDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "verdict": lambda one: one in [verdict.value for verdict in Verdict],
    "pairs": lambda one: type(one) is int and one >= 0,
    "reason": lambda one: isinstance(one, str),
    **dict.fromkeys(
        ("ratio", "low", "high", "confidence", "seconds", "noise", "plain_seconds", "load"),
        lambda one: type(one) in {int, float} and 0 <= one <= sys.float_info.max,
    ),
}


def folder() -> str:
    """Return where measurements are kept."""
    return _kept.folder("speed")


def question(hardware: Hardware, workload: str, knob: str, value: Any, kept: Any) -> dict[str, Any]:
    """Return all that a measurement depends on, as JSON has it.

    ``workload`` stands for the model, its optimizer and the shapes that it works on, ``kept`` for
    the knobs that were on beside the one in question.
    """
    machine = asdict(hardware) | {"features": sorted(hardware.features)}
    asked = {
        "shimhub": __version__,
        "python": platform.python_version(),
        "machine": {**machine, "cpu": platform.machine(), "cores": _cores(), "cuda": _driver()},
        "workload": workload,
        "knob": knob,
        "value": repr(value),
        "kept": repr(kept),
    }
    found: dict[str, Any] = json.loads(json.dumps(asked))
    return found


def _cores() -> int:
    """Return the processors that this process may use."""
    count = getattr(os, "sched_getaffinity", None)
    return len(count(0)) if count else os.cpu_count() or 1


def _driver() -> str:
    """Return NVIDIA's own word for its kernel module; empty where there is none."""
    try:
        with open("/proc/driver/nvidia/version", encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""


def path_of(asked: Mapping[str, Any]) -> str:
    """Return the file of a question."""
    return _kept.path_of(folder(), asked)


def load(asked: Mapping[str, Any]) -> tuple[Timing | None, str]:
    """Return the measurement that answers a question, or None and why there is none."""
    data, why = _kept.read(path_of(asked), _MOST_BYTES, NEW)
    return (None, why) if why else _read(data, asked)


def _read(data: bytes, asked: Mapping[str, Any]) -> tuple[Timing | None, str]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None, "its file is no JSON"
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        return None, f"its file is not {SCHEMA}"
    if found.get("question") != asked:
        return None, "its file answers another question"
    told = found.get("timing")
    if not isinstance(told, dict) or told.keys() != _FIELDS.keys():
        return None, "its file has no measurement"
    wrong = [name for name, is_right in _FIELDS.items() if not is_right(told[name])]
    if wrong:
        return None, f"its file has a {wrong[0]} that cannot be"
    return Timing(**{**told, "verdict": Verdict(told["verdict"])}), ""


def store(asked: Mapping[str, Any], timing: Timing) -> str:
    """Keep a measurement, whole or not at all. Return why it was not kept; empty where it was."""
    told = asdict(timing) | {"verdict": timing.verdict.value}
    content = json.dumps({"schema": SCHEMA, "question": asked, "timing": told}, allow_nan=True)
    return _kept.write(path_of(asked), content)
