"""Threads of a measured process, and what is told of the machine."""

from __future__ import annotations

import os

from tests.bench.report import machine

_ONE = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
}
_THREADS = "SHIMHUB_BENCH_THREADS"


def environment(*, one_thread: bool) -> dict[str, str]:
    """Return the environment of a process that measures: on one thread, or as libraries do."""
    rest = {name: value for name, value in os.environ.items() if name not in {*_ONE, _THREADS}}
    # TRL and Hugging Face look on the network for nothing that is measured here.
    quiet = {"HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1", "TOKENIZERS_PARALLELISM": "0"}
    return {**rest, **quiet, **({**_ONE, _THREADS: "1"} if one_thread else {})}


def threads() -> int:
    """Return how many threads calls that can be told shall use; 0: as many as there are."""
    return int(os.environ.get(_THREADS, "0"))


def line() -> str:
    """Return processor, cores, interpreter and lanes, in a line."""
    from shimhub import kernels

    lanes = ", ".join(sorted(kernels.lanes())) or "no native library"
    return f"{machine()}; lanes: {lanes}"
