"""The replacement is proved beside the axolotl that is here, and in place."""

from __future__ import annotations

import shimhub
from tests.axolotl import support

support.require(">=0.5.2,<0.20")


def test_it_is_proved_and_in_place():
    """Its cases found no difference from the original."""
    support.load("axolotl.utils.trainer")
    with support.packed("axolotl/rows/pretraining"):
        found = shimhub.status()["axolotl/rows/pretraining"]
    assert found.status is shimhub.Status.APPLIED, found
    assert "equal to the original" in found.evidence["proof"]
