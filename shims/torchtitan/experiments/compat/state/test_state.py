"""The finder of registered modules: asked last, in place once, and gone without a trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SHIM = Path(__file__).with_name("shim.py")
CODE = f"""
import importlib.util, runpy, sys, types
before = list(sys.meta_path)
undo = []
shim = runpy.run_path({str(SHIM)!r})
state = shim["build"](None, types.SimpleNamespace(on_revert=undo.append))
for name in ("own.part", "own", "json"):
    state.factories[name] = lambda name=name: types.ModuleType(name)
state.enter()
state.enter()
assert sys.meta_path == [*before, state]
assert importlib.util.find_spec("json").origin != "register_shim()"
assert importlib.util.find_spec("own.other") is None
import own, own.part, json
assert own.part is sys.modules["own.part"] and own.__path__ == []
assert own.part.__package__ == "own" and own.__loader__ is state and json.dumps(1) == "1"
own.kept, mine = own.part, sys.modules["own.part"]
sys.modules["own.part"] = "somebody else's"
undo[0]()
assert sys.meta_path == before and "own" not in sys.modules
assert sys.modules["own.part"] == "somebody else's" and json is sys.modules["json"]
assert not state.factories and not state.made
undo[0]()
print("ok")
"""


def test_asked_last_and_gone_without_a_trace() -> None:
    """Real modules win, a second entry changes nothing; leaving takes along what is still its."""
    told = subprocess.check_output([sys.executable, "-W", "error", "-c", CODE], text=True)
    assert "ok\n" == told
