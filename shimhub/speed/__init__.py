"""Training made faster, measured on the user's own step, and undone exactly.

torch is imported by what needs it, not by this package.
"""

from shimhub.speed.errors import (
    DeviceError,
    KnobError,
    MeasureError,
    SpeedConfigError,
    SpeedError,
)
from shimhub.speed.model import (
    Action,
    Decision,
    Gate,
    Hardware,
    Measured,
    Numerics,
    NumericsResult,
    Plan,
    Timing,
    Verdict,
)

__all__ = [
    "Action",
    "Decision",
    "DeviceError",
    "Gate",
    "Hardware",
    "KnobError",
    "MeasureError",
    "Measured",
    "Numerics",
    "NumericsResult",
    "Plan",
    "SpeedConfigError",
    "SpeedError",
    "Timing",
    "Verdict",
]
