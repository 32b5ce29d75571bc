"""Run one of CPython's test modules by its own regrtest, and write down every single result.

usage: cpython_driver.py OUT ARGUMENT-OF-REGRTEST...

Runs in the interpreter under test, whichever it is. ``python -m test --junit-xml`` would keep no
subtests and no reasons, so the result class that regrtest uses is made to tell us as well.
``OUT`` gets one JSON value a line: what was active at first, each result, what was at the end.
"""

from __future__ import annotations

import json
import os
import sys

FINDER = "shimhub.finder"
#: What ``sys.audit`` says when a test starts; cpython_witness.py listens.
EVENT = "conformance.test"


def is_hooked() -> bool:
    """Whether a finder of ours stands on ``sys.meta_path``."""
    return any(type(one).__module__ == FINDER for one in sys.meta_path)


def activity() -> dict[str, bool]:
    """Tell what of shimhub is in this process, without importing any of it."""
    return {"finder": is_hooked(), "hub": "shimhub.hub" in sys.modules}


class Recorder:
    """Writes events of tests to a file that no test knows of."""

    def __init__(self, path: str) -> None:
        self._out = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115  # until the end
        self.started = 0
        self.hooked = 0

    def write(self, **event: object) -> None:
        """Write one line."""
        self._out.write(json.dumps(event) + "\n")

    def start(self, test: object) -> None:
        """Note that a test starts, and whether our finder is there for it."""
        self.started += 1
        self.hooked += is_hooked()
        sys.audit(EVENT, id_of(test))

    def result(self, test: object, outcome: str, detail: str = "") -> None:
        """Note one result."""
        self.write(id=id_of(test), outcome=outcome, detail=detail)


def id_of(test: object) -> str:
    """Return the id of a test, or what stands for it: a failed setUpClass has an id as well."""
    named = getattr(test, "id", None)
    return str(named()) if callable(named) else str(test)


def name_of(error: object) -> str:
    """Return the name of the class of an exc_info."""
    kind = error[0]  # type: ignore[index]
    return getattr(kind, "__name__", str(kind))


def listen(kind: type, recorder: Recorder) -> None:
    """Let result class ``kind`` tell ``recorder`` what it is told."""

    def also(name: str, note: object) -> None:
        original = getattr(kind, name)

        def method(self, test, *rest):
            note(test, *rest)
            return original(self, test, *rest)

        setattr(kind, name, method)

    def subtest(_test, part, error):
        outcome, detail = "pass", ""
        if error is not None:
            is_failure = issubclass(error[0], part.failureException)
            outcome, detail = "fail" if is_failure else "error", name_of(error)
        recorder.result(part, outcome, detail)

    also("startTest", recorder.start)
    also("addSuccess", lambda test: recorder.result(test, "pass"))
    also("addFailure", lambda test, error: recorder.result(test, "fail", name_of(error)))
    also("addError", lambda test, error: recorder.result(test, "error", name_of(error)))
    also("addSkip", lambda test, reason: recorder.result(test, "skip", reason))
    also(
        "addExpectedFailure",
        lambda test, error: recorder.result(test, "expected failure", name_of(error)),
    )
    also("addUnexpectedSuccess", lambda test: recorder.result(test, "unexpected success"))
    also("addSubTest", subtest)


def result_class() -> type:
    """Return the result class of this interpreter's regrtest."""
    try:
        from test.libregrtest.testresult import RegressionTestResult  # 3.11.7 and later
    except ImportError:
        from test.support.testresult import RegressionTestResult
    return RegressionTestResult


def proof() -> dict[str, object]:
    """Ask shimhub itself; only now, as the question imports the hub."""
    try:
        import shimhub
    except ImportError as error:
        return {"shimhub": f"not installed: {error}", "canary": False, "rows": 0}
    verdicts = shimhub.status()
    return {
        "shimhub": shimhub.__version__,
        "canary": verdicts.active,
        "rows": len(verdicts),
        "applied": sum(one.status == "APPLIED" for one in verdicts),
    }


def run_regrtest(arguments: list[str]) -> int:
    """Be ``python -m test ARGUMENTS`` from here on; return its exit status."""
    sys.argv = ["test", *arguments]
    sys.path[0] = os.getcwd()
    from test.libregrtest.main import main as regrtest

    try:
        regrtest()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def main() -> int:
    """Run, with the results in the file that is the first argument."""
    first = activity()
    path, *arguments = sys.argv[1:]
    recorder = Recorder(path)
    recorder.write(begin=first, version=sys.version)
    listen(result_class(), recorder)
    status = run_regrtest(arguments)
    last = {**activity(), "started": recorder.started, "hooked": recorder.hooked}
    recorder.write(end=last, status=status, **proof())
    return 0


if __name__ == "__main__":
    sys.exit(main())
