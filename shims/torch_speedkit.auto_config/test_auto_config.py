"""What is detected, as a dict."""

from __future__ import annotations

import pytest

from tests.speedkit.served import served


def test_auto_is_resolved_in_a_copy() -> None:
    """The caller's dict stays as it is; on a CPU precision is fp32 and nothing is compiled."""
    torch = pytest.importorskip("torch")
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


def test_capabilities_are_those_of_the_device(monkeypatch) -> None:
    """ROCm is CUDA by torch's word; bf16 is told of every device that has it."""
    import sys

    from shimhub.speed.model import Hardware

    with served("auto_config") as module:
        told = {}
        for kind, feature in (("rocm", "bf16"), ("cpu", "amx_bf16"), ("cpu", "avx2")):
            found = Hardware(kind, "a device", features=frozenset({feature}))
            monkeypatch.setattr(module, "detect", lambda found=found: found)
            known = module.get_device_capabilities()
            told[feature] = (known["cuda_available"], known["supports_bf16"], known["os"])
    assert {
        "bf16": (True, True, sys.platform),
        "amx_bf16": (False, True, sys.platform),
        "avx2": (False, False, sys.platform),
    } == told
