"""What goes wrong with choosing a backend: which name or value, and what to do."""

from __future__ import annotations

from shimhub.errors import ShimhubError


class AccelError(ShimhubError):
    """Base of the errors about modes, thresholds and backends."""


class ModeError(AccelError, ValueError):
    """A mode that does not exist."""


class ThresholdError(AccelError, ValueError):
    """A threshold of no operation and no group, or with a value that is no number >= 0."""


class ShapeError(AccelError, ValueError):
    """Shapes that do not go together; found before a backend sees them."""


class TorchMissingError(AccelError, ImportError):
    """torch was asked for and cannot be imported."""
