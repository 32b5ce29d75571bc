"""Settings that can be read, applied and restored exactly, one file each.

``KNOBS`` knows them all by name and imports a knob, and torch with it, when it is first asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from shimhub.errors import nearest

if TYPE_CHECKING:
    from shimhub.speed.model import Knob

__all__ = ["KNOBS"]

#: ``module:NAME`` of each knob, in the order in which they are applied: what a compiled model or
#: an optimizer looks at comes before them.
_HOMES: Final = {
    "deterministic": "cudnn:DETERMINISTIC",
    "cudnn_benchmark": "cudnn:CUDNN_BENCHMARK",
    "fp32_precision": "fp32:KNOB",
    "sdpa": "sdpa:KNOB",
    "channels_last": "memory_format:KNOB",
    "autocast": "autocasting:KNOB",
    "optimizer": "optimizer:KNOB",
    "compile": "compiling:KNOB",
}


class _Knobs(Mapping[str, "Knob"]):
    """The knobs by name; listing them imports none."""

    def __getitem__(self, name: str) -> Knob:
        """Return a knob. Raises KeyError with the nearest name where there is none."""
        if name not in _HOMES:
            raise KeyError(f"no knob {name!r}{nearest(str(name), _HOMES)}")
        module, _, attribute = _HOMES[name].partition(":")
        found: Knob = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        return found

    def __contains__(self, name: object) -> bool:
        return name in _HOMES

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


KNOBS: Final[Mapping[str, Knob]] = _Knobs()
