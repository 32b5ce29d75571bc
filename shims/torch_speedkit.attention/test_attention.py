"""The backends of attention, as flags."""

from __future__ import annotations

import pytest

from tests.speedkit.served import served


def test_one_backend_alone_and_none_at_all() -> None:
    """Within the context the others are off, and afterwards as before."""
    torch = pytest.importorskip("torch")
    with served("attention") as module:
        before = torch.backends.cuda.flash_sdp_enabled()
        with module.sdpa_backend_context(False, False, True, False):
            assert torch.backends.cuda.math_sdp_enabled()
            assert not torch.backends.cuda.flash_sdp_enabled()
        assert before == torch.backends.cuda.flash_sdp_enabled()
        with pytest.raises(ValueError, match="enable_math"):
            module.sdpa_backend_context(False, False, False, False)
