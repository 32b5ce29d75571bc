"""One picture for each area: how many times as long as ours each call takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

from tests.bench.kernels import plots


def draw(title: str, found: Mapping[str, Any], file: Path) -> None:
    """Draw the area's picture into ``file``, a PNG."""
    with mpl.rc_context({"font.size": 9, "hatch.linewidth": 0.6}):
        figure = plots.bars(found, lambda _id, _row: {})
        figure.suptitle(f"{title}: CPU time", fontweight="bold")
        figure.savefig(file, dpi=110, metadata={"Software": None})
