"""What near duplicates are, and how they are found: checked once, plain JSON after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shimhub.data.errors import DataError

_SEEDS: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class NearOptions:
    """What near duplicates are, and how they are found.

    Two texts are similar if the Jaccard similarity of their sets of shingles, runs of ``ngram``
    words or characters (``unit``), is ``threshold`` or more. A pair of similarity J is a candidate
    with probability 1 - (1 - J^rows)^bands (Leskovec, Rajaraman and Ullman, Mining of Massive
    Datasets, 3.4): 0.990 at 0.7 and 0.99995 at 0.8 with 25 bands of 5 rows. ``verify`` compares
    the candidates' sets; without it all texts that share a band count as similar.

    In a band, texts are compared with the first one, and with those up to ``window`` places on;
    what buckets of more than ``window`` + 2 texts leave out is counted (``DedupReport.buckets``).
    """

    ngram: int = 5
    unit: str = "word"
    bands: int = 25
    rows: int = 5
    seed: int = 1
    threshold: float = 0.7
    verify: bool = True
    window: int = 32

    def __post_init__(self) -> None:
        """Raise ``DataError`` for what is out of its range."""
        if self.unit not in ("word", "char"):
            raise DataError(f"unit: {self.unit!r}, want 'word' or 'char'")
        if not 0 < self.threshold <= 1:
            raise DataError(f"threshold: {self.threshold}, want more than 0 and at most 1")
        for name, low, high in _RANGES:
            if not low <= getattr(self, name) <= high:
                raise DataError(f"{name}: {getattr(self, name)}, want {low} to {high}")


_RANGES: Final = (
    ("ngram", 1, 256),
    ("bands", 1, 1024),
    ("rows", 1, 64),
    ("seed", 0, _SEEDS - 1),
    ("window", 0, 1024),
)
