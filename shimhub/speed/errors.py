"""What goes wrong with speed settings: which key or knob, and what to do."""

from __future__ import annotations

from shimhub.errors import ShimhubError


class SpeedError(ShimhubError):
    """Base of the errors about speed settings and their measurement."""


class SpeedConfigError(SpeedError, ValueError):
    """A configuration has keys or values that mean nothing; all of them are named at once."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)

    @property
    def problems(self) -> tuple[str, ...]:
        """One line for each mistake, beginning with its place."""
        return self.args

    def __str__(self) -> str:
        return "\n".join(self.args)


class DeviceError(SpeedError, RuntimeError):
    """A device that was asked for is not here."""


class KnobError(SpeedError, RuntimeError):
    """A knob that was asked for cannot be applied here; nothing of it is left behind."""


class MeasureError(SpeedError, RuntimeError):
    """A step cannot be measured: it does not run, or does not repeat from the same state."""
