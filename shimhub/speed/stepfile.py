"""A step from a file, measured: what ``shimhub speed measure`` does and prints."""

from __future__ import annotations

import importlib.util
import math
import os
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from types import ModuleType
from typing import Any

from shimhub.errors import ShimhubError, nearest
from shimhub.speed.errors import MeasureError, SpeedConfigError
from shimhub.speed.knobs import KNOBS
from shimhub.speed.measuring import Report, measure
from shimhub.speed.model import Measured
from shimhub.speed.reporting import hardware_data, hardware_lines

#: What a file's function is called where no other is named.
DEFAULT = "make_step"
_MODULE = "shimhub_step"
_OF_OPTIMIZER = ("fused", "foreach")


def measure_file(
    told: str, knobs: Sequence[str] = (), *, budget_s: float = 60.0, cache: bool = True
) -> Report:
    """Measure knobs on the step that ``FILE[:NAME]`` makes, and keep none of them on.

    ``NAME()`` returns a step, or a tuple of a step and the model, the optimizer and others whose
    state it changes. ``knobs`` are words such as ``compile``, ``optimizer=fused`` or
    ``autocast=bf16``; none means all that can matter and lose no bits. Raises SpeedConfigError for
    a file, a name or a knob that there is not, MeasureError from what the file's own code raises.
    What the file prints goes to stderr: stdout has the answer.
    """
    wanted = [_knob_of(word) for word in knobs] or "auto"
    with redirect_stdout(sys.stderr), _own_errors(told), _loaded(told) as maker:
        step, *others = _parts(maker(), told)
        return measure(step, knobs=wanted, budget_s=budget_s, cache=cache, keep=False, state=others)


def _knob_of(word: str) -> tuple[str, Any]:
    name, has_value, value = word.partition("=")
    if name not in KNOBS:
        raise SpeedConfigError(f"there is no knob {name!r}{nearest(name, KNOBS)}")
    if name != "optimizer":
        return name, value if has_value else True
    if value not in _OF_OPTIMIZER:
        raise SpeedConfigError(f"{word!r}: give optimizer=fused or optimizer=foreach")
    return name, {value: True}


@contextmanager
def _own_errors(told: str) -> Iterator[None]:
    """Tell an error of the file's own code as one; it is the cause of what is raised."""
    path, _ = _path_and_name(told)
    try:
        yield
    except ShimhubError:
        raise
    except Exception as error:
        frames = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
        if path not in (*frames, getattr(error, "filename", None)):
            raise
        raise MeasureError(f"{told} raised {type(error).__name__}: {error}") from error


def _path_and_name(told: str) -> tuple[str, str]:
    path, _, name = told.rpartition(":") if ":" in told else (told, "", DEFAULT)
    return path, name


@contextmanager
def _loaded(told: str) -> Iterator[Callable[[], Any]]:
    """Give the function that makes the step, with the file's folder importable meanwhile."""
    path, name = _path_and_name(told)
    if not os.path.isfile(path):
        raise SpeedConfigError(f"there is no file {path!r}; give FILE or FILE:NAME")
    folder = os.path.dirname(os.path.abspath(path))
    sys.path.insert(0, folder)
    try:
        found = vars(_module(path)).get(name)
        if not callable(found):
            raise SpeedConfigError(f"{path} has no function {name!r}; name one as {path}:NAME")
        yield found
    finally:
        sys.path.remove(folder)
        sys.modules.pop(_MODULE, None)


def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    if spec is None or spec.loader is None:
        raise SpeedConfigError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    return module


def _parts(made: Any, told: str) -> tuple[Any, ...]:
    parts = made if isinstance(made, tuple) else (made,)
    if not parts or not callable(parts[0]):
        problem = "returned no step: a function, or a tuple that begins with one"
        raise SpeedConfigError(f"{told} {problem}")
    return parts


def data_of(report: Report) -> dict[str, Any]:
    """Return a report as JSON takes it."""
    return {
        "hardware": hardware_data(report.hardware),
        "measured": [_measured_data(one) for one in report.measured],
        "left_out": [
            {"knob": one.knob, "value": one.value, "reason": one.reason} for one in report.left_out
        ],
        "seconds": report.seconds,
        "notes": list(report.notes),
    }


def _measured_data(one: Measured) -> dict[str, Any]:
    numerics = _finite(asdict(one.numerics) | {"gate": one.numerics.gate.value})
    timing = one.timing and asdict(one.timing) | {"verdict": one.timing.verdict.value}
    told = {"knob": one.knob, "value": one.value, "reason": one.reason, "cached": one.cached}
    return {**told, "numerics": numerics, "timing": timing}


def _finite(told: Any) -> Any:
    """Return data with None where a number is infinite, which JSON does not know."""
    if isinstance(told, dict):
        return {name: _finite(value) for name, value in told.items()}
    return None if isinstance(told, float) and not math.isfinite(told) else told


def lines_of(report: Report) -> list[str]:
    """Return a report as text of 80 columns."""
    lines = [*hardware_lines(report.hardware), ""]
    for one in report.measured:
        lines += _measured_lines(one)
    for other in report.left_out:
        lines += _filled(f"{_named(other.knob, other.value)}: left out: ", other.reason)
    if not report.measured:
        lines.append("Nothing was compared: no knob can matter here.")
    return [*lines, *(line for note in report.notes for line in _filled("note: ", note))]


def _measured_lines(one: Measured) -> Iterable[str]:
    word = one.timing.verdict.value if one.timing else one.numerics.gate.value
    yield f"{_named(one.knob, one.value)}: {word}{' (measured before)' if one.cached else ''}"
    if (timing := one.timing) is not None:
        yield (
            f"  time      {timing.ratio:.3f}x [{timing.low:.3f}, {timing.high:.3f}], "
            f"{timing.pairs} pairs, {timing.plain_seconds * 1000:.2f} ms a step"
        )
    numerics = one.numerics
    if numerics.compared:
        yield (
            f"  numerics  {numerics.gate.value}, {numerics.compared}/{numerics.total} parameters: "
            f"loss {numerics.loss:.1e},"
        )
        yield f"            gradients {numerics.gradient:.1e}, update {numerics.update:.1e}"
    if one.reason != word:
        yield from _filled("  reason    ", one.reason)


def _named(knob: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{knob}={','.join(name for name, on in value.items() if on)}"
    return knob if value is True else f"{knob}={value}"


def _filled(lead: str, text: str) -> list[str]:
    return textwrap.wrap(text, 80, initial_indent=lead, subsequent_indent=" " * min(len(lead), 12))
