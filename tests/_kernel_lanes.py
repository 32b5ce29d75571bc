"""A fixture that runs a test on each lane of this machine. Imported by the tests of the kernels."""

from __future__ import annotations

import pytest

from shimhub.kernels import _loading


def lanes_here():
    """The masks of lanes to test: the portable one, and each that adds a wider one."""
    native = _loading.native()
    here = native.lib.shimhub_lanes_here() if native is not None else 0
    return [0, *(1 << lane for lane in range(5) if lane and here >> lane & 1)]


@pytest.fixture(params=lanes_here())
def each_lane(request):
    """Run the test on each lane; put back what was in use."""
    native = _loading.native()
    if native is None:
        yield
        return
    before = native.lib.shimhub_lanes()
    native.lib.shimhub_lanes_use(request.param)
    yield
    native.lib.shimhub_lanes_use(before)
