"""What the output of a command says: the figures of a training, the error that ended it."""

from __future__ import annotations

import json
import re
from typing import Any

_STEP = re.compile(r"step: *(\d+) +loss: +(-?\d+\.\d+|nan|inf) +grad_norm: +(\d+\.\d+|nan|inf)")
_ERROR = re.compile(r"((?:\w+\.)*[A-Z]\w*(?:Error|Exception|Exit))(?:: *(.*))?$")
_RANK = re.compile(r"^\[rank\d+\]: ?", re.MULTILINE)  # torch's excepthook writes it
_NO_MODULE = re.compile(r".*: Error while finding module specification for .* \((.*)\)$")  # -m
#: torchrun's own, raised because a rank has failed: never the reason.
_CONSEQUENCES = ("ChildFailedError", "SignalException", "SystemExit")
_PATHS = re.compile(r" ?\((?:/[^\s()]+)+\)|(?<![\w./:])(?:/[\w.+-]+){2,}/")

Figures = dict[int, tuple[float, float]]


def figures(output: str) -> Figures:
    """Return loss and gradient norm of each step; without ranks that have no loss (-1).

    Raises ValueError where two ranks print different figures for one step.
    """
    found: Figures = {}
    for step, loss, norm in _STEP.findall(output):
        if loss.startswith("-"):
            continue
        figure = float(loss), float(norm)
        if found.setdefault(int(step), figure) != figure:
            raise ValueError(f"step {step}: one rank has {found[int(step)]}, another {figure}")
    return found


def error(output: str) -> str | None:
    """Return what ended a process, ``Type: message`` without folders; None if nothing did.

    The last error of the first chain of tracebacks: what follows came of it.
    """
    found: str | None = None
    for line in _RANK.sub("", output).splitlines():
        matched = _ERROR.match(line)
        if matched and not matched[1].endswith(_CONSEQUENCES):
            kind = matched[1].rpartition(".")[2]
            found = without_folders(f"{kind}: {matched[2]}" if matched[2] else kind)
        elif absent := _NO_MODULE.match(line):
            found = absent[1]
        elif found and line.strip() and not _goes_on(line):
            return found
    return found


def _goes_on(line: str) -> bool:
    """Whether a line after an error belongs to the chain that goes on below it."""
    return line.startswith((" ", "Traceback", "During handling of", "The above exception was"))


def without_folders(text: str) -> str:
    """Return the text without the folders of this machine."""
    return _PATHS.sub("", text).strip()


def last_json(output: str) -> Any:
    """Return the JSON object of the last line that holds one.

    Raises ValueError where no line does.
    """
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    raise ValueError("the output has no line with a JSON object")


def third_party(failed: dict[str, list[str | None] | None], own: tuple[str, ...]) -> dict[str, str]:
    """Return module name to missing package, for the failures that a missing package explains."""
    found = {}
    for name, what in failed.items():
        package = (what[2] or "").partition(".")[0] if what else ""
        if package and package not in own:
            found[name] = package
    return found
