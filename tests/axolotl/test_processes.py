"""The pack is on in map workers, data loader workers and ranks: records prove it.

Each child calls a function of axolotl and fails where it is not replaced; `shimhub report` then
has a record of each of them, with the shim in place.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.axolotl import support

support.require()

pytestmark = pytest.mark.slow

PROGRAM = str(Path(__file__).parent / "processes.py")
SHIM = "axolotl/collators/seq2seq"


def variables():
    """Return the variables of a process that sees the same axolotl, offline and on CPU."""
    own = {**support.OFFLINE, "OMP_NUM_THREADS": "1"}
    return {**own, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}


def reported(lab, *program):
    """Run a program by `run --only axolotl`; return the processes it names, and the report."""
    told = {**variables(), "SHIMHUB_RUN_DIR": str(lab.root / "records")}
    (lab.root / "records").mkdir()
    done = lab.cli("run", "--only", "axolotl", *program, **told)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("processes ")]
    found = {int(word) for line in lines for word in line[1:]}
    report = lab.cli("report", told["SHIMHUB_RUN_DIR"], "--format", "json", check=False, **told)
    return found, json.loads(report.stdout)


def check(found, report, count):
    """Each of the processes has a record, active, and with the collator replaced."""
    assert count == len(found)
    records = {one["pid"]: one for one in report["processes"]}
    assert found <= records.keys()
    assert {"APPLIED"} == {records[pid]["shims"][SHIM][0] for pid in found}
    assert [] == report["findings"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("what", ["map", "loader"])
def test_workers_call_the_replacement(lab, what, method):
    """`datasets.map(num_proc=2)` and two data loader workers, forked and spawned."""
    check(*reported(lab, PROGRAM, what, method), 2)


def test_ranks_of_accelerate_call_the_replacement(lab):
    """`accelerate launch` of two ranks, which meet over gloo; `--cpu` would start one."""
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    more = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    port = ["--main_process_port", "0"]
    check(*reported(lab, *launch, *more, *port, PROGRAM, "rank"), 2)
