"""A picture of the crossovers: torch's time over that of our kernels and numpy, by size."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shimhub.accel.errors import AccelError
from shimhub.accel.model import OPS
from shimhub.accel.table import Entry

#: Formats, and what they tell that is not the same each time.
_DATES: Final = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}
_CURE: Final = "a picture needs matplotlib: pip install 'shimhub[plots]', or matplotlib alone"
_COLUMNS: Final = 4
_STYLES: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("ndarray", "float32"): {"color": "#0b5394", "linestyle": "-", "marker": "o"},
    ("ndarray", "float64"): {"color": "#6fa8dc", "linestyle": "--", "marker": "o"},
    ("tensor", "float32"): {"color": "#a64d00", "linestyle": "-", "marker": "^"},
    ("tensor", "float64"): {"color": "#e69138", "linestyle": "--", "marker": "^"},
    ("list", "float64"): {"color": "#666666", "linestyle": ":", "marker": "s"},
}


class PlotError(AccelError, ValueError):
    """A picture that cannot be drawn, by its name."""


def check(path: str) -> None:
    """Refuse what could not be drawn in the end.

    Raises :class:`PlotError` for a name of no format, or in a folder that is none,
    ``ModuleNotFoundError`` without matplotlib.
    """
    if _format(path) not in _DATES:
        raise PlotError(f"{path}: a picture's name ends in .{', .'.join(_DATES)}")
    folder = os.path.dirname(path) or "."
    if not os.access(folder, os.W_OK | os.X_OK) or os.path.isdir(path):
        why = "is a folder" if os.path.isdir(path) else f"{folder} is no folder that can be written"
        raise PlotError(f"{path}: {why}")
    try:
        import matplotlib as mpl  # noqa: F401 - whether it is there
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ModuleNotFoundError(_CURE, name="matplotlib") from error


def draw(entries: Sequence[Entry], path: str) -> None:
    """Write a picture of entries: the same bytes for the same times."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    ops = [op for op in OPS if any(one.op == op and one.points for one in entries)]
    rows = max(math.ceil(len(ops) / _COLUMNS), 1)
    figure = Figure(figsize=(14, 2.7 * rows + 1), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
    for panel, op in zip(panels, [*ops, *[""] * (rows * _COLUMNS - len(ops))], strict=True):
        _panel(panel, op, [one for one in entries if one.op == op and one.points])
    figure.suptitle(
        "time by torch / time by our kernels and numpy; dotted: where torch begins, or ends"
    )
    handles = {line.get_label(): line for panel in figure.axes for line in panel.get_lines()}
    shown = [line for label, line in handles.items() if not str(label).startswith("_")]
    figure.legend(handles=shown, loc="outside lower center", ncols=len(_STYLES))
    made = io.BytesIO()
    form = _format(path)
    with mpl.rc_context({"svg.hashsalt": "shimhub"}):
        figure.savefig(made, dpi=100, format=form, metadata={_DATES[form]: None})
    Path(path).write_bytes(made.getvalue())


def _panel(panel: Any, op: str, entries: Sequence[Entry]) -> None:
    if not op:
        panel.axis("off")
        return
    for one in entries:
        style = _STYLES[one.kind, one.dtype]
        works = [point.work for point in one.points]
        ratios = [point.torch / point.pure for point in one.points]
        panel.plot(works, ratios, label=f"{one.kind}, {one.dtype}", markersize=3, **style)
        for size in (one.threshold, one.until):
            if 0 < size < math.inf:
                panel.axvline(size, color=style["color"], linewidth=1, linestyle=":")
    panel.axhline(1, color="black", linewidth=0.8)
    panel.set(xscale="log", yscale="log")
    panel.set_title(op, loc="left", fontsize=9)
    panel.set_xlabel("multiplications" if op in {"matmul", "linear"} else "elements", fontsize=8)


def _format(path: str) -> str:
    return os.path.splitext(path)[1].lstrip(".").lower()
