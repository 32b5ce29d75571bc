"""Any order of imports and installs: axolotl is importable, shimmed when installed, else itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.axolotl.served import HIDE, REPOSITORY, write_package

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks for each order")

EXAMPLES = int(os.environ.get("SHIMHUB_EXAMPLES", "50"))
DRIVER = Path(__file__).with_name("served_orders.py")
MODULES = (
    "fast_axolotl",
    "axolotl",
    "axolotl.utils.data",
    "axolotl.utils.data.utils",
    "axolotl.utils.collators",
    "axolotl.utils.collators.batching",
    "axolotl.cli.train",
    "axolotl.rust_ext.axolotl_ext",
    "axolotl.utils.data.rust_streaming",
)
STEPS = st.one_of(
    st.sampled_from(MODULES).map("load {}".format),
    st.sampled_from(["hub_install", "hub_uninstall", "install", "uninstall"]),
    st.sampled_from(["streaming", "hashing", "collators"]).map("select {}".format),
)
ORDERS = st.lists(STEPS, min_size=1, max_size=12)


class Driver:
    """A process that tries orders, each in a fork of it."""

    def __init__(self, folder: Path, *, with_axolotl: bool) -> None:
        site = write_package(folder / "site") if with_axolotl else folder
        (folder / "shim.py").write_text(
            "def build(original, ctx):\n"
            "    def replaceable(number):\n"
            "        return original(number)\n"
            "    return replaceable\n"
        )
        (folder / "registry.toml").write_text(
            'schema = 1\n[[shim]]\nid = "axolotl/dedup/fake"\naction = "replace"\nwhy = "w"\n'
            'attach = "axolotl.utils.data.utils:replaceable"\nsource = "shim.py"\n'
        )
        hidden = ["fast_axolotl"] if with_axolotl else ["fast_axolotl", "axolotl"]
        code = "".join(HIDE.format(name=name) for name in hidden)
        code += f"import runpy; runpy.run_path({str(DRIVER)!r}, run_name='__main__')"
        clean = {key: value for key, value in os.environ.items() if "SHIMHUB" not in key}
        inherited = os.environ.get("PYTHONPATH", "")
        path = os.pathsep.join(filter(None, [str(site), str(REPOSITORY), inherited]))
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code],
            env=clean | {"PYTHONPATH": path, "SHIMHUB_REGISTRY": str(folder / "registry.toml")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, steps: list[str]) -> str:
        """Return what did not hold in this order of steps; empty where all did."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(steps) + "\n")
        stdin.flush()
        found: str = json.loads(stdout.readline())
        return found

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


@pytest.fixture(scope="module", params=["with axolotl", "without"])
def driver(request, tmp_path_factory):
    """A driver with a package of axolotl's shape, and one without any."""
    folder = tmp_path_factory.mktemp("orders")
    made = Driver(folder, with_axolotl=request.param == "with axolotl")
    yield made
    made.close()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
@given(steps=ORDERS)
def test_any_order_holds(driver, steps):
    """After each step: real modules are real, ours are there exactly while they are on."""
    assert "" == driver.tell(steps)


@pytest.mark.parametrize(
    "steps",
    [
        ["hub_install", "load fast_axolotl", "load axolotl.utils.collators.batching"],
        ["load axolotl.utils.data", "hub_install", "load fast_axolotl", "uninstall", "install"],
        ["hub_install", "load fast_axolotl", "load axolotl", "hub_uninstall", "install"],
        ["hub_install", "load fast_axolotl", "hub_uninstall", "load fast_axolotl"],
        ["hub_install", "load fast_axolotl", "hub_install", "select hashing", "uninstall"],
    ],
)
def test_known_orders_hold(driver, steps):
    """Orders of the documentation, and of what is undone by another than did it."""
    assert "" == driver.tell(steps)


def test_the_driver_tells_what_does_not_hold(driver):
    """It is no proof by silence: a step that must fail is told, with the steps before it."""
    told = driver.tell(["hub_install", "no_such_step"])
    assert "['hub_install', 'no_such_step']" in told
