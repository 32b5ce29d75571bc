"""Training made faster, measured on the user's own step, and undone exactly.

torch is imported by what needs it, not by this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shimhub import _later
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

if TYPE_CHECKING:
    from shimhub.speed.config import SpeedConfig
    from shimhub.speed.deciding import plan_of
    from shimhub.speed.hardware import detect
    from shimhub.speed.knobs import KNOBS
    from shimhub.speed.knobs.applying import apply_plan, apply_speedups
    from shimhub.speed.knobs.context import SpeedContext
    from shimhub.speed.knobs.loader import Advice, advise
    from shimhub.speed.measuring import Report, measure
    from shimhub.speed.numerics import NumericsGate
    from shimhub.speed.state import TrainingState
    from shimhub.speed.timing import PairTest, compare

__all__ = [
    "KNOBS",
    "Action",
    "Advice",
    "Decision",
    "DeviceError",
    "Gate",
    "Hardware",
    "KnobError",
    "MeasureError",
    "Measured",
    "Numerics",
    "NumericsGate",
    "NumericsResult",
    "PairTest",
    "Plan",
    "Report",
    "SpeedConfig",
    "SpeedConfigError",
    "SpeedContext",
    "SpeedError",
    "Timing",
    "TrainingState",
    "Verdict",
    "advise",
    "apply_plan",
    "apply_speedups",
    "compare",
    "detect",
    "measure",
    "plan_of",
]

#: Public names by the module that has them; imported at first use.
_MODULES: Final = {
    "config": "SpeedConfig",
    "deciding": "plan_of",
    "hardware": "detect",
    "knobs": "KNOBS",
    "knobs.applying": "apply_plan apply_speedups",
    "knobs.context": "SpeedContext",
    "knobs.loader": "Advice advise",
    "measuring": "Report measure",
    "numerics": "NumericsGate",
    "state": "TrainingState",
    "timing": "PairTest compare",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = _later.attributes(globals(), _MODULES)
