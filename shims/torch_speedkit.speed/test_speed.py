"""Contexts as functions, as the release has them."""

from __future__ import annotations

import pytest

from tests.speedkit.served import served


def test_functions_are_the_contexts_own() -> None:
    """On a CPU both do nothing with ``precision: auto``; bf16 is autocast to."""
    torch = pytest.importorskip("torch")
    with served("speed") as module:
        model = torch.nn.Linear(2, 2)
        for precision, dtype in (("auto", torch.float32), ("bf16", torch.bfloat16)):
            same, ctx = module.apply_speedups(model, {"precision": precision})
            with module.sdp_context(ctx), module.autocast_context(ctx):
                assert dtype == same(torch.ones(1, 2)).dtype
            ctx.restore()
            assert same is model
