"""The replacement is proved beside the axolotl that is here, and in place."""

from __future__ import annotations

import shimhub
from tests.axolotl import support

support.require(">=0.7,<0.12")


def test_it_is_proved_and_in_place():
    """Its cases found no difference from the original."""
    support.load("axolotl.utils.data.utils")
    with support.packed("axolotl/rows/drop_long"):
        found = shimhub.status()["axolotl/rows/drop_long"]
    assert found.status is shimhub.Status.APPLIED, found
    assert "equal to the original" in found.evidence["proof"]
