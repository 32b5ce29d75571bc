"""The ways to start an interpreter that are measured: bare, with shimhub, with rivals.

Values of variables are templates: ``{root}`` is the lab, ``{site}`` and ``{rivals}`` are the
site-packages folders of its environments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.bench.rivals import TARGETS

_FINDERS = "import sys; found = {type(one).__module__ for one in sys.meta_path}; "
_OFF = _FINDERS + "assert 'shimhub.finder' not in found"
_ON = _FINDERS + f"assert {TARGETS[-1]!r} in sys.meta_path[0].names"
_RECORDED = (
    f"{_ON}; import os; mine = f'{{os.getpid()}}-'; "
    "assert any(one.startswith(mine) for one in os.listdir(os.environ['SHIMHUB_RUN_DIR']))"
)


@dataclass(frozen=True)
class Start:
    """One way to start: in which environment and folder, with which variables, running what.

    ``proof`` runs once behind ``code`` before anything is measured, and fails where the process
    is not what the case's name says.
    """

    code: str = "pass"
    venv: str = "bare"
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str = "plain"
    cold: bool = False
    proof: str = _OFF


_ROWS = {"SHIMHUB_REGISTRY": "{root}/rows.toml"}
_RECORD = {"SHIMHUB_RUN_DIR": "{root}/records"}
_TRUST = {"XDG_CONFIG_HOME": "{root}/config"}
_RUN = {"PYTHONPATH": "{site}/shimhub/activation/site", "SHIMHUB": "1"}
_NO_PROJECT = {"SHIMHUB_PROJECT": ""}
_TOLD_PROJECT = {"SHIMHUB_PROJECT": "{root}/project/pyproject.toml"}
_AUTO = "import shimhub.auto"

#: With shimhub installed, and nothing to do.
OFF = {
    "shimhub installed, off": Start(venv="shimhub"),
    "shimhub activated, SHIMHUB=0": Start(venv="activated", env={"SHIMHUB": "0"}),
    "shimhub under run, SHIMHUB=0": Start(venv="shimhub", env={**_RUN, **_ROWS, "SHIMHUB": "0"}),
}

#: By each way of activation, with 200 rows: of SHIMHUB_REGISTRY, or of a project that is trusted.
ACTIVE = {
    "shimhub by run": Start(
        venv="shimhub", env=_RUN | _ROWS | _NO_PROJECT | _RECORD, proof=_RECORDED
    ),
    "shimhub by run, no record": Start(venv="shimhub", env=_RUN | _ROWS | _NO_PROJECT, proof=_ON),
    "shimhub by run, trusted project": Start(
        venv="shimhub", env=_RUN | _TOLD_PROJECT | _TRUST | _RECORD, proof=_RECORDED
    ),
    "shimhub by .pth": Start(venv="activated", env=_ROWS, proof=_ON),
    "shimhub by .pth, with record": Start(venv="activated", env=_ROWS | _RECORD, proof=_RECORDED),
    "shimhub by .pth, trusted project": Start(
        venv="activated", env=_TRUST, folder="project", proof=_ON
    ),
    "shimhub by import": Start(_AUTO, "shimhub", _ROWS, proof=_RECORDED),
    "shimhub by import, SHIMHUB_RUN_DIR told": Start(
        _AUTO, "shimhub", _ROWS | _RECORD, proof=_RECORDED
    ),
    "shimhub by import, trusted project": Start(
        _AUTO, "shimhub", _TRUST, folder="project", proof=_RECORDED
    ),
}

_AUTOWRAPT_OFF = "import sys; assert 'autowrapt' in sys.modules and 'wrapt' not in sys.modules"
_AUTOWRAPT_ON = (
    "import sys; assert 'ImportHookFinder' in [type(one).__name__ for one in sys.meta_path]"
)
_OTEL = {
    "PYTHONPATH": "{rivals}/opentelemetry/instrumentation/auto_instrumentation",
    **{f"OTEL_{one}_EXPORTER": "none" for one in ("TRACES", "METRICS", "LOGS")},
}
_OTEL_ON = (
    "from opentelemetry import trace; "
    "assert 'opentelemetry.sdk.trace' == type(trace.get_tracer_provider()).__module__"
)
_QUIET = {"DD_INSTRUMENTATION_TELEMETRY_ENABLED": "0", "DD_REMOTE_CONFIGURATION_ENABLED": "0"}

BARE = {"bare python": Start(), "bare python again": Start(venv="twin")}

#: Start and nothing else.
LIGHT = {
    **BARE,
    **OFF,
    "autowrapt installed, off": Start(venv="autowrapt", proof=_AUTOWRAPT_OFF),
    **ACTIVE,
    "import importlib.util, threading": Start("import importlib.util, threading"),
}

#: Rivals that are active, beside the most that we cost. A further rival is a line here.
RIVALS = {
    **BARE,
    **{name: ACTIVE[name] for name in ("shimhub by run", "shimhub by import, trusted project")},
    "autowrapt, one hook": Start(
        venv="autowrapt", env={"AUTOWRAPT_BOOTSTRAP": "bench_hooks"}, proof=_AUTOWRAPT_ON
    ),
    "import wrapt": Start("import wrapt", "rivals"),
    "opentelemetry-instrument, no instrumentors": Start(venv="rivals", env=_OTEL, proof=_OTEL_ON),
    "import ddtrace.auto": Start("import ddtrace.auto", "rivals", _QUIET),
}

_ONE_TARGET = f"import sys; sys.path.append({{root!r}}); import {TARGETS[0]}"

#: What comes once, or with the first target.
HEAVY = {
    **BARE,
    "shimhub by run": ACTIVE["shimhub by run"],
    "shimhub by run, no compiled table": Start(
        venv="shimhub", env=_RUN | _ROWS | _NO_PROJECT, cold=True, proof=_ON
    ),
    "shimhub by run, first target imported": Start(
        _ONE_TARGET, "shimhub", _RUN | _ROWS | _NO_PROJECT, proof=_ON
    ),
}
