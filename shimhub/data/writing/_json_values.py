"""Values of data as JSON can hold them, the same in each run."""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Return the value in what JSON has.

    Dates and times are ISO 8601, decimals their digits, durations seconds as digits, bytes base64,
    and the floats that JSON has no word for "NaN", "Infinity" and "-Infinity".
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _word(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return _text(value)


def _word(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _text(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dt.timedelta):
        return format(value / dt.timedelta(seconds=1), "f")
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
