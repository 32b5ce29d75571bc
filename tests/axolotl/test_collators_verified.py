"""SHIMHUB_VERIFY beside the collators: batches, and what became of the features, are compared."""

from __future__ import annotations

import runpy
from pathlib import Path

import shimhub
from tests.axolotl import support

support.require()

CASES = Path(__file__).parents[2] / "shims" / "axolotl" / "_cases.py"


def test_batches_are_verified(monkeypatch):
    """Each call is: a BatchEncoding is not taken for something that cannot be compared."""
    monkeypatch.setenv("SHIMHUB_VERIFY", "1")
    cases = runpy.run_path(str(CASES))
    with support.packed("axolotl/collators/*"):
        batching = support.load("axolotl.utils.collators.batching")
        kinds = (batching.DataCollatorForSeq2Seq, batching.V2BatchSamplerDataCollatorForSeq2Seq)
        for kind in kinds:
            kind(cases["tokenizer"]())(cases["batch"](3, 5))
        for name in ("seq2seq", "packed_v2"):
            told = shimhub.stats()[f"axolotl/collators/{name}"]
            assert (told.verified, told.mismatches, told.unverifiable) == (1, {}, {})
