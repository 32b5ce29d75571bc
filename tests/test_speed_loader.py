"""Advice for DataLoaders: what is told, when, and that nothing is changed."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, IterableDataset, TensorDataset  # noqa: E402 - as above

from shimhub.speed.knobs import loader as module  # noqa: E402
from shimhub.speed.knobs.loader import advise  # noqa: E402
from shimhub.speed.model import Hardware  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
CPU, GPU = Hardware("cpu", "a test"), Hardware("cuda", "a test")
ROWS = TensorDataset(torch.arange(10))


class Stream(IterableDataset):
    """Rows of unknown number."""

    def __iter__(self):
        return iter(range(10))


def settings(loader, hardware=CPU, **options):
    """Return the settings that are told, with what to write."""
    return {one.setting: one.better for one in advise(loader, hardware, **options)}


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    """Let this process have four cores."""
    monkeypatch.setattr(module, "_cores", lambda: 4)


def test_a_loader_that_feeds_between_steps_is_told_to_use_workers(monkeypatch):
    """Workers need cores; with one core there is nothing to gain."""
    assert {"num_workers": 3} == settings(DataLoader(ROWS, batch_size=5))
    monkeypatch.setattr(module, "_cores", lambda: 1)
    assert {} == settings(DataLoader(ROWS, batch_size=5))


def test_more_workers_than_cores_are_told():
    """They take time from one another and from the training."""
    assert 3 == settings(DataLoader(ROWS, batch_size=5, num_workers=9))["num_workers"]


def test_a_gpu_is_fed_from_pinned_memory():
    """On a CPU there is nothing to copy to."""
    assert settings(DataLoader(ROWS, batch_size=5), GPU)["pin_memory"] is True
    assert "pin_memory" not in settings(DataLoader(ROWS, batch_size=5, pin_memory=True), GPU)


def test_workers_that_start_again_are_told():
    """With persistent workers nothing is left to say."""
    assert {"persistent_workers": True} == settings(DataLoader(ROWS, batch_size=5, num_workers=2))
    loader = DataLoader(ROWS, batch_size=5, num_workers=2, persistent_workers=True)
    assert {} == settings(loader)


def test_a_longer_queue_needs_a_measured_wait():
    """The share of a step spent waiting decides; below 3 % a faster loader gains nothing."""
    loader = DataLoader(ROWS, batch_size=5, num_workers=2, persistent_workers=True)
    assert {"prefetch_factor": 4} == settings(loader, waiting=0.4)
    assert {} == settings(loader, waiting=0.01)
    assert {} == settings(DataLoader(ROWS, batch_size=5), GPU, waiting=0.01)


@pytest.mark.parametrize(
    ("loader", "told"),
    [
        (DataLoader(ROWS, batch_size=4), True),
        (DataLoader(ROWS, batch_size=4, drop_last=True), False),
        (DataLoader(ROWS, batch_size=5), False),
        (DataLoader(ROWS, batch_size=20), False),
        (DataLoader(ROWS, batch_size=None), False),
        (DataLoader(Stream(), batch_size=4), False),
    ],
)
def test_a_short_last_batch_is_told(loader, told):
    """It has another shape, if there is more than one batch and their number is known."""
    assert told is ("drop_last" in settings(loader, waiting=0.0))


def test_advice_reads_as_a_sentence_and_changes_nothing():
    """Setting, what to write, what it is, and why; the loader has all it had."""
    loader = DataLoader(ROWS, batch_size=5)
    held = dict(vars(loader))
    (one,) = advise(loader, CPU, waiting=0.25)
    assert str(one).startswith("num_workers=3 (now 0): batches are made between the steps")
    assert str(one).endswith("the training waits 25% of a step for data")
    assert held == vars(loader)


def test_the_cores_of_this_process_are_counted(monkeypatch):
    """Those it may use, where the system tells; all of them elsewhere."""
    monkeypatch.undo()
    assert module._cores() >= 1
    monkeypatch.delattr(module.os, "sched_getaffinity")
    assert module._cores() >= 1
