"""What goes wrong with speed settings: which key or knob, and what to do."""

from __future__ import annotations

from shimhub.errors import ShimhubError


class SpeedError(ShimhubError):
    """Base of the errors about speed settings and their measurement."""


class SpeedConfigError(SpeedError, ValueError):
    """A configuration has keys or values that mean nothing; all of them are named at once."""


class KnobError(SpeedError, RuntimeError):
    """A knob that was asked for cannot be applied here; nothing of it is left behind."""


class MeasureError(SpeedError, RuntimeError):
    """A step cannot be measured: it does not run, or does not repeat from the same state."""
