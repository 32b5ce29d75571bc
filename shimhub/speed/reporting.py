"""What was detected, what was decided and why, and every flag before, after and restored."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from shimhub.speed.config import SpeedConfig
from shimhub.speed.deciding import plan_of
from shimhub.speed.hardware import detect
from shimhub.speed.model import Hardware, Plan

_WIDTH = 80
#: What ``report`` applies where no configuration is named.
AUTO: Mapping[str, Any] = {"precision": "auto", "compile": {"enabled": "auto"}}
#: Stands for a flag that cannot be read, since torch's old and new names of it were mixed.
_UNREADABLE = "cannot be read"


@dataclass(frozen=True)
class Flag:
    """One setting of the process: as it was, after applying, and after restoring.

    ``after`` and ``restored`` are None where nothing was applied or restored.
    """

    knob: str
    name: str
    before: str
    after: str | None = None
    restored: str | None = None

    @property
    def is_back(self) -> bool:
        """Whether restoring brought back what was there; true where nothing was restored."""
        return self.restored is None or self.restored == self.before


@dataclass(frozen=True)
class Report:
    """A plan and the flags of the process; ``code`` is 1 where one did not come back."""

    plan: Plan
    flags: tuple[Flag, ...] = ()

    @property
    def code(self) -> int:
        """Return the exit code of a command that printed this."""
        return 0 if all(one.is_back for one in self.flags) else 1


def examine(
    config: SpeedConfig | None = None, *, apply: bool = False, restore: bool = False
) -> Report:
    """Return the plan of a configuration and the flags here; ``apply`` sets those of this process.

    What acts on a model, an optimizer or generators of random numbers is planned and not applied:
    there is none here. Without ``restore`` what was applied stays. Raises KnobError for a knob
    that was asked for and cannot be applied, with all of them as they were.
    """
    chosen = _auto() if config is None else config
    plan = plan_of(chosen, detect(chosen.device or "auto"))
    before = _read()
    if not apply:
        return Report(plan, tuple(_flags(before)))
    from torch import nn

    from shimhub.speed import apply_plan

    _, ctx = apply_plan(nn.Identity(), _of_the_process(plan))
    after = _read()
    if restore:
        ctx.restore()
    return Report(plan, tuple(_flags(before, after, _read() if restore else None)))


def _auto() -> SpeedConfig:
    """Return what is examined where nothing is asked for, but by SPEEDKIT_* variables."""
    return SpeedConfig.from_dict({**AUTO, **SpeedConfig.from_dict({}).to_dict()})


def _of_the_process(plan: Plan) -> Plan:
    """Return the plan without what acts on something else than flags of the process."""
    from shimhub.speed.knobs import KNOBS

    flags = [name for name, knob in KNOBS.items() if knob.scope == "process"]
    return replace(plan, decisions=tuple(one for one in plan.decisions if one.knob in flags))


def _read() -> dict[tuple[str, str], str]:
    """Return every setting of every knob of the process, by knob and name."""
    from shimhub.speed.knobs import KNOBS
    from shimhub.speed.model import Targets

    process = [knob for knob in KNOBS.values() if knob.scope == "process"]
    return {
        (knob.id, name): _shown(value)
        for knob in process
        for name, value in knob.read(Targets()).items()
    }


def _shown(value: Any) -> str:
    return _UNREADABLE if isinstance(value, BaseException) else str(value)


def _flags(
    before: Mapping[tuple[str, str], str],
    after: Mapping[tuple[str, str], str] | None = None,
    restored: Mapping[tuple[str, str], str] | None = None,
) -> Iterator[Flag]:
    for (knob, name), value in before.items():
        rest = [None if one is None else one[knob, name] for one in (after, restored)]
        yield Flag(knob, name, value, *rest)


def data_of(report: Report) -> dict[str, Any]:
    """Return the report as JSON takes it."""
    return {
        "hardware": hardware_data(report.plan.hardware),
        "decisions": [_decision(one) for one in report.plan.decisions],
        "trace": list(report.plan.trace),
        "flags": [asdict(one) for one in report.flags],
    }


def hardware_data(hardware: Hardware) -> dict[str, Any]:
    """Return a device as JSON takes it."""
    return asdict(hardware) | {"features": sorted(hardware.features)}


def _decision(decision: Any) -> dict[str, Any]:
    value = decision.value
    is_plain = value is None or isinstance(value, (bool, int, str))
    told = value if is_plain else asdict(value) if hasattr(value, "__dataclass_fields__") else value
    return {**vars(decision), "action": decision.action.value, "value": told}


def lines_of(report: Report) -> list[str]:
    """Return the report as text of 80 columns."""
    lines = [*hardware_lines(report.plan.hardware), "", "Decided:"]
    size = max(len(one.knob) for one in report.plan.decisions)
    for one in report.plan.decisions:
        lead = f"  {one.knob:<{size}}  "
        told = f"{one.action.value}{_value(one.value)}: {one.reason}"
        lines += _filled(lead, told)
    lines += ["", "Why:", *(line for one in report.plan.trace for line in _filled("  ", one))]
    return [*lines, "", *_flag_lines(report.flags)] if report.flags else lines


def _value(value: Any) -> str:
    return f" {value}" if isinstance(value, (bool, int, str)) and value != "" else ""


def hardware_lines(found: Hardware) -> list[str]:
    """Return a device as text of 80 columns."""
    sm = "{}.{}".format(*found.capability) if found.capability else "none"
    count = f" ({found.count} of them)" if found.count > 1 else ""
    told = {
        "System": found.system,
        "torch": f"{found.torch}, {found.threads} threads",
        "Device": f"{found.kind}: {found.name}{count}",
        "Capability": sm,
        "Features": ", ".join(sorted(found.features)) or "none",
    }
    return [line for name, text in told.items() for line in _filled(f"{name + ':':<12}", text)]


def _flag_lines(flags: Iterable[Flag]) -> list[str]:
    rows = [("Flag", "before", "after", "restored")]
    rows += [(f.name, f.before, f.after or "-", f.restored or "-") for f in flags]
    sizes = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join(map(str.ljust, row, sizes)).rstrip() for row in rows]


def _filled(lead: str, text: str) -> list[str]:
    wrapper = textwrap.TextWrapper(_WIDTH, lead, " " * len(lead), break_long_words=False)
    wrapper.break_on_hyphens = False
    return wrapper.wrap(text) or [lead.rstrip()]
