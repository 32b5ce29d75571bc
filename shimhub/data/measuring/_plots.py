"""A picture of packing: how long rows were, and how full packed rows are."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shimhub.data.errors import DataError, JobError
from shimhub.data.writing._files import replacing

if TYPE_CHECKING:
    from shimhub.data.measuring._packs import Tally
    from shimhub.data.measuring._sketches import Lengths

_BARS: Final = 50
_CURE: Final = "a picture needs matplotlib: pip install 'shimhub[plots]', or matplotlib alone"
#: Formats, and what they tell that is not the same each time.
_DATES: Final = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}
_BLUE, _GREEN, _GREY = "#3b6fb6", "#3f9b5b", "#8a8f98"


def check(path: str) -> None:
    """Refuse what could not be drawn in the end.

    Raises:
        DataError: the name does not end in a format of pictures.
        ModuleNotFoundError: matplotlib is not there.
    """
    if _kind(path) not in _DATES:
        raise DataError(f"{path}: a picture's name ends in .{', .'.join(_DATES)}")
    try:
        import matplotlib as mpl  # noqa: F401 - whether it is there
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ModuleNotFoundError(_CURE, name="matplotlib") from error


def _kind(path: str) -> str:
    return os.path.splitext(path)[1].lstrip(".").lower()


def draw(tally: Tally, length: int, path: str, *, replace: bool) -> None:
    """Write the picture, the same bytes each time; one that is there and differs needs ``replace``.

    Raises:
        JobError: another file is there.
    """
    made = _drawn(tally, length, _kind(path))
    if not replace and os.path.lexists(path):
        if Path(path).read_bytes() == made:
            return
        raise JobError(f"{path} is there already: overwrite=True replaces it")
    with replacing(path) as file:
        file.write(made)


def _drawn(tally: Tally, length: int, kind: str) -> bytes:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    before, after = figure.subplots(1, 2)
    _lengths(before, tally.lengths, length)
    _fills(after, tally, length)
    made = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "shimhub"}):
        figure.savefig(made, dpi=120, format=kind, metadata={_DATES[kind]: None})
    return made.getvalue()


def _lengths(axes: Any, lengths: Lengths, length: int) -> None:
    top = max(lengths.most or 0, 1)
    _bars(axes, lengths, top, _BLUE)
    if top > length / 2:
        axes.axvline(length, color=_GREY, linestyle="--", linewidth=1)
        axes.annotate(
            f" length {length:,}",
            (length, 0.97),
            xycoords=("data", "axes fraction"),
            color=_GREY,
            va="top",
            ha="left" if length < top * 0.7 else "right",
        )
    mean = lengths.mean or 0
    axes.set_title(f"before: {lengths.count:,} rows of {mean:,.0f} tokens on average")
    axes.set_xlabel("tokens in a row")


def _fills(axes: Any, tally: Tally, length: int) -> None:
    _bars(axes, tally.fills, length, _GREEN, scale=100 / length)
    fill = 100 * tally.tokens / (tally.bins * length) if tally.bins else 0
    axes.set_title(f"after: {tally.bins:,} packed rows, {fill:.2f} % full")
    axes.set_xlabel(f"% of {length:,} tokens in a packed row")
    axes.set_xlim(0, 100)


def _bars(axes: Any, lengths: Lengths, top: int, color: str, scale: float = 1) -> None:
    steps = np.array(sorted(lengths.counts), np.float64)
    counts = [lengths.counts[int(step)] for step in steps]
    edges = np.linspace(0, top, min(_BARS, top) + 1) if top > 1 else np.array([0.0, 1.0])
    heights, _ = np.histogram(steps, edges, weights=counts)
    axes.bar(edges[:-1] * scale, heights, np.diff(edges) * scale, align="edge", color=color)
    axes.set_ylabel("rows")
    axes.set_xlim(0, top * scale)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_formatter(_plain_number)
    axes.yaxis.set_major_formatter(_plain_number)
    axes.locator_params(integer=True)


def _plain_number(value: float, _: int | None) -> str:
    return f"{value:,.0f}"
