"""The row begins a session with what the hub was told, and ends it when it is reverted."""

from __future__ import annotations

import pytest

import shimhub

pytest.importorskip("torch")


def test_installed_it_listens_and_uninstalled_it_is_gone() -> None:
    """The pack adds one name to torch and one hook to its optimizers; both go with the pack."""
    import torch
    from torch.optim import optimizer as hooks  # torch.optim deletes the name

    before = dict(hooks._global_optimizer_post_hooks)
    with shimhub.shimmed(enable="speed") as verdicts:
        assert shimhub.Status.APPLIED == verdicts["torch/speed/vivo"].status
        assert [] == torch._shimhub_speed()
        assert 1 == len(hooks._global_optimizer_post_hooks) - len(before)
    assert before == hooks._global_optimizer_post_hooks
    assert not hasattr(torch, "_shimhub_speed")


def test_it_is_off_until_it_is_asked_for() -> None:
    """Installed without a word on speed, the row is disabled and says how to turn it on."""
    with shimhub.shimmed() as verdicts:
        found = verdicts["torch/speed/vivo"]
    assert (shimhub.Status.DISABLED, True) == (found.status, "--enable speed" in found.reason)


def test_a_mistake_in_the_settings_is_the_rows_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a file that is not there the row fails with its name, and torch is left alone."""
    import torch

    monkeypatch.setenv("SHIMHUB_SPEED", "no/such.yaml")
    with shimhub.shimmed() as verdicts:
        found = verdicts["torch/speed/vivo"]
    assert (shimhub.Status.FAILED, True) == (found.status, "no/such.yaml" in found.reason)
    assert not hasattr(torch, "_shimhub_speed")
