"""What a calibration is true for: processor, what of it may be used, threads and versions."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from shimhub import kernels
from shimhub._version import __version__
from shimhub.accel.torch_ffi import torch_version
from shimhub.kernels import _loading

_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CPUINFO: Final = Path("/proc/cpuinfo")
#: Where control groups of version 2 and 1 tell how much of the processors may be used.
_QUOTAS: Final = (
    (Path("/sys/fs/cgroup/cpu.max"),),
    (
        Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
        Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    ),
)


def validators() -> dict[str, Any]:
    """Return all that a calibration depends on, as JSON has it. Imports no torch."""
    return {
        "shimhub": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch_version(),
        "kernels": _build(),
        "lanes": sorted(kernels.lanes()),
        "cpu": next(_models(), platform.machine()),
        "features": sorted(kernels.cpu_features()),
        "cores": cores(),
        "quota": _quota(),
        "threads": {name: os.environ.get(name, "") for name in _THREADS},
    }


def differing(theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Return in words what of two machines differs."""
    names = dict.fromkeys([*ours, *theirs])
    return [
        f"{name}: {_told(theirs.get(name))}, here {_told(ours.get(name))}"
        for name in names
        if theirs.get(name) != ours.get(name)
    ]


def cores() -> int:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def _build() -> str:
    """Return a digest of the native library's file; empty without one."""
    file = getattr(_loading.native(), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else ""


def _models() -> Iterator[str]:
    for line in (_text(_CPUINFO) or "").splitlines():
        if line.startswith("model name"):
            yield line.partition(":")[2].strip()


def _quota() -> str:
    """Return the share of processors as the control group tells it; empty without one."""
    for files in _QUOTAS:
        found = [_text(file) for file in files]
        if all(found):
            return " ".join(str(text).strip() for text in found)
    return ""


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={one}" for name, one in value.items() if one) or "none told"
    return ",".join(value) if isinstance(value, list) else str(value) or "none"
