"""`torch.distributed.set_timeout` against what its 2.14 documentation promises."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

GLOO = """
import datetime, inspect, pickle
import torch, torch.distributed as dist
dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
default = dist.distributed_c10d._get_default_group()
other = dist.new_group([0])
timeout = lambda group: group._get_backend(torch.device("cpu")).options._timeout.total_seconds()
dist.set_timeout(datetime.timedelta(seconds=7))
dist.set_timeout(datetime.timedelta(seconds=9), other)
print(timeout(default), timeout(other))
dist.all_reduce(torch.ones(1))
print(list(inspect.signature(dist.set_timeout).parameters))
print(pickle.loads(pickle.dumps(dist.set_timeout)) is dist.set_timeout)
for wrong in (dist.GroupMember.NON_GROUP_MEMBER, "group"):
    try:
        dist.set_timeout(datetime.timedelta(seconds=7), wrong)
    except (ValueError, AssertionError, TypeError) as error:
        print(type(error).__name__)
dist.destroy_process_group()
"""
FAKE = """
import datetime, warnings
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore
dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    dist.set_timeout(datetime.timedelta(seconds=7))
print(len(told), told[0].category.__name__, told[0].message)
"""

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")


def _run(code: str) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_gloo_groups_take_the_timeout() -> None:
    """The default group and a given one are set each by itself; strangers raise as in 2.14."""
    expected = ["7.0 9.0", "['timeout', 'group']", "True", "ValueError", "AssertionError"]
    assert expected == _run(GLOO).splitlines()


def test_backend_that_cannot_change_warns_once() -> None:
    """A backend without adjustable timeout is told by one warning with its name."""
    expected = "1 UserWarning Backend fake does not support setting timeout; left unchanged\n"
    assert expected == _run(FAKE)
