"""One picture for each area: how many times as long as ours each call takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tests.bench.kernels.areas import AREAS
from tests.bench.kernels.bars import AtLeast
from tests.bench.kernels.linalg import row_of
from tests.bench.kernels.report import OURS, base_of, duration, low
from tests.bench.kernels.required import REQUIRED

_OURS_STYLE = {"facecolor": "#0b5394", "edgecolor": "white", "hatch": "//"}
_THEIRS_STYLE = {"facecolor": "#b7b7b7", "edgecolor": "white"}
#: To the right of bar and diamond; the line at 1 x must not cross the text.
_LABEL: dict[str, Any] = {
    "xytext": (6, 0),
    "textcoords": "offset points",
    "va": "center",
    "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.5},
}
_DIAMOND = {"marker": "D", "color": "black", "markersize": 4, "linestyle": "none"}
_LINE_STYLES = {
    OURS: {"marker": "o", "linestyle": "-", "color": "#0b5394", "linewidth": 2.2},
    "numpy": {"marker": "s", "linestyle": "--", "color": "#7f7f7f", "linewidth": 1.2},
    "torch.mm": {"marker": "^", "linestyle": ":", "color": "#000000", "linewidth": 1.2},
}


def draw(name: str, found: Mapping[str, Any], file: Path) -> None:
    """Draw the area's picture into ``file``, a PNG."""
    with mpl.rc_context({"font.size": 9, "hatch.linewidth": 0.6}):
        figure = _lines(found) if name == "linalg" else bars(found, _required_of(name))
        figure.suptitle(f"{AREAS[name].title}: CPU time, one thread", fontweight="bold")
        # Without the metadata, pictures of equal figures are equal files.
        figure.savefig(file, dpi=110, metadata={"Software": None})


def bars(
    found: Mapping[str, Any], required: Callable[[str, Mapping[str, Any]], dict[str, float]]
) -> Figure:
    """Return a panel of horizontal bars for each row; ours hatched and with bold names."""
    counts = [len(_measured(row)) for row in found.values()]
    inches = sum(counts) * 0.27 + len(counts) * 0.9 + 0.8
    figure = Figure(figsize=(10, inches), layout="constrained")
    panels = figure.subplots(len(counts), squeeze=False, height_ratios=[n + 1.2 for n in counts])
    for panel, (id_, row) in zip(panels[:, 0], found.items(), strict=True):
        _panel(panel, row, required(id_, row))
    return figure


def _measured(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: low(call) for name, call in row["calls"].items() if "cpu" in call}


def _panel(panel: Any, row: Mapping[str, Any], required: Mapping[str, float]) -> None:
    times = _measured(row)
    base = base_of(row["calls"]) or min(times.values(), default=1.0)
    ratios = [time / base for time in times.values()]
    bars = panel.barh(range(len(ratios)), ratios, **_THEIRS_STYLE)
    panel.set_yticks(range(len(ratios)), list(times))
    panel.invert_yaxis()
    panel.set_title(row["title"], loc="left", fontsize=9)
    for place, (name, time) in enumerate(times.items()):
        if name.startswith(OURS):
            bars[place].set(**_OURS_STYLE)
            panel.get_yticklabels()[place].set_fontweight("bold")
        if name in required:
            panel.plot(required[name], place, **_DIAMOND)
            panel.set_xlabel("x ours; a diamond: what is required", fontsize=8)
        right = max(time / base, required.get(name, 0.0))
        panel.annotate(f"{time / base:.3g} x, {duration(time)}", (right, place), **_LABEL)
    _scale(panel, [*ratios, *required.values()])


def _required_of(area: str) -> Callable[[str, Mapping[str, Any]], dict[str, float]]:
    return lambda id_, row: _required(area, id_, row)


def _required(area: str, id_: str, row: Mapping[str, Any]) -> dict[str, float]:
    """Return rivals, and how far the bar of each must reach; the farthest, where several hold."""
    times = _measured(row)
    found: dict[str, float] = {}
    for bar in REQUIRED:
        of_row = isinstance(bar, AtLeast) and (bar.area, bar.row) == (area, id_)
        if of_row and bar.ours in times and bar.base in times:
            first = base_of(row["calls"]) or 1.0
            reach = bar.times * times[bar.ours] / first
            found[bar.base] = max(reach, found.get(bar.base, 0.0))
    return found


def _scale(panel: Any, ratios: list[float]) -> None:
    """Give the axis room for the labels, and a log scale where ratios span a decade."""
    least, most = min(ratios, default=1.0), max(ratios, default=1.0)
    if most / least > 10:
        panel.set_xscale("log")
        left = min(1.0, least) / 3
        panel.set_xlim(left, most * (most / left) ** 0.3)
    else:
        panel.set_xlim(0, most * 1.3)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} x"))
    panel.axvline(1, color="black", linewidth=0.8)
    panel.spines[["top", "right"]].set_visible(False)


def _lines(found: Mapping[str, Any]) -> Figure:
    """Return time over size of the products, and times of the best, for both precisions."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplots(2, 2, sharex="col")
    for column, dtype in zip(panels.T, ("float32", "float64"), strict=True):
        sizes = _sizes(found, dtype)
        rows = {size: _measured(found[row_of(size, dtype)]) for size in sizes}
        for name in _LINE_STYLES:
            _line(column, name, rows)
        column[0].set(title=f"{dtype} matmul, N x N", ylabel="time", yscale="log")
        column[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: duration(value)))
        column[1].set(xlabel="N", ylabel="x the fastest of the three", xscale="log")
        column[1].set_xticks(sizes, [str(one) for one in sizes], rotation=60)
        column[1].minorticks_off()
    panels[0, 0].legend()
    for panel in panels.ravel():
        panel.grid(visible=True, alpha=0.3)
    return figure


def _sizes(found: Mapping[str, Any], dtype: str) -> list[int]:
    words = (id_.split() for id_ in found)
    return [int(word[2]) for word in words if word[:2] == ["matmul", dtype]]


def _line(column: Any, name: str, rows: Mapping[int, Mapping[str, float]]) -> None:
    look = {"label": name, "markersize": 5, **_LINE_STYLES[name]}
    times = {size: row[name] for size, row in rows.items() if name in row}
    over = [
        time / min(rows[at].get(one, time) for one in _LINE_STYLES) for at, time in times.items()
    ]
    column[0].plot(list(times), list(times.values()), **look)
    column[1].plot(list(times), over, **look)
