"""Which SPMD backends of TorchTitan 0.3 are refused, on how many ranks, and with what cure."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

build = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]
CTX = SimpleNamespace(shim="the/id", version=lambda name: "2.13.0")


def _validate(backend: str, **degrees: int) -> list[object]:
    seen: list[object] = []
    ones = dict.fromkeys(("dp_replicate", "dp_shard", "cp", "tp", "pp"), 1)
    dims = SimpleNamespace(spmd_backend=backend, world_size=2, **{**ones, **degrees})
    build(seen.append, CTX)(dims)
    return seen


@pytest.mark.parametrize(
    ("backend", "axis"),
    [("spmd_types", axis) for axis in ("dp_replicate", "dp_shard", "cp", "tp")]
    + [("full_dtensor", axis) for axis in ("dp_replicate", "dp_shard", "cp")],
)
def test_refused_on_several_ranks(backend: str, axis: str) -> None:
    """The error names the option, the versions, the reason, the option that works, and the way
    round the refusal."""
    told = rf"{backend} does not work on 2 ranks with torch 2\.13\.0: .* partial_dtensor .*the/id"
    with pytest.raises(ValueError, match=told):
        _validate(backend, **{axis: 2})


@pytest.mark.parametrize("backend", ["spmd_types", "full_dtensor", "partial_dtensor"])
def test_one_rank_and_pure_pipelines_pass(backend: str) -> None:
    """Without a data or tensor axis there is nothing to refuse."""
    assert 1 == len(_validate(backend))
    assert 1 == len(_validate(backend, pp=2))


def test_partial_dtensor_passes() -> None:
    """The backend that works is validated by the original alone."""
    assert 1 == len(_validate("partial_dtensor", dp_shard=2, tp=2))


def test_full_dtensor_passes_without_data_parallel_ranks() -> None:
    """Tensor parallelism alone reduces no loss over ranks."""
    assert 1 == len(_validate("full_dtensor", tp=2))


def test_errors_of_the_original_come_first() -> None:
    """Wrong degrees are told as without the shim."""

    def original(self: object) -> None:
        raise AssertionError("Invalid parallel dims")

    with pytest.raises(AssertionError, match="Invalid parallel dims"):
        build(original, CTX)(SimpleNamespace())
