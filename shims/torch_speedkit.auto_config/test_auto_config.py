"""What is detected, as a dict."""

from __future__ import annotations

from tests.speedkit.served import served


def test_auto_is_resolved_in_a_copy() -> None:
    """The caller's dict stays as it is; on a CPU precision is fp32 and nothing is compiled."""
    import torch

    with served("auto_config") as module:
        told = {"precision": "auto", "compile": {"enabled": "auto"}}
        found = module.optimize_config(told)
        assert {"precision": "auto", "compile": {"enabled": "auto"}} == told
        known = module.get_device_capabilities()
        assert known["recommended_precision"] == found["precision"]
        if not torch.cuda.is_available():
            assert {"precision": "fp32", "compile": {"enabled": False}} == found
            assert not known["cuda_available"]
        assert known["decision_trace"]
